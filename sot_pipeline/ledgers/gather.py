"""What all parts of a ledger say, put together by entry: sections, rows and stray rows, with their lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from sot_pipeline.ledgers.entries import Definition
from sot_pipeline.ledgers.index import IndexRow, Table, default_columns, rows_of_line
from sot_pipeline.ledgers.parts import Index, Part, dated_cells
from sot_pipeline.ledgers.sections import Section

PlacedRow: TypeAlias = tuple[int, IndexRow]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all parts say: sections and rows by id, with the line of the first of each; the rest with its lines.

    Of what stayed since the last version nothing is made anew, not even a tuple: ten thousand new
    ones would set off the garbage collector, which takes longer than all else.
    """

    sections: dict[str, tuple[Section, ...]]
    section_lines: dict[str, int]
    rows: dict[str, tuple[IndexRow, ...]]
    row_lines: dict[str, int]
    rows_without_id: list[PlacedRow]
    indexes: list[Index]
    shaped: list[tuple[int, str]]


def gather(parts: Sequence[Part]) -> Gathered:
    """What `parts`, in the order of the file, say together."""
    sections, rows = _Groups[Section](), _Groups[IndexRow]()
    found = Gathered(sections.values, {}, rows.values, {}, [], [], [])
    top = 1
    for part in parts:
        for line, alone in part.sections:
            entry_id = alone[0].heading.entry_id
            sections.add(entry_id, alone)
            found.section_lines.setdefault(entry_id, top + line)
        for index in part.indexes:
            found.indexes.append(Index(top + index.line, index.table))
            _add_rows(found, rows, index.table, top)
        for line, text in part.shaped:
            found.shaped.append((top + line, text))
        top += part.line_feeds
    sections.close()
    rows.close()
    return found


def _add_rows(found: Gathered, rows: _Groups[IndexRow], table: Table, top: int) -> None:
    for line, text in table.lines:
        on_line = table.rows[text]
        for row in on_line:
            if row.entry_id is None:
                found.rows_without_id.append((top + line, row))
            else:
                rows.add(row.entry_id, on_line if len(on_line) == 1 else (row,))
                found.row_lines.setdefault(row.entry_id, top + line)


class _Groups(Generic[T]):
    """Tuples joined by key, all of a key at once, as thousands of one key would take thousands of copies."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[T, ...]] = {}
        self._longer: dict[str, list[T]] = {}

    def add(self, key: str, values: tuple[T, ...]) -> None:
        """Note more values of a key; the first tuple of a key is kept as it is."""
        if key in self.values:
            self._longer.setdefault(key, [*self.values[key]]).extend(values)
        else:
            self.values[key] = values

    def close(self) -> None:
        """Join what was added; `values` are right from then on."""
        self.values.update((key, tuple(values)) for key, values in self._longer.items())


def stray_rows(found: Gathered, prefix: str) -> list[PlacedRow]:
    """Index-shaped rows outside every INDEX, also glued to the end of another line."""
    columns = next((index.table.columns for index in found.indexes if index.table.columns), default_columns(prefix))
    id_first = columns.date is not None and columns.date >= columns.id
    shape = re.compile(rf"\|[ \t]*{dated_cells(prefix, id_first=id_first)}[ \t]*\|")
    stray: list[PlacedRow] = []
    for line, text in found.shaped:
        if match := shape.search(text):
            stray += [(line, row) for row in rows_of_line(text[match.start() :], columns, prefix) if row.entry_id]
    return stray


def define(
    found: Gathered, stray: Sequence[PlacedRow], before: Mapping[str, Definition]
) -> tuple[dict[str, Definition], dict[str, int]]:
    """What defines each id, and the line to show for it: its section, else its row."""
    lines = found.row_lines | found.section_lines
    lone: dict[str, tuple[IndexRow]] = {}
    for line, row in stray:
        if row.entry_id and row.entry_id not in lines:
            lone[row.entry_id] = (row,)
            lines[row.entry_id] = line
    definitions: dict[str, Definition] = {}
    for entry_id in lines:
        definition = Definition(found.sections.get(entry_id, ()), found.rows.get(entry_id, lone.get(entry_id, ())))
        known = before.get(entry_id)
        # What stayed is the same objects, which makes comparing it quick.
        definitions[entry_id] = known if known == definition else definition
    return definitions, lines


def section_lines(parts: Sequence[Part], definitions: Mapping[str, Definition]) -> dict[str, list[int]]:
    """The lines of the sections of every entry that has several."""
    lines: dict[str, list[int]] = {entry_id: [] for entry_id, one in definitions.items() if len(one.sections) > 1}
    top = 1
    for part in parts if lines else ():
        for line, (section,) in part.sections:
            if section.heading.entry_id in lines:
                lines[section.heading.entry_id].append(top + line)
        top += part.line_feeds
    return lines
