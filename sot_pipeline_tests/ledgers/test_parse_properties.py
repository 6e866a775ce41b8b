from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sot_pipeline.ledgers.parse import NotText
from sot_pipeline.plan import hash_record
from sot_pipeline_tests.ledgers.ledger_text import INDEX_HEAD, entries, hashes, parse, row

LINES = st.sampled_from(
    [
        "",
        "text",
        "---",
        "```",
        "```python",
        "~~~",
        "<!-- META",
        "Total_Builds: 7",
        "-->",
        "<!-- AUTO-GENERATED SUMMARY - DO NOT EDIT MANUALLY -->",
        "**Summary**: 4 build entries (3 unique builds) documented | Last updated: 2026-01-01 00:00:00",
        "<!-- END AUTO-GENERATED SUMMARY -->",
        "## INDEX",
        "## BUILDS",
        "| Timestamp | BUILD-ID | Phase | Summary | Files |",
        "|---|---|---|---|---|",
        "| 2026-01-01 | BUILD-1 | P | S | 1 |",
        "| 2026-01-01 | BUILD-2 | P | a|b `c|d` | 1 | | 2026-01-02 | BUILD-3.1 | Q | T | 2",
        "tail| 2026-01-01 | BUILD-4 | P | S | 1 |",
        "| | | |",
        "|",
        "### BUILD-1 | 2026-01-01 | P | Title ✅",
        "### BUILD-2 Phase A | 2026-13-45 | Title (100% COMPLETE ✅)",
        "## BUILD-3.1: Title [x](y) `a|b`",
        "## BUILD-5",
        "**Title**: T",
        "**Date:** 2026-01-01",
        "## Something else",
        "- ## BUILD-6: in a list",
        "\ufeff",
        "\f",
    ]
)
LEDGERS = st.lists(LINES, max_size=25).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(LEDGERS, st.text()))
def test_parsing_never_raises_and_gives_what_targets_can_store(text: str) -> None:
    text = text.replace("\0", "")
    data = text.encode("utf-8", "replace")

    parsed = parse(data)

    for record in parsed.records:
        again = json.loads(json.dumps(record.metadata))
        assert record.title
        assert again == record.metadata
        assert record.content_hash == hash_record(record.key, record.title, record.content, again, record.created_at)
        assert ("date" in record.metadata) == (record.created_at is not None)
    assert set(parsed.lines) == {record.key.entry_id for record in parsed.records}
    lines = data.decode().replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    assert all(1 <= line <= lines for line in parsed.lines.values())
    assert all(problem.line is None or 1 <= problem.line <= lines for problem in parsed.problems)


@settings(max_examples=150, deadline=None)
@given(LEDGERS)
def test_line_ends_and_byte_order_mark_change_no_hash(text: str) -> None:
    plain = hashes(text.replace("\ufeff", ""))

    assert hashes("\ufeff" + text.replace("\ufeff", "").replace("\n", "\r\n")) == plain
    assert hashes(text.replace("\ufeff", "").replace("\n", "\r")) == plain


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(1, 7)))
def test_moving_sections_changes_no_hash(order: list[int]) -> None:
    sections = {
        number: f"### BUILD-{number} | 2026-01-0{number} | Title {number}\n\ntext {number}\n\n---\n\n"
        for number in order
    }
    index = INDEX_HEAD + "".join(row(f"BUILD-{number}") for number in range(1, 7)) + "\n## BUILDS\n\n"

    assert hashes(index + "".join(sections[number] for number in order)) == hashes(
        index + "".join(sections[number] for number in sorted(order))
    )


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [(b"## BUILD-1: A\n\xff\n", 14, "UTF-8"), (b"abc\0def", 3, "NUL"), (b"\xef\xbb\xbf\xc3", 3, "UTF-8")],
)
def test_bytes_that_are_no_text_are_named_by_their_offset(data: bytes, offset: int, reason: str) -> None:
    with pytest.raises(NotText, match=reason) as error:
        parse(data)

    assert error.value.offset == offset


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("bad", [b"\xff", b"\xe2\x9c", b"\x85"])
def test_large_text_is_proved_valid_piece_by_piece_and_the_offset_is_the_files(shift: int, bad: bytes) -> None:
    text = b"x" * shift + "✅".encode() * 50_000

    assert parse(text).records == ()
    for at in (shift, shift + 3 * 21_845, shift + 3 * 21_846, len(text)):
        with pytest.raises(NotText) as error:
            parse(text[:at] + bad + text[at:])
        assert error.value.offset == at


@pytest.mark.parametrize(
    "text",
    [
        "## BUILD-1: " + "[" * 20_000,
        "## BUILD-1: " + "*a_" * 20_000,
        "## BUILD-1: " + "(" * 50_000 + " COMPLETE",
        "## BUILD-1" + " " * 50_000 + "x" + " |" * 20_000,
        INDEX_HEAD + "| 2026-01-01 | BUILD-1 | P | " + "` `` " * 10_000 + "| 1 |",
        INDEX_HEAD + "| 2026-01-01 | BUILD-1 " * 4_000,
        INDEX_HEAD + "-" + " " * 50_000 + "|" * 5 + "x",
        "- item\n" + "   ## deep\n" * 5_000,
        "> " * 2_000 + "x\n" + " <b>\n" * 2_000,
        "```\n" * 5_001,
        "### BUILD-1\n" * 20_000,
        INDEX_HEAD + row("BUILD-1") * 20_000,
        "".join(f"```\n### BUILD-{number} | 2026-01-01 | A\n```\n" for number in range(10_000)),
        "**Status**: " + "x " * 50_000,
    ],
)
def test_hostile_text_takes_no_more_than_a_moment(text: str) -> None:
    started = time.process_time()

    entries(text)

    assert time.process_time() - started < 3
