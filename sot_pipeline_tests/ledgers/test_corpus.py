"""Real ledgers of another project, where they are at hand beside the checkout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from sot_pipeline.ledgers.scan import scan
from sot_pipeline.workspace import LedgerSpec
from sot_pipeline_tests.ledgers.ledger_text import BUILDS, DEBUGGING, DECISIONS, entries, hashes, parse

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "ledgers"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the real ledgers are not at {CORPUS.name}")

ALL = pytest.mark.parametrize("spec", [BUILDS, DECISIONS, DEBUGGING], ids=lambda spec: spec.file_type)


def data_of(spec: LedgerSpec) -> bytes:
    return (CORPUS / spec.path).read_bytes()


def text_of(spec: LedgerSpec) -> str:
    return data_of(spec).decode().replace("\r\n", "\n")


def test_decisions_are_49_in_both_and_3_in_sections_only() -> None:
    found = entries(data_of(DECISIONS), DECISIONS)

    assert len(found) == 52
    assert [name for name, record in found.items() if "index" not in record.metadata] == [
        "DEC-034",
        "DEC-035",
        "DEC-036",
    ]


@ALL
def test_headings_are_the_oracles(spec: LedgerSpec) -> None:
    text = text_of(spec)
    data = text.encode()
    expected = [
        (token.map[0], int(token.tag[1]))
        for token in MarkdownIt("commonmark").parse(text)
        if token.type == "heading_open" and token.level == 0 and token.markup.startswith("#") and token.map
    ]

    assert [(data.count(b"\n", 0, heading.start), heading.level) for heading in scan(data).headings] == expected


@ALL
def test_line_ends_change_no_hash(spec: LedgerSpec) -> None:
    text = text_of(spec)

    assert hashes(text, spec) == hashes(text.replace("\n", "\r\n"), spec) == hashes(data_of(spec), spec)


@ALL
def test_every_id_in_the_index_or_at_the_head_of_a_section_is_an_entry(spec: LedgerSpec) -> None:
    text = text_of(spec)
    by_hand = set(re.findall(rf"(?m)^#{{2,3}} ({spec.prefix}-\d+(?:\.\d+)*)\b", text))
    by_hand |= set(re.findall(rf"\| \d{{4}}-\d\d-\d\d \| ({spec.prefix}-\d+(?:\.\d+)*) \|", text))

    assert set(entries(text, spec)) == by_hand


@ALL
def test_titles_are_clean(spec: LedgerSpec) -> None:
    for record in parse(data_of(spec), spec).records:
        assert record.title
        assert not re.search(
            r"\*\*|`|\]\(|✅|^\W|\d{4}-\d\d-\d\d\)?$|COMPLETE\)?$", record.title.removesuffix(" - COMPLETE")
        )
        assert record.created_at


def test_numbered_phases_and_rows_without_id() -> None:
    parsed = parse(data_of(BUILDS))
    found = {record.key.entry_id: record for record in parsed.records}

    sections = found["BUILD-146"].metadata["sections"]
    assert isinstance(sections, list)
    assert len(sections) == 2
    assert found["BUILD-146"].metadata["phase"] == "Phase A P17.x"
    assert any("OPTION-B" in problem.message and problem.line == 26 for problem in parsed.problems)


@ALL
def test_swapping_two_sections_changes_no_hash(spec: LedgerSpec) -> None:
    text = text_of(spec)
    starts = [match.start() for match in re.finditer(rf"(?m)^### {spec.prefix}-\d+ \| ", text)]
    one, two, three = starts[1], starts[2], starts[3]

    assert hashes(text[:one] + text[two:three] + text[one:two] + text[three:], spec) == hashes(text, spec)


@ALL
def test_cut_doubled_or_unfenced_files_are_parsed_without_raising(spec: LedgerSpec) -> None:
    data = text_of(spec).encode()
    whole = set(entries(data, spec))

    for end in range(0, len(data), max(1_000, len(data) // 60)):
        cut = data[:end].decode(errors="ignore").encode()
        assert set(entries(cut, spec)) <= whole
    assert set(entries(data + data, spec)) == whole
    assert set(entries(data.replace(b"```", b""), spec)) >= whole


@ALL
def test_a_fence_left_open_anywhere_loses_no_entry(spec: LedgerSpec) -> None:
    text = text_of(spec)
    whole = set(entries(text, spec))
    strict = list(re.finditer(rf"(?m)^### {spec.prefix}-\d+[^|\n]*\| \d{{4}}-.*\n", text))

    for heading in strict[:: max(1, len(strict) // 12)]:
        at = heading.end()
        assert set(entries(text[:at] + "\n```\nleft open\n" + text[at:], spec)) >= whole - _loosely_headed(text, spec)


def _loosely_headed(text: str, spec: LedgerSpec) -> set[str]:
    """Ids with no index row whose heading is not of the strict form: no rule gets them out of a fence."""
    found = entries(text, spec)
    return {name for name, record in found.items() if "index" not in record.metadata}
