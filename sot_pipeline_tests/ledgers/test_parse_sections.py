from __future__ import annotations

from datetime import datetime

import pytest

from sot_pipeline_tests.ledgers.ledger_text import DEBUGGING, DECISIONS, INDEX_HEAD, entries, messages, parse, row


@pytest.mark.parametrize(
    ("heading", "entry_id", "title", "metadata"),
    [
        (
            "### BUILD-100 | 2025-12-20T20:26 | Hotfix | Executor startup fix",
            "BUILD-100",
            "Executor startup fix",
            {"date": "2025-12-20T20:26", "phase": "Hotfix"},
        ),
        ("### BUILD-016 | 2025-12-11T00:00 | Title", "BUILD-016", "Title", {"date": "2025-12-11T00:00"}),
        (
            "### BUILD-146 Phase A P11 | 2026-01-01 | Title ✅",
            "BUILD-146",
            "Title",
            {"date": "2026-01-01", "phase": "Phase A P11", "status": "✅", "complete": True},
        ),
        ("## BUILD-156: Title ✅", "BUILD-156", "Title", {"status": "✅", "complete": True}),
        ("## BUILD-145 Follow-up: Title", "BUILD-145", "Title", {"phase": "Follow-up"}),
        ("## BUILD-175 | Title", "BUILD-175", "Title", {}),
        ("## BUILD-170.9: Title", "BUILD-170.9", "Title", {}),
        ("## BUILD-1: Title [OK]", "BUILD-1", "Title", {"status": "OK", "complete": True}),
        (
            "## BUILD-1: Title (100% COMPLETE ✅)",
            "BUILD-1",
            "Title",
            {"status": "100% COMPLETE ✅", "complete": True},
        ),
        ("## BUILD-1: Title (95% COMPLETE ✅)", "BUILD-1", "Title", {"status": "95% COMPLETE ✅"}),
        (
            "## BUILD-1: Title (P0-P1 COMPLETE)",
            "BUILD-1",
            "Title",
            {"status": "P0-P1 COMPLETE", "complete": True},
        ),
        (
            "## BUILD-1: Title (2026-01-02) ✅ COMPLETE",
            "BUILD-1",
            "Title",
            {"date": "2026-01-02", "status": "✅ COMPLETE", "complete": True},
        ),
        ("## BUILD-1: Accept `bool | None` (for now)", "BUILD-1", "Accept bool | None (for now)", {}),
        ("## BUILD-1: **Bold** [link](x.md) and snake_case_name", "BUILD-1", "Bold link and snake_case_name", {}),
        (
            "## BUILD-1 | 2026-01-01 | In Progress | HIGH | Phase 2 | Title",
            "BUILD-1",
            "Title",
            {"date": "2026-01-01", "phase": "Phase 2", "severity": "HIGH", "status": "In Progress"},
        ),
        (
            "## BUILD-1 | 2026-01-01 | A first cell that is far too long to be the label of any phase | rest",
            "BUILD-1",
            "A first cell that is far too long to be the label of any phase | rest",
            {"date": "2026-01-01"},
        ),
        ("## BUILD-1: Title (2026-13-45)", "BUILD-1", "Title (2026-13-45)", {}),
        ("## BUILD-1: List<int> &amp; `a`` | b` <!-- note --> end", "BUILD-1", "List<int> & a`` | b end", {}),
        ("## BUILD-1 no separator", "BUILD-1", "no separator", {}),
        (
            "### BUILD-1 | 2026-01-01 | HIGH | P | Done | Title ✅",
            "BUILD-1",
            "Title",
            {"date": "2026-01-01", "severity": "HIGH", "phase": "P", "status": "Done", "complete": True},
        ),
        ("## **BUILD-1**: Title ##", "BUILD-1", "Title", {}),
        ("## BUILD-1 | 2025-13-45 | Title", "BUILD-1", "Title", {}),
        ("   ##\tBUILD-1:   Title\x85with \u2028 odd blanks", "BUILD-1", "Title with odd blanks", {}),
    ],
)
def test_heading_gives_id_title_and_metadata(
    heading: str, entry_id: str, title: str, metadata: dict[str, object]
) -> None:
    (record,) = parse(f"# Builds\n\n{heading}\n\nText.\n").records

    assert (record.key.entry_id, record.title, dict(record.metadata)) == (entry_id, title, metadata)
    assert record.content == "Text."


def test_created_at_is_the_entrys_own_date_in_utc() -> None:
    found = entries(
        "### BUILD-1 | 2026-01-02T03:04:05+02:00 | A\n\nx\n\n### BUILD-2 | 2026-01-02 | B\n\n## BUILD-3: C\n"
    )

    assert found["BUILD-1"].created_at == datetime(2026, 1, 2, 1, 4, 5)
    assert found["BUILD-2"].created_at == datetime(2026, 1, 2)
    assert found["BUILD-3"].created_at is None


def test_date_that_a_time_zone_moves_out_of_the_calendar_is_no_date() -> None:
    assert entries("### BUILD-1 | 0001-01-01T00:00+23:59 | A\n")["BUILD-1"].created_at is None


def test_heading_without_title_takes_title_date_and_status_from_its_fields() -> None:
    record = entries("## BUILD-170\n\n**Title**: Quick mode  \n**Status**: ✅ COMPLETE\n**Completed**: 2026-01-03\n")[
        "BUILD-170"
    ]

    assert record.title == "Quick mode"
    assert dict(record.metadata) == {"date": "2026-01-03", "status": "✅ COMPLETE", "complete": True}


def test_fields_below_a_sub_heading_or_in_a_fence_are_not_the_entrys() -> None:
    text = "## BUILD-1: A\n\n### Results\n**Status**: failed\n\n## BUILD-2: B\n```\n**Status**: failed\n```\n"

    found = entries(text)

    assert dict(found["BUILD-1"].metadata) == dict(found["BUILD-2"].metadata) == {}


def test_severity_cell_of_a_heading_is_severity() -> None:
    record = entries("### DBG-8 | 2025-06-05 | MEDIUM | Stale map\n", DEBUGGING)["DBG-8"]

    assert (record.title, record.metadata["severity"]) == ("Stale map", "MEDIUM")


def test_entry_without_any_title_is_called_by_its_id() -> None:
    assert entries("## BUILD-7\n\ntext\n")["BUILD-7"].title == "BUILD-7"


def test_section_ends_at_entry_heading_and_at_any_level_2_heading() -> None:
    text = (
        "### DEC-001 | 2026-01-01 | A\n\none\n\n---\n\n"
        "## BUILD-155: foreign\n\nnobody's\n\n"
        "### DEC-002 | 2026-01-01 | B\n\n### Sub-heading\n\ntwo\n\n#### BUILD-9\n\nstill two\n\n---\n---\n\n"
        "## Summary Statistics\n\nnobody's either\n"
    )

    found = entries(text, DECISIONS)

    assert list(found) == ["DEC-001", "DEC-002"]
    assert found["DEC-001"].content == "one"
    assert found["DEC-002"].content == "### Sub-heading\n\ntwo\n\n#### BUILD-9\n\nstill two"


@pytest.mark.parametrize(
    "text",
    [
        "```\n### BUILD-1 | 2026-01-01 | A\n```\n",
        "~~~~md\n```\n### BUILD-1 | 2026-01-01 | A\n~~~\n~~~~\n",
        "<!--\n### BUILD-1 | 2026-01-01 | A\n-->\n",
        "# BUILD-1: level one\n",
        "#### BUILD-1: level four\n",
        "### Architecture Decision BUILD-1\n",
        "### BUILD-### | date | title\n",
        "### BUILD-12a: no id\n",
        "### BUILD-12-P6: another's id\n",
        "- item\n\n  ### BUILD-1 | 2026-01-01 | in a list\n",
        "> ### BUILD-1 | 2026-01-01 | quoted\n",
        "    ### BUILD-1 | 2026-01-01 | indented code\n",
        "It was BUILD-1 that broke it.\n",
    ],
)
def test_what_only_looks_like_an_entry_is_none(text: str) -> None:
    assert parse(f"# Builds\n\n{text}").records == ()


def test_one_id_with_several_sections_keeps_all_texts_and_is_reported() -> None:
    text = "## BUILD-1: First ✅\n\none\n\n## BUILD-2: Other\n\n## BUILD-1 Follow-up: Second (2026-01-02)\n\ntwo\n"

    record = entries(text)["BUILD-1"]

    assert record.title == "First"
    assert record.content == "## BUILD-1: First ✅\n\none\n\n## BUILD-1 Follow-up: Second (2026-01-02)\n\ntwo"
    assert record.metadata["sections"] == [
        {"heading": "BUILD-1: First ✅", "title": "First", "date": None},
        {"heading": "BUILD-1 Follow-up: Second (2026-01-02)", "title": "Second", "date": "2026-01-02"},
    ]
    ((line, message),) = messages(text, "ids_unique")
    assert line == 7
    assert "BUILD-1" in message
    assert "1, 7" in message


def test_orphan_fence_ends_at_an_entry_that_the_index_knows() -> None:
    text = (
        INDEX_HEAD
        + row("BUILD-2")
        + row("BUILD-1")
        + "\n### BUILD-2 | 2026-01-01 | B\n\n```python\nx = 1\n\n### BUILD-1 | 2026-01-01 | A\n\n```sh\nls\n```\n"
    )

    found = entries(text)

    assert found["BUILD-1"].content == "```sh\nls\n```"
    assert found["BUILD-2"].content == "```python\nx = 1"
    ((line, message),) = messages(text, "fences_balanced")
    assert line == 9
    assert "12" in message


def test_orphan_fence_above_the_index_does_not_swallow_it() -> None:
    text = (
        "# B\n\n```\nexample\n\n"
        + INDEX_HEAD
        + row("BUILD-2")
        + row("BUILD-1")
        + "\n### BUILD-1 | 2026-01-01 | A\n\nx\n"
    )

    assert list(entries(text)) == ["BUILD-2", "BUILD-1"]


def test_closed_fence_may_quote_an_entry_that_stands_elsewhere() -> None:
    text = (
        INDEX_HEAD
        + row("BUILD-1")
        + "\n### BUILD-1 | 2026-01-01 | A\n\n```md\n### BUILD-1 | 2026-01-01 | A\n```\n\nafter\n"
    )

    assert entries(text)["BUILD-1"].content.endswith("after")
    assert messages(text, "fences_balanced") == []


def test_fence_that_is_never_closed_is_reported() -> None:
    ((line, message),) = messages("## BUILD-1: A\n\n```\nx\n", "fences_balanced")

    assert line == 3
    assert "Close it" in message


def test_comment_that_hides_entries_is_an_error() -> None:
    text = "# B\n\n<!-- META\nTotal_Builds: 1\n\n### BUILD-1 | 2026-01-01 | A\n"

    errors = [problem for problem in parse(text).problems if problem.severity == "error"]

    assert [(problem.check, problem.line) for problem in errors] == [("entries_parse", 3)]


def test_file_without_entries_is_reported_and_an_empty_one_too() -> None:
    for text in ("# Only prose\n", ""):
        ((line, message),) = messages(text, "entries_parse")
        assert line is None
        assert "### BUILD-1" in message


def test_entry_may_begin_with_blank_lines_and_a_fence() -> None:
    record = entries("## BUILD-1: A\n \n\n```\n---\n```\n\n    code\n---\n")["BUILD-1"]

    assert record.content == "```\n---\n```\n\n    code"


def test_heading_that_says_everything_is_not_overruled() -> None:
    text = "### BUILD-1 | 2026-01-01 | HIGH | P | Done | Title\n\n**Status**: open\n**Date**: 2020-01-01\n"

    assert entries(text)["BUILD-1"].metadata["status"] == "Done"
