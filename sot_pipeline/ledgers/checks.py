"""What is wrong with a ledger that could be read, as problems. One function a check, named as it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sot_pipeline.ledgers.entries import Definition
from sot_pipeline.ledgers.index import IndexRow
from sot_pipeline.ledgers.meta import Blocks, drift
from sot_pipeline.ledgers.model import Truth
from sot_pipeline.ledgers.orphans import strict_entry
from sot_pipeline.ledgers.scan import Hidden, Span
from sot_pipeline.plan import Problem, Severity
from sot_pipeline.workspace import LedgerSpec

IDS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Findings:
    """What the parser saw, for the checks to judge; rows come with their lines. `text` has line feeds alone."""

    text: bytes
    blocks: Blocks
    unclosed: Sequence[Span]
    orphans: Sequence[Span]
    definitions: Mapping[str, Definition]
    section_lines: Mapping[str, Sequence[int]]
    index_line: int | None
    rows_without_id: Sequence[tuple[int, IndexRow]]
    stray_rows: Sequence[tuple[int, IndexRow]]
    line_of: Callable[[int], int]
    truth: Truth
    prefix: str


# Of one check this many problems are listed: more of the same say nothing new.
LISTED = 20


def problems_of(findings: Findings, spec: LedgerSpec) -> Iterator[Problem]:
    """Every problem of the file, check by check; errors where entries may be hidden, else warnings."""
    for line, message in hidden_entries(findings):
        yield Problem("entries_parse", Severity.ERROR, spec.path, line, message)
    checks = (
        entries_parse,
        ids_unique,
        index_matches_sections,
        stray_index_rows,
        fences_balanced,
        meta_matches_content,
    )
    for check in checks:
        found = list(check(findings))
        for line, message in found[:LISTED]:
            yield Problem(check.__name__, Severity.WARNING, spec.path, line, message)
        if len(found) > LISTED:
            message = f"{len(found) - LISTED} more like these, the next in line {found[LISTED][0]}."
            yield Problem(check.__name__, Severity.WARNING, spec.path, found[LISTED][0], message)


def hidden_entries(findings: Findings) -> Iterator[tuple[int | None, str]]:
    """A comment that is never closed hides what stands below it; taken at its word, entries would be deleted."""
    strict = strict_entry(findings.prefix)
    for span in findings.unclosed:
        if span.kind is not Hidden.FENCE and strict.search(findings.text, span.start):
            yield (
                findings.line_of(span.start),
                "This comment or HTML block is never closed and hides the entries below it. Close it ('-->').",
            )


def entries_parse(findings: Findings) -> Iterator[tuple[int | None, str]]:
    """A ledger should hold entries."""
    if not findings.definitions:
        example = f"### {findings.prefix}-1 | 2026-01-31 | Title"
        yield None, f"No entry: no row under '## INDEX', no heading such as '{example}'. Add one, or mend 'prefix'."


def ids_unique(findings: Findings) -> Iterator[tuple[int | None, str]]:
    """One id should have one section."""
    for entry_id, lines in findings.section_lines.items():
        places = ", ".join(map(str, lines))
        yield lines[1], f"{entry_id} has {len(lines)} sections (lines {places}), kept as one entry. Renumber one."


def index_matches_sections(findings: Findings) -> Iterator[tuple[int | None, str]]:
    """Every row should have an id, and index and sections should define the same entries."""
    for line, row in findings.rows_without_id:
        text = " ".join(cell for cell in row.values if cell)
        yield line, f"This row has no id ('{_short(text)} …'), so it is no entry. Give it a {findings.prefix}-n."
    rows_only = [entry_id for entry_id, one in findings.definitions.items() if one.rows and not one.sections]
    sections_only = [entry_id for entry_id, one in findings.definitions.items() if one.sections and not one.rows]
    if findings.index_line is None:
        if sections_only:
            yield None, "There is no '## INDEX' heading; entries come from sections alone. Add an index."
        return
    if rows_only:
        yield (
            findings.index_line,
            f"{_ids(rows_only)} in the index only; the text of such an entry is the summary in its row.",
        )
    if sections_only:
        yield findings.index_line, f"{_ids(sections_only)} in sections only. Add a row to the index."


def stray_index_rows(findings: Findings) -> Iterator[tuple[int | None, str]]:
    """Rows of the index should stand in the index."""
    for line, row in findings.stray_rows:
        yield line, f"A row of the index for {row.entry_id} stands outside it. Move it under '## INDEX'."


def fences_balanced(findings: Findings) -> Iterator[tuple[int | None, str]]:
    """Every code fence should be closed."""
    for span in findings.orphans:
        end = findings.line_of(span.end)
        yield (
            findings.line_of(span.start),
            f"This code fence is not closed; taken as closed before line {end}. Close it.",
        )
    for span in findings.unclosed:
        if span.kind is Hidden.FENCE and span not in findings.orphans:
            yield findings.line_of(span.start), "This code fence is never closed: all text after it is code. Close it."
        elif span.kind is Hidden.COMMENT:
            yield findings.line_of(span.start), "This comment is never closed: all text after it is hidden. Add '-->'."


def meta_matches_content(findings: Findings) -> Iterator[tuple[int | None, str]]:
    """META and summary should state what the file holds."""
    for stated in drift(findings.text, findings.blocks, findings.truth):
        message = f"'{stated.label}' says {stated.number}, but the file defines {stated.truth}."
        yield findings.line_of(stated.start), f"{message} Run 'sot ledgers refresh --execute'."


def _ids(entry_ids: Sequence[str]) -> str:
    shown = ", ".join(entry_ids[:IDS_SHOWN])
    more = f" and {len(entry_ids) - IDS_SHOWN} more" if len(entry_ids) > IDS_SHOWN else ""
    verb = "stands" if len(entry_ids) == 1 else "stand"
    return f"{shown}{more} {verb}"


def _short(text: str) -> str:
    return " ".join(text.split())[:40]
