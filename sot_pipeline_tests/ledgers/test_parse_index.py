from __future__ import annotations

import pytest

from sot_pipeline_tests.ledgers.ledger_text import BUILDS, DECISIONS, INDEX_HEAD, entries, hashes, messages, parse, row


def test_index_only_entry_has_its_row_as_content_and_metadata() -> None:
    record = entries(INDEX_HEAD + "| 2026-01-03 | BUILD-7 | Tooling (100% COMPLETE ✅) | **Lead**: a `b` | x.py |\n")[
        "BUILD-7"
    ]

    assert record.content == "**Lead**: a `b`"
    assert record.title == "Lead: a b"
    assert dict(record.metadata) == {
        "date": "2026-01-03",
        "phase": "Tooling",
        "status": "100% COMPLETE ✅",
        "complete": True,
        "index": {
            "Timestamp": "2026-01-03",
            "BUILD-ID": "BUILD-7",
            "Phase": "Tooling (100% COMPLETE ✅)",
            "Summary": "**Lead**: a `b`",
            "Files Changed": "x.py",
        },
    }


def test_long_summary_has_its_lead_as_title() -> None:
    long = "word " * 60
    found = entries(
        INDEX_HEAD
        + row("BUILD-1", f"**Bold lead**: {long}")
        + row("BUILD-2", f"Clause first: {long}")
        + row("BUILD-3", long)
    )

    assert found["BUILD-1"].title == "Bold lead"
    assert found["BUILD-2"].title == "Clause first"
    assert found["BUILD-3"].title.endswith("…")
    assert len(found["BUILD-3"].title) <= 123


def test_section_leads_and_row_fills_what_it_lacks() -> None:
    text = INDEX_HEAD + row("BUILD-1", "Row summary", phase="Tooling") + "\n## BUILD-1: Section title\n\nbody\n"

    record = entries(text)["BUILD-1"]

    assert (record.title, record.content) == ("Section title", "body")
    assert (record.metadata["date"], record.metadata["phase"]) == ("2026-01-01", "Tooling")


def test_several_rows_of_one_id_are_all_kept() -> None:
    record = entries(INDEX_HEAD + row("BUILD-1", "one", phase="P1") + row("BUILD-1", "two", phase="P2"))["BUILD-1"]

    assert record.content == "one\n\ntwo"
    index = record.metadata["index"]
    assert isinstance(index, list)
    assert [cells["Phase"] for cells in index if isinstance(cells, dict)] == ["P1", "P2"]


@pytest.mark.parametrize(
    ("line", "summary", "last"),
    [
        ("| 2026-01-01 | BUILD-1 | P | takes bool|None here | 3 |", "takes bool|None here", "3"),
        ("| 2026-01-01 | BUILD-1 | P | takes `bool|None` here | 3 |", "takes `bool|None` here", "3"),
        (r"| 2026-01-01 | BUILD-1 | P | takes bool\|None here | 3 |", "takes bool|None here", "3"),
        ("| 2026-01-01 | BUILD-1 | P | no closing pipe | 3", "no closing pipe", "3"),
        ("| 2026-01-01 | BUILD-1 | P | last cell is empty |  |", "last cell is empty", ""),
        ("|2026-01-01|BUILD-1|P|tight|3|", "tight", "3"),
        ("  | 2026-01-01 | **BUILD-1** | P | marked up | 3 |", "marked up", "3"),
        ("2026-01-01 | BUILD-1 | P | no outer pipes | 3", "no outer pipes", "3"),
    ],
)
def test_row_is_read_however_it_is_piped(line: str, summary: str, last: str) -> None:
    (record,) = parse(INDEX_HEAD + row("BUILD-2") + line + "\n").records[1:]

    assert (record.key.entry_id, record.content) == ("BUILD-1", summary)
    index = record.metadata["index"]
    assert isinstance(index, dict)
    assert index["Files Changed"] == last


@pytest.mark.parametrize("glue", [" ", "", "| "])
def test_two_rows_on_one_line_are_two_rows(glue: str) -> None:
    line = row("BUILD-2", "two").strip() + glue + row("BUILD-1", "one")

    found = entries(INDEX_HEAD + row("BUILD-3") + line)

    assert [found[name].content for name in ("BUILD-2", "BUILD-1")] == ["two", "one"]


def test_columns_may_stand_in_any_order_and_have_any_name() -> None:
    text = (
        "## Index\n\n| Was | Nummer | Status | Wann |\n|:-|:-:|-:|-|\n"
        "| Something that was done | DEC-1 | ✅ Done | 2026-01-01 |\n"
        "| More of the same kind | DEC-2 | open | 2026-01-02 |\n"
    )

    found = entries(text, DECISIONS)

    assert found["DEC-1"].title == "Something that was done"
    assert found["DEC-1"].metadata["date"] == "2026-01-01"
    assert found["DEC-1"].metadata["complete"] is True
    assert "complete" not in found["DEC-2"].metadata


def test_table_glued_to_its_heading_and_several_indexes_are_read() -> None:
    text = (
        INDEX_HEAD
        + row("BUILD-2")
        + "\n## BUILDS\n\n## INDEX (older)\n\n"
        + INDEX_HEAD.split("\n", 1)[1]
        + row("BUILD-1")
    )

    assert list(entries(text)) == ["BUILD-2", "BUILD-1"]
    assert messages(text, "stray_index_rows") == []


def test_sub_heading_named_index_inside_an_entry_is_no_index() -> None:
    text = "### BUILD-1 | 2026-01-01 | A\n\n### Index\n\n| 2026-01-01 | BUILD-9 | P | S | 1 |\n"

    assert entries(text)["BUILD-1"].content.startswith("### Index")
    assert messages(text, "stray_index_rows") != []


def test_row_without_id_is_reported_with_its_line() -> None:
    text = INDEX_HEAD + row("BUILD-1") + row("OPTION-B", "P0 Reliability Track")

    ((line, message), _) = messages(text, "index_matches_sections")

    assert line == 5
    assert "OPTION-B" in message
    assert list(entries(text)) == ["BUILD-1"]


def test_many_rows_without_id_are_summed_up() -> None:
    found = messages(INDEX_HEAD + row("BUILD-1") + row("P0", "x") * 300, "index_matches_sections")

    assert len(found) == 21
    assert "more" in found[-1][1]


def test_stray_row_makes_an_entry_only_where_nothing_else_defines_its_id() -> None:
    text = (
        INDEX_HEAD
        + row("BUILD-1", "in the index")
        + "\n## BUILD-2: Section\n\nhash: `5e0e`"
        + row("BUILD-3", "glued")
        + row("BUILD-1", "again")
        + "\n```\n"
        + row("BUILD-4", "in code")
        + "```\n"
    )

    found = entries(text)

    assert list(found) == ["BUILD-1", "BUILD-2", "BUILD-3"]
    assert found["BUILD-3"].content == "glued"
    assert found["BUILD-1"].content == "in the index"
    assert "glued" in found["BUILD-2"].content
    assert [line for line, _ in messages(text, "stray_index_rows")] == [8, 9]


def test_ledger_of_rows_without_any_heading_still_gives_entries() -> None:
    assert list(entries(row("BUILD-1") + row("BUILD-2"))) == ["BUILD-1", "BUILD-2"]


def test_missing_index_and_sections_missing_from_it_are_reported() -> None:
    (without,) = messages("## BUILD-1: A\n\nx\n", "index_matches_sections")
    (beside,) = messages(INDEX_HEAD + row("BUILD-1") + "## BUILD-1: A\n\n## BUILD-2: B\n", "index_matches_sections")

    assert "INDEX" in without[1]
    assert "BUILD-2" in beside[1]


def test_editing_an_index_only_row_changes_that_entry_alone() -> None:
    before = hashes(INDEX_HEAD + row("BUILD-1", "one") + row("BUILD-2", "two"))
    after = hashes(INDEX_HEAD + row("BUILD-1", "one") + row("BUILD-2", "TWO"))

    assert {name for name in before if before[name] != after[name]} == {"BUILD-2"}


def test_lines_are_those_of_an_editor() -> None:
    text = INDEX_HEAD + row("BUILD-2", "form\ffeed \x85 \u2028 in a cell") + row("BUILD-1") + "\n## BUILD-1: A\n"

    for ending in ("\n", "\r\n", "\r"):
        assert dict(parse(text.replace("\n", ending), BUILDS).lines) == {"BUILD-2": 4, "BUILD-1": 7}


def test_index_without_dates_may_have_two_rows_on_a_line() -> None:
    text = (
        "## INDEX\n| BUILD-ID | Summary |\n|---|---|\n| BUILD-3 | see BUILD-2 |\n| BUILD-2 | two || BUILD-1 | one |\n"
    )

    found = entries(text)

    assert [found[name].content for name in ("BUILD-3", "BUILD-2", "BUILD-1")] == ["see BUILD-2", "two", "one"]


@pytest.mark.parametrize("mark", [("```", "```"), ("<!--", "-->")])
def test_row_in_a_fence_or_comment_under_the_index_is_no_row(mark: tuple[str, str]) -> None:
    text = f"{INDEX_HEAD}{row('BUILD-1')}{mark[0]}\n{row('BUILD-2')}{mark[1]}\n{row('BUILD-3')}"

    assert list(entries(text)) == ["BUILD-1", "BUILD-3"]
