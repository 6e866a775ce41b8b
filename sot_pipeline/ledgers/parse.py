"""A ledger's bytes to entries and problems: the one function that knows how all rules fit together.

Finding headings is `scan.py`, cutting rows `index.py`, cutting sections `sections.py`, making an
entry of them `entries.py`; what META and summary say is `meta.py`.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass

from sot_pipeline.ledgers.checks import Findings, problems_of
from sot_pipeline.ledgers.entries import Definition, record_of
from sot_pipeline.ledgers.index import Columns, IndexRow, default_columns, read_index, rows_of_line
from sot_pipeline.ledgers.meta import count_definitions
from sot_pipeline.ledgers.model import ParsedLedger
from sot_pipeline.ledgers.scan import Heading, Rescue, Scan, Span, scan
from sot_pipeline.ledgers.sections import Section, cut_sections, is_entry
from sot_pipeline.ledgers.words import DATE, id_at_start
from sot_pipeline.plan import RecordKey
from sot_pipeline.workspace import LedgerSpec

BOM = b"\xef\xbb\xbf"
_INDEX_HEADING = re.compile(r"(?i)\W*index\b")


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

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(row.entry_id for row in self.rows if row.entry_id)


def parse_ledger(data: bytes, spec: LedgerSpec, project_id: str) -> ParsedLedger:
    """Every entry of a ledger, where it stands, and what is wrong with the file.

    Raises NotText for bytes that are no text; nothing else, whatever the text.
    """
    text = normalized(data)
    found = scan(text)
    index = _read_index(text, found, spec.prefix)
    if index and (rescue := _rescue(text, found, index.ids, spec.prefix)):
        found = scan(text, rescue)
    sections = cut_sections(text, found, spec.prefix)
    stray = _stray_rows(text, found, index, spec.prefix)
    lines = Lines(text)
    definitions, first = _define(sections, index.rows if index else [], stray, lines)
    records = tuple(
        record_of(RecordKey(project_id, spec.file_type, entry_id), definition)
        for entry_id, definition in definitions.items()
    )
    findings = Findings(
        text=text,
        scan=found,
        definitions=definitions,
        index_line=index.line if index else None,
        index_rows=index.rows if index else [],
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


def _read_index(text: bytes, found: Scan, prefix: str) -> _Index | None:
    """The first INDEX heading's table: it ends at the next heading of its level or above, or at an entry."""
    for number, heading in enumerate(found.headings):
        if heading.level <= 3 and _INDEX_HEADING.match(heading.text):
            ends = (h.start for h in found.headings[number + 1 :] if h.level <= heading.level or is_entry(h, prefix))
            end = next(ends, len(text))
            line = text.count(b"\n", 0, heading.start) + 1
            columns, rows = read_index(_table_lines(text, found, heading.end, end, line), prefix)
            return _Index(heading, end, line, columns, rows)
    return None


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


def _rescue(text: bytes, found: Scan, ids: frozenset[str], prefix: str) -> Rescue | None:
    """Where fences must be taken as closed, None where all are in order.

    A fence that somebody forgot to close swallows the entries after it. It is taken as closed at a
    heading of the strict form (level 2 or 3, id, date) whose id stands in the INDEX. A fence that
    is closed may show such a heading as an example: then the id has its own section elsewhere.
    """
    strict = re.compile(rf"(?m)^#{{2,3}}[ \t]+(?P<id>{re.escape(prefix)}-\d+(?:\.\d+)*)[^|\n]*\|\s*{DATE}".encode())
    if not any(span.kind == "fence" and strict.search(text, span.start, span.end) for span in found.hidden):
        return None
    is_id = id_at_start(prefix).match
    outside = {match["id"] for h in found.headings if is_entry(h, prefix) and (match := is_id(h.text))}

    def stop(data: bytes, span: Span) -> int | None:
        for match in strict.finditer(data, span.start, span.end):
            entry_id = match["id"].decode()
            if entry_id in ids and not (span.closed and entry_id in outside):
                return match.start()
        return None

    return stop


def _stray_rows(text: bytes, found: Scan, index: _Index | None, prefix: str) -> list[IndexRow]:
    """Index-shaped rows outside the INDEX, also glued to the end of another line."""
    columns = (index.columns if index else None) or default_columns(prefix)
    entry_id = rf"{re.escape(prefix)}-\d+(?:\.\d+)*"
    date_first = columns.date is None or columns.date < columns.id
    cells = (DATE, entry_id) if date_first else (entry_id, DATE)
    shape = re.compile(rf"\|\s*(?:{cells[0]})[ \t]*\|[ \t]*(?:{cells[1]})[ \t]*\|".encode())
    start, end = (index.heading.start, index.end) if index else (0, 0)
    lines = Lines(text)
    rows: list[IndexRow] = []
    done = 0
    for match in shape.finditer(text):
        at = match.start()
        if at < done or start <= at < end or _hidden_at(found, at):
            continue
        stop = text.find(b"\n", at)
        done = len(text) if stop < 0 else stop
        rows += rows_of_line(text[at:done].decode(), lines.number(at), columns, prefix)
    return [row for row in rows if row.entry_id]
