"""A ledger cut into parts that can be read alone: what stands above and below changes nothing in them.

A part begins at a heading of an entry in the first column. Such a line ends every list, paragraph,
section and INDEX above it; only a fence, comment or HTML block can hide it, and then the part above
goes on to where that is closed. So the same text is the same part wherever it stands, and of a
ledger that was read before only the parts that an edit touched are read. What the parts say
together is `gather.py`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from sot_pipeline.ledgers.heading import EntryHeading
from sot_pipeline.ledgers.index import Table, read_table
from sot_pipeline.ledgers.meta import NO_BLOCKS, Blocks, blocks_of
from sot_pipeline.ledgers.orphans import holds_entries, rescue_of
from sot_pipeline.ledgers.scan import Heading, Rescue, Scan, Span, scan
from sot_pipeline.ledgers.sections import Section, cut_sections, entry_headings
from sot_pipeline.ledgers.words import DATE, ID_END, ID_NUMBERS

# `INDEX of all builds`, `Index`, `📋 Index (newest first)`; not `Index rebuild failed`.
_INDEX_HEADING = re.compile(r"\W*(?:INDEX\b.*|(?i:index)\s*(?:[^\w\s].*)?)", re.DOTALL)


class Lines:
    """Line numbers of byte offsets from `start` on, whose line is `first`; best asked in rising order."""

    def __init__(self, data: bytes, start: int = 0, first: int = 1) -> None:
        self._data = data
        self._begin = self._at = (start, first)

    def number(self, offset: int) -> int:
        """The line in which byte `offset` stands."""
        at, line = self._at if offset >= self._at[0] else self._begin
        if offset > at:
            line += self._data.count(b"\n", at, offset)
            self._at = (offset, line)
        return line


class Index(NamedTuple):
    """An INDEX: the line of its heading, and its table."""

    line: int
    table: Table


class Part(NamedTuple):
    """What one part says. Lines count from 0, its first; `blocks` are bytes from its start.

    A section comes with its line, and alone in a tuple, which serves the definition of an entry
    without another section. `shaped` are the lines outside every INDEX in which a row of one could
    stand. `text` is what was read; empty where the part is not to be found again.
    """

    text: bytes
    line_feeds: int
    sections: tuple[tuple[int, tuple[Section]], ...]
    indexes: tuple[Index, ...]
    shaped: tuple[tuple[int, str], ...]
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class KeptParts:
    """The parts of one version of a ledger by their text, and its tables, for reading the next version."""

    parts: Mapping[bytes, Part]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class ReadParts:
    """The parts of a text in order; `unclosed` and `orphans` are spans in it that the checks judge."""

    parts: Sequence[Part]
    unclosed: Sequence[Span]
    orphans: Sequence[Span]
    kept: KeptParts


NOTHING = KeptParts({}, ())


def read_parts(text: bytes, prefix: str, before: KeptParts | None) -> ReadParts:
    """All parts of `text`. Where `before` is None, nothing is kept for a next version."""
    reader = _Reader(text, prefix, before)
    reader.read(None)
    if reader.doubtful:
        entry_ids = {section.heading.entry_id for part in reader.parts for _, (section,) in part.sections}
        reader.read(rescue_of(text, entry_ids, prefix))
    tables = tuple(index.table for part in reader.parts for index in part.indexes)
    return ReadParts(reader.parts, reader.unclosed, reader.orphans, KeptParts(reader.kept, tables))


class _Reader:
    """Reads the parts of one text, and sorts out what cannot be told of one part alone."""

    parts: list[Part]
    unclosed: list[Span]
    orphans: list[Span]
    doubtful: list[Span]  # fences with entries in them: whether they are closed depends on the whole file

    def __init__(self, text: bytes, prefix: str, before: KeptParts | None) -> None:
        self._text = text
        self._prefix = prefix
        self._keeps = before is not None
        self._before = before or NOTHING
        self._row_shape = _row_shape(prefix)
        starts = (match.end() for match in _part_start(prefix).finditer(text))
        # Where a part could begin, be it in a fence or not → where the next could.
        self._next = dict(pairwise((0, *starts, len(text))))
        self.kept: dict[bytes, Part] = {}

    def read(self, rescue: Rescue | None) -> None:
        """Read all parts; with a `rescue`, those again whose fences it could take as closed."""
        self.parts, self.unclosed, self.orphans, self.doubtful = [], [], [], []
        known = self._before.parts
        start, size = 0, len(self._text)
        while start < size:
            end = self._next[start]
            text = self._text[start:end]
            part = known.get(text) or self.kept.get(text)  # of the last version, or of the reading without a rescue
            if part is None:
                found = scan(self._text, rescue, start, self._next)
                alone = self._stands_alone(found, end)
                part = self._part(start, found, text if alone and self._keeps else b"")
                end = found.end
            if part.text:
                self.kept[part.text] = part
            self.parts.append(part)
            start = end

    def _stands_alone(self, found: Scan, end: int) -> bool:
        """Whether a part ended by itself where the next could begin, so that it says the same anywhere."""
        if not found.hidden:
            return found.end == end < len(self._text)
        doubtful = [span for span in found.hidden if holds_entries(self._text, span, self._prefix)]
        self.doubtful += doubtful
        self.orphans += found.orphans
        self.unclosed += [span for span in found.hidden if not span.closed]
        return found.end == end < len(self._text) and not found.orphans and not doubtful

    def _part(self, start: int, found: Scan, kept_text: bytes) -> Part:
        text = self._text
        entries = entry_headings(found, self._prefix)
        lines = Lines(text, start, 0)
        sections = [(lines.number(at), (section,)) for at, section in cut_sections(text, found, entries)]
        shaped: list[tuple[int, str]] = []
        indexes: list[Index] = []
        done = start
        for heading, end in _index_ranges(found, entries):
            shaped += self._shaped(done, heading.start, found, lines)
            line = lines.number(heading.start)
            table = read_table(_table_lines(text, found, heading.end, end, line), self._prefix, self._before.tables)
            indexes.append(Index(line, table))
            done = end
        shaped += self._shaped(done, found.end, found, lines)
        line_feeds = text.count(b"\n", start, found.end)
        blocks = NO_BLOCKS if start else blocks_of(text, found)
        return Part(
            kept_text,
            line_feeds,
            tuple(sections),
            tuple(indexes),
            tuple(shaped),
            blocks,
        )

    def _shaped(self, start: int, end: int, found: Scan, lines: Lines) -> list[tuple[int, str]]:
        """Number and text of the lines between two offsets in which a row of an INDEX could stand."""
        shaped = []
        while match := self._row_shape.search(self._text, start, end):
            at = match.start()
            line = max(self._text.rfind(b"\n", start, at) + 1, start)
            stop = self._text.find(b"\n", at, end)
            start = end if stop < 0 else stop + 1
            if not _is_hidden(found.hidden, at):
                shaped.append((lines.number(line), self._text[line:start].decode().rstrip("\n")))
        return shaped


@lru_cache(maxsize=64)
def _part_start(prefix: str) -> re.Pattern[bytes]:
    """Matches what stands before a line that begins a part."""
    return re.compile(rf"\n(?=#{{2,3}}[ \t]+{re.escape(prefix)}-{ID_NUMBERS}{ID_END})".encode())


@lru_cache(maxsize=64)
def _row_shape(prefix: str) -> re.Pattern[bytes]:
    """Matches the cells of date and id, in either order."""
    return re.compile(rf"\|[ \t]*(?:{dated_cells(prefix)}|{dated_cells(prefix, id_first=True)})[ \t]*\|".encode())


def dated_cells(prefix: str, *, id_first: bool = False) -> str:
    """A pattern for the cells of an entry's date and id that stand side by side, without the outer pipes."""
    cells = [DATE, rf"[*_`\[]*{re.escape(prefix)}-{ID_NUMBERS}[\]*_`]*"]
    return r"[ \t]*\|[ \t]*".join(f"(?:{cell})" for cell in (reversed(cells) if id_first else cells))


def _index_ranges(found: Scan, entries: Sequence[EntryHeading | None]) -> Iterator[tuple[Heading, int]]:
    """Every INDEX with its end: the next heading of its level or above, or an entry."""
    in_entry = False
    done = 0
    for number, heading in enumerate(found.headings):
        in_entry = bool(entries[number]) or (in_entry and heading.level != 2)
        if in_entry or heading.start < done or heading.level > 3 or not _INDEX_HEADING.fullmatch(heading.text):
            continue
        later = range(number + 1, len(entries))
        ends = (at for at in later if entries[at] or found.headings[at].level <= heading.level)
        end = next(ends, None)
        done = found.end if end is None else found.headings[end].start
        yield heading, done


def _table_lines(text: bytes, found: Scan, start: int, end: int, line: int) -> list[tuple[int, str]]:
    """Lines between two offsets that could be rows: with a pipe, and in no fence or comment."""
    hidden = [span for span in found.hidden if start < span.end and span.start < end]
    lines = []
    offset = start + 1
    for number, raw in enumerate(text[start + 1 : end].split(b"\n"), line + 1):
        if b"|" in raw and not (hidden and _is_hidden(hidden, offset)):
            lines.append((number, raw.decode()))
        offset += len(raw) + 1
    return lines


def _is_hidden(hidden: Sequence[Span], offset: int) -> bool:
    at = bisect_right(hidden, offset, key=lambda span: span.start) - 1
    return at >= 0 and offset < hidden[at].end
