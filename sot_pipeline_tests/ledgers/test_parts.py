"""Reading a ledger in parts, and reading its next version from what was kept, changes nothing in what it says."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sot_pipeline.ledgers import parts
from sot_pipeline.ledgers.model import ParsedLedger
from sot_pipeline.ledgers.parse import NOTHING_KEPT, Kept, parse_version
from sot_pipeline.workspace import LedgerSpec
from sot_pipeline_tests.ledgers import test_corpus as corpus
from sot_pipeline_tests.ledgers.ledger_text import BUILDS, INDEX_HEAD, parse, row

# What can begin, end, hide or join parts.
BLOCKS = [
    "### BUILD-1 | 2026-01-01 | Phase | Title\n\nText.\n",
    "### BUILD-4 | 2026-01-04\n```\n### BUILD-2 | 2026-01-02 | In a fence\n```\n",
    "### BUILD-1 | 2026-01-01\n~~~\n### BUILD-4.1\n~~~",
    "### BUILD-3 | 2026-01-03\n<!--\n### BUILD-2\n-->",
    "## BUILD-3: Title\n<div>\n### BUILD-5 | 2026-01-05\n</div>\n",
    "### BUILD-4 | 2026-01-04\n```\n### BUILD-7a | 2026-01-07 | No id in a fence\n```\n",
    "## INDEX\n| Timestamp | BUILD-ID | Phase | Summary |\n|---|---|---|---|\n| 2026-01-07 | BUILD-7 | P | S |\n",
    "## INDEX\n| When | BUILD-ID | State | What |\n|---|---|---|---|\n| 2026-01-07 | BUILD-7 | P | S |",
    "| 2026-01-02 | BUILD-2 | P | S |\n| 2026-01-05 | BUILD-5 | P | S |",
]
LINES = st.sampled_from(
    [
        *(f"### BUILD-{number} | 2026-01-0{number} | Phase | Title" for number in (1, 2, 3)),
        "## BUILD-2: Title ✅",
        "###\tBUILD-4 | 2026-01-04",
        "### BUILD-4.1",
        "### **BUILD-5** | 2026-01-05 | Bold",
        " ## BUILD-6 | 2026-01-06 | Indented",
        "### BUILD-7a | 2026-01-07 | No id",
        "# BUILD-8 | 2026-01-08 | Level 1",
        "- ### BUILD-9 | 2026-01-09 | In a list",
        "> ### BUILD-9 | 2026-01-09 | In a quote",
        "### About BUILD-1",
        "#",
        "#### Detail",
        "## BUILDS",
        "# INDEX",
        "## INDEX (newest first)",
        "### Index",
        "| Timestamp | BUILD-ID | Phase | Summary |",
        "| BUILD-ID | Timestamp | Summary |",
        "|---|---|---|---|",
        "|---|---|---|",
        *(f"| 2026-01-0{number} | BUILD-{number} | P | Summary |" for number in (1, 2, 4)),
        "| BUILD-3 | 2026-01-03 | Summary |",
        "| 2026-01-05 | BUILD-5 | P | a\\|b|c | | 2026-01-06 | BUILD-6 | Q | d",
        "| 2026-01-07 | no id | P | Summary |",
        "tail| 2026-01-04 | BUILD-10 | P | S |",
        "| BUILD-11 | 2026-01-04 | S |",
        "| | | |",
        "```",
        "```python",
        "~~~",
        "    ```",
        "<!-- META",
        "Total_Builds: 3",
        "<!--",
        "-->",
        "<!-- AUTO-GENERATED SUMMARY - DO NOT EDIT MANUALLY -->",
        "**Summary**: 4 build entries (3 unique builds) documented",
        "<!-- END AUTO-GENERATED SUMMARY -->",
        "<div>",
        "<b>",
        "<pre>",
        "</pre>",
        "<?php",
        "?>",
        "- item",
        "  text in the item",
        "",
        "",
        " ",
        "---",
        "text é",
        "**Status**: Complete",
        "\f",
    ]
)
TEXTS = st.lists(st.one_of(LINES, st.sampled_from(BLOCKS)), max_size=30).map("\n".join)
SNIPPETS = st.one_of(st.lists(LINES, max_size=3).map("\n".join), st.sampled_from(["\n", "#", "`", "|", "-->", " "]))
WHOLE_LINES = st.one_of(LINES, st.sampled_from(BLOCKS)).map(lambda lines: f"\n{lines}\n")
EDITS = st.tuples(st.floats(0, 1), st.floats(0, 0.3), st.one_of(SNIPPETS, WHOLE_LINES))
FORMS = st.sampled_from([(b"", b"\n"), (b"", b"\r\n"), (b"\xef\xbb\xbf", b"\n"), (b"", b"\r")])


def edited(text: str, at: float, share: float, snippet: str) -> str:
    """`text` with a snippet in place of a share of it; positions are shares of its length, 0 and 1 its ends."""
    start = round(at * len(text))
    return text[:start] + snippet + text[start + round(share * share * len(text)) :]


def in_form(text: str, form: tuple[bytes, bytes]) -> bytes:
    mark, end = form
    return mark + text.encode().replace(b"\n", end)


def again(data: bytes, before: Kept | None, spec: LedgerSpec = BUILDS) -> tuple[ParsedLedger, Kept]:
    return parse_version(data, hashlib.sha256(data).hexdigest(), spec, "demo", before)


@contextmanager
def in_one_part() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_part_start", lambda _prefix: re.compile(rb"(?!)"))
        yield


def said(parsed: ParsedLedger) -> tuple[ParsedLedger, list[str]]:
    """All of a ledger, the order of its lines too."""
    return parsed, list(parsed.lines)


@settings(max_examples=250, deadline=None)
@given(TEXTS, st.lists(st.tuples(EDITS, FORMS), max_size=5))
def test_next_version_says_what_it_says_read_anew_and_in_one_part(
    text: str, edits: list[tuple[tuple[float, float, str], tuple[bytes, bytes]]]
) -> None:
    kept = again(text.encode(), NOTHING_KEPT)[1]
    for edit, form in edits:
        text = edited(text, *edit)
        data = in_form(text, form)

        parsed, kept = again(data, kept)

        assert said(parsed) == said(parse(data))
        with in_one_part():
            assert said(parsed) == said(parse(data))


@corpus.pytestmark
@corpus.ALL
def test_real_ledgers_edited_again_and_again_say_what_they_say_read_anew(spec: LedgerSpec) -> None:
    chance = random.Random(spec.prefix)
    text = corpus.text_of(spec)
    snippets = ["\n```\n", "<!--", "-->", f"\n## {spec.prefix}-1: New\n", "\n## INDEX\n", "x", "\n\n", ""]
    kept = NOTHING_KEPT
    for _ in range(15):
        data = text.encode()

        parsed, kept = again(data, kept, spec)

        assert said(parsed) == said(parse(data, spec))
        text = edited(text, chance.random(), chance.random() * 0.2, chance.choice(snippets))


def section(number: int, text: str = "Text.") -> str:
    return f"### BUILD-{number} | 2026-01-01 | Title\n\n{text}\n\n---\n\n"


INDEX = INDEX_HEAD + "".join(row(f"BUILD-{number}") for number in range(1, 6)) + "\n## BUILDS\n\n"
LEDGER = INDEX + "".join(map(section, range(1, 6)))


def read_anew(before: str, after: str) -> list[str]:
    """The ids of the entries of `after` that are not taken over from `before`."""
    first, kept = again(before.encode(), NOTHING_KEPT)
    old = {id(record) for record in first.records}
    return [record.key.entry_id for record in again(after.encode(), kept)[0].records if id(record) not in old]


@pytest.mark.parametrize(
    ("after", "anew"),
    [
        (LEDGER, []),
        (LEDGER.replace(section(3), section(3, "Other text.")), ["BUILD-3"]),
        (LEDGER.replace(section(3), ""), ["BUILD-3"]),  # its index row stays
        ("# Builds\n\n" + LEDGER, []),
        (LEDGER.replace(row("BUILD-4"), row("BUILD-6") + row("BUILD-4")), ["BUILD-6"]),
        (LEDGER.replace(row("BUILD-4"), row("BUILD-4", "Other")), ["BUILD-4"]),
        (INDEX + section(7) + "".join(map(section, (5, 4, 1, 2, 3))), ["BUILD-7"]),
        (LEDGER.replace(section(3), section(3, "```\ncode\n```")), ["BUILD-3"]),
    ],
    ids=["nothing", "text", "section gone", "text above", "row", "row's text", "another order", "fence"],
)
def test_only_entries_that_an_edit_touches_are_made_anew(after: str, anew: list[str]) -> None:
    assert read_anew(LEDGER, after) == anew


def test_parts_that_stayed_are_found_in_every_later_version() -> None:
    kept = again(LEDGER.encode(), NOTHING_KEPT)[1]
    first = kept.parts.parts[section(2).encode()]

    for number in range(3):
        kept = again((f"{number}\n" + LEDGER).encode(), kept)[1]

        assert kept.parts.parts[section(2).encode()] is first


def test_rows_of_a_table_whose_columns_are_renamed_are_read_again() -> None:
    renamed = LEDGER.replace("Phase", "Severity")

    kept = again(LEDGER.encode(), NOTHING_KEPT)[1]

    assert said(again(renamed.encode(), kept)[0]) == said(parse(renamed))


def test_what_a_deleted_part_said_is_kept_no_longer() -> None:
    kept = again(LEDGER.encode(), NOTHING_KEPT)[1]

    kept = again(INDEX.encode(), kept)[1]

    assert not any(part.sections for part in kept.parts.parts.values())
    assert not any(definition.sections for definition in kept.definitions.values())


def test_nothing_is_kept_where_nobody_asks() -> None:
    assert again(LEDGER.encode(), None)[1] is NOTHING_KEPT


@pytest.mark.parametrize(
    "hidden", [section(6), section(6).replace("BUILD-6", "BUILD-6a")], ids=["entry", "what looks like one"]
)
def test_part_with_a_fence_that_the_index_opens_is_read_again_when_the_index_changes(hidden: str) -> None:
    without = LEDGER.replace(section(4), section(4) + f"```\n{hidden}```\n\n")
    indexed = without.replace(row("BUILD-5"), row("BUILD-5") + row("BUILD-6"))
    kept = again(without.encode(), NOTHING_KEPT)[1]

    opened, kept = again(indexed.encode(), kept)

    assert said(opened) == said(parse(indexed))
    assert any(problem.check == "fences_balanced" for problem in opened.problems)
    assert said(again(without.encode(), kept)[0]) == said(parse(without))
