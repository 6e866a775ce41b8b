"""A ledger's bytes to entries and problems: the one function that knows how all rules fit together.

Finding headings is `scan.py`, cutting rows `index.py`, cutting sections `sections.py`, making an
entry of them `entries.py`; what META and summary say is `meta.py`.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sot_pipeline.ledgers.checks import Findings, problems_of
from sot_pipeline.ledgers.entries import Definition, record_of
from sot_pipeline.ledgers.heading import EntryHeading
from sot_pipeline.ledgers.index import Columns, IndexRow, default_columns, read_index, rows_of_line
from sot_pipeline.ledgers.meta import count_definitions
from sot_pipeline.ledgers.model import ParsedLedger
from sot_pipeline.ledgers.orphans import rescue_of
from sot_pipeline.ledgers.scan import Heading, Scan, scan
from sot_pipeline.ledgers.sections import Section, cut_sections, entry_headings
from sot_pipeline.ledgers.words import DATE, ID_NUMBERS
from sot_pipeline.plan import RecordKey
from sot_pipeline.workspace import LedgerSpec

BOM = b"\xef\xbb\xbf"
# `INDEX of all builds`, `Index`, `📋 Index (newest first)`; not `Index rebuild failed`.
_INDEX_HEADING = re.compile(r"\W*(?:INDEX\b.*|(?i:index)\s*(?:[^\w\s].*)?)", re.DOTALL)


class NotText(ValueError):
    """The bytes are no text: `offset` is the first byte that says so, `reason` why."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(f"{reason} at byte {offset}")


def normalized(data: bytes) -> bytes:
    """`data` as the parser reads it: no byte order mark, line feeds alone; line numbers stay.

    Raises NotText for NUL bytes and for what is not UTF-8.
    """
    nul = data.find(b"\0")
    if nul >= 0:
        raise NotText(nul, "a NUL byte")
    try:
        # Decoding proves the text valid; a slice of it cannot fail later.
        data.decode()
    except UnicodeDecodeError as error:
        raise NotText(error.start, "not valid UTF-8") from None
    text = data.removeprefix(BOM)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text


class Lines:
    """Line numbers of byte offsets, counting from 1; offsets are best asked in rising order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0
        self._number = 1

    def number(self, offset: int) -> int:
        """The line in which byte `offset` stands."""
        if offset < self._offset:
            self._offset, self._number = 0, 1
        self._number += self._data.count(b"\n", self._offset, offset)
        self._offset = offset
        return self._number


@dataclass(frozen=True, slots=True)
class _Index:
    """The INDEX of a ledger: its heading, where it ends, its columns and rows."""

    heading: Heading
    end: int
    line: int
    columns: Columns | None
    rows: list[IndexRow]


def parse_ledger(data: bytes, spec: LedgerSpec, project_id: str) -> ParsedLedger:
    """Every entry of a ledger, where it stands, and what is wrong with the file.

    Raises NotText for bytes that are no text; nothing else, whatever the text.
    """
    text = normalized(data)
    found = scan(text)
    if rescue := rescue_of(text, found, spec.prefix):
        found = scan(text, rescue)
    entries = entry_headings(found, spec.prefix)
    indexes = list(_read_indexes(text, found, entries, spec.prefix))
    rows = [row for index in indexes for row in index.rows]
    sections = cut_sections(text, found, entries)
    stray = _stray_rows(text, found, indexes, spec.prefix)
    lines = Lines(text)
    definitions, first = _define(sections, rows, stray, lines)
    records = tuple(
        record_of(RecordKey(project_id, spec.file_type, entry_id), definition)
        for entry_id, definition in definitions.items()
    )
    findings = Findings(
        text=text,
        scan=found,
        definitions=definitions,
        index_line=indexes[0].line if indexes else None,
        index_rows=rows,
        stray_rows=stray,
        line_of=lines.number,
        truth=count_definitions(definitions),
        prefix=spec.prefix,
    )
    return ParsedLedger(
        spec=spec,
        file_hash=hashlib.sha256(data).hexdigest(),
        records=records,
        lines=first,
        problems=tuple(problems_of(findings, spec)),
        truth=findings.truth,
    )


def _define(
    sections: list[Section], rows: list[IndexRow], stray: list[IndexRow], lines: Lines
) -> tuple[dict[str, Definition], dict[str, int]]:
    """What defines each id, and the line to show for it: its section, else its row."""
    definitions: dict[str, Definition] = {}
    first: dict[str, int] = {}
    for row in rows:
        if row.entry_id:
            definitions.setdefault(row.entry_id, Definition()).rows.append(row)
            first.setdefault(row.entry_id, row.line)
    in_section: set[str] = set()
    for section in sections:
        entry_id = section.heading.entry_id
        definitions.setdefault(entry_id, Definition()).sections.append(section)
        if entry_id not in in_section:
            in_section.add(entry_id)
            first[entry_id] = lines.number(section.start)
    for row in stray:
        if row.entry_id and row.entry_id not in definitions:
            definitions[row.entry_id] = Definition(rows=[row])
            first[row.entry_id] = row.line
    return definitions, first


def _read_indexes(text: bytes, found: Scan, entries: Sequence[EntryHeading | None], prefix: str) -> Iterator[_Index]:
    """Every INDEX with its table: it ends at the next heading of its level or above, or at an entry."""
    lines = Lines(text)
    in_entry = False
    done = 0
    for number, heading in enumerate(found.headings):
        in_entry = bool(entries[number]) or (in_entry and heading.level != 2)
        if in_entry or heading.start < done or heading.level > 3 or not _INDEX_HEADING.fullmatch(heading.text):
            continue
        later = range(number + 1, len(entries))
        ends = (at for at in later if entries[at] or found.headings[at].level <= heading.level)
        end = next(ends, None)
        done = len(text) if end is None else found.headings[end].start
        line = lines.number(heading.start)
        columns, rows = read_index(_table_lines(text, found, heading.end, done, line), prefix)
        yield _Index(heading, done, line, columns, rows)


def _table_lines(text: bytes, found: Scan, start: int, end: int, line: int) -> list[tuple[int, str]]:
    """Lines between two offsets that could be rows: with a pipe, and in no fence or comment."""
    lines = []
    offset = start + 1
    for number, raw in enumerate(text[start + 1 : end].split(b"\n"), line + 1):
        if b"|" in raw and not _hidden_at(found, offset):
            lines.append((number, raw.decode()))
        offset += len(raw) + 1
    return lines


def _hidden_at(found: Scan, offset: int) -> bool:
    at = bisect_right(found.hidden, offset, key=lambda span: span.start) - 1
    return at >= 0 and offset < found.hidden[at].end


def _stray_rows(text: bytes, found: Scan, indexes: list[_Index], prefix: str) -> list[IndexRow]:
    """Index-shaped rows outside every INDEX, also glued to the end of another line."""
    columns = next((index.columns for index in indexes if index.columns), None) or default_columns(prefix)
    entry_id = rf"[*_`\[]*{re.escape(prefix)}-{ID_NUMBERS}[\]*_`]*"
    date_first = columns.date is None or columns.date < columns.id
    cells = (DATE, entry_id) if date_first else (entry_id, DATE)
    shape = re.compile(rf"\|[ \t]*(?:{cells[0]})[ \t]*\|[ \t]*(?:{cells[1]})[ \t]*\|".encode())
    lines = Lines(text)
    rows: list[IndexRow] = []
    done = 0
    for match in shape.finditer(text):
        at = match.start()
        if at < done or any(index.heading.start <= at < index.end for index in indexes) or _hidden_at(found, at):
            continue
        stop = text.find(b"\n", at)
        done = len(text) if stop < 0 else stop
        rows += rows_of_line(text[at:done].decode(), lines.number(at), columns, prefix)
    return [row for row in rows if row.entry_id]
