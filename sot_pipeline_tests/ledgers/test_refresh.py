from __future__ import annotations

from datetime import datetime

import pytest

from sot_pipeline.ledgers.refresh import refreshed
from sot_pipeline.workspace import LedgerSpec
from sot_pipeline_tests.ledgers.ledger_text import BUILDS, DEBUGGING, DECISIONS, INDEX_HEAD, messages, parse, row

NOW = datetime(2026, 11, 21, 12, 30, 45)
SUMMARY = (
    "# Ledger\n\n<!-- AUTO-GENERATED SUMMARY - DO NOT EDIT MANUALLY -->\n"
    "**Summary**: {words} documented | Last updated: 2026-01-03 17:20:50\n"
    "<!-- END AUTO-GENERATED SUMMARY -->\n\n"
)
META = "<!-- META\nLast_Updated: 2026-01-03T20:30:00Z\n{total}\nFormat_Version: 2.0\nSources: 12 files\n-->\n\n"
BODY = INDEX_HEAD + row("BUILD-2") + row("BUILD-1") + row("BUILD-1") + "\n## BUILD-2: A\n\nBUILD-99 is mentioned.\n"


def refresh(text: str, spec: LedgerSpec = BUILDS) -> str:
    data = text.encode()
    return refreshed(data, parse(data, spec).truth, NOW).decode()


def test_counts_are_made_true_as_the_file_words_them() -> None:
    text = SUMMARY.format(words="214 build entries (187 unique builds)") + META.format(total="Total_Builds: 158") + BODY

    after = refresh(text)

    assert after == (
        text.replace("214 build entries (187 unique", "3 build entries (2 unique")
        .replace("Total_Builds: 158", "Total_Builds: 2")
        .replace("2026-01-03T20:30:00Z", "2026-11-21T12:30:45Z")
        .replace("2026-01-03 17:20:50", "2026-11-21 12:30:45")
    )
    assert refresh(after) == after


@pytest.mark.parametrize(
    ("spec", "words", "total", "body"),
    [
        (DECISIONS, "49 decision(s)", "Total_Decisions: 49", "## DEC-1: A\n"),
        (DEBUGGING, "83 debug session(s)", "Total_Issues: 77", "## DBG-1: A\n"),
    ],
)
def test_each_kind_has_its_own_words(spec: LedgerSpec, words: str, total: str, body: str) -> None:
    text = SUMMARY.format(words=words) + META.format(total=total) + body

    after = refresh(text, spec)

    assert words.replace(words.split()[0], "1", 1) in after
    assert total.split(":")[0] + ": 1\n" in after
    assert [line for line, _ in messages(text, "meta_matches_content", spec)] == [9, 4]
    assert messages(after, "meta_matches_content", spec) == []


def test_true_numbers_with_an_old_time_stamp_change_nothing() -> None:
    text = SUMMARY.format(words="3 build entries (2 unique builds)") + META.format(total="Total_Builds: 2") + BODY

    assert refresh(text) == text


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_line_ends_and_byte_order_mark_stay(ending: str, mark: str) -> None:
    text = SUMMARY.format(words="9 build entries") + META.format(total="Total_Builds: 9") + BODY
    expected = refresh(text)

    after = refresh(mark + text.replace("\n", ending))

    assert after == mark + expected.replace("\n", ending)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("Last_Updated: 2026-01-03 -->", "Last_Updated: 2026-11-21T12:30:45Z -->"),
        ("Last_Updated:-->", "Last_Updated:2026-11-21T12:30:45Z-->"),
        ("Last_Updated: today-->and more -->", "Last_Updated: 2026-11-21T12:30:45Z-->and more -->"),
    ],
)
def test_comment_that_ends_in_the_line_of_its_time_stays_closed(line: str, wanted: str) -> None:
    text = f"<!-- META\nTotal_Builds: 158\n{line}\n{BODY}"

    after = refresh(text)

    assert after == text.replace("158", "2").replace(line, wanted)
    assert parse(after).records == parse(text).records
    assert refresh(after) == after


@pytest.mark.parametrize(
    "cells", ["Work | 9 build entries (9 unique builds)", "Work | S | Last updated: 2026-01-03 17:20:50"]
)
def test_row_that_is_glued_into_the_summary_keeps_its_words(cells: str) -> None:
    glued = f"text | 2026-01-01 | BUILD-3 | {cells} | 1 |"
    text = SUMMARY.format(words="").replace("**Summary**: ", f"{glued}\n") + META.format(total="Total_Builds: 9") + BODY

    after = refresh(text)

    assert glued in after
    assert "Total_Builds: 3" in after
    assert parse(after).records == parse(text).records


def test_block_inside_an_entry_or_a_fence_is_not_rewritten() -> None:
    meta = META.format(total="Total_Builds: 158")
    text = f"# L\n\n```\n{meta}```\n\n## BUILD-1: A\n\n{meta}text\n"

    assert refresh(text) == text
    assert messages(text, "meta_matches_content") == []


def test_ledger_without_blocks_stays_as_it_is() -> None:
    assert refresh(BODY) == BODY


def test_blocks_without_time_stamps_and_on_the_first_line_are_refreshed() -> None:
    text = "<!-- META Total\nTotal_Entries: 7\n-->\n" + BODY
    one_line = "\ufeff<!-- META\rTotal_Builds: 7 -->\r\n" + BODY

    assert refresh(text) == text.replace("Total_Entries: 7", "Total_Entries: 2")
    assert refresh(one_line) == one_line.replace("Total_Builds: 7", "Total_Builds: 2")
