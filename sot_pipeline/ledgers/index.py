"""The rows of a ledger's INDEX, as they really are: no valid tables.

Bare pipes in cells, two rows on a line, no closing pipe, columns in any order and of any name:
rows are cut by the cells that hold ids and dates. Which rows count is decided in `parse.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from sot_pipeline.ledgers.words import date_alone, id_at_start, mask_code

_BORDER = re.compile(r"(?<!\\)\|")
_RULE = "|-: \t"
# Words in the names of columns that tell what they hold.
_SUMMARY_NAMES = ("summary", "decision", "title", "description", "what", "subject")
_DATE_NAMES = ("timestamp", "date", "time", "when")
_PHASE_NAMES = ("phase", "category", "type")
_SEVERITY_NAMES = ("severity", "priority")
_STATUS_NAMES = ("status", "state")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of an index: their names, and which hold what (None: no such column)."""

    names: tuple[str, ...]
    id: int
    date: int | None
    summary: int
    phase: int | None = None
    severity: int | None = None
    status: int | None = None


class IndexRow(NamedTuple):
    """One row: its id (None where it has none) and its cells; wherever it stands."""

    entry_id: str | None
    columns: Columns
    values: tuple[str, ...]

    def at(self, column: int | None) -> str:
        """The text in a column of `columns`; empty where the row has none."""
        return self.values[column] if column is not None and column < len(self.values) else ""

    @property
    def summary(self) -> str:
        """The text of the summary column."""
        return self.at(self.columns.summary)

    @property
    def cells(self) -> dict[str, str]:
        """The row by the names of its columns."""
        return dict(zip(self.columns.names, self.values, strict=False))


def default_columns(prefix: str) -> Columns:
    """The columns of a row that stands in no index."""
    return Columns(("Timestamp", f"{prefix}-ID", "Phase", "Summary", "Notes"), id=1, date=0, summary=3, phase=2)


@dataclass(frozen=True, slots=True)
class Table:
    """The table of an INDEX: its columns (None where no cell holds an id), and its lines (number, text).

    `rows` gives the rows on each line by its text, for whoever reads a later version of the table too.
    """

    columns: Columns | None
    lines: Sequence[tuple[int, str]]
    rows: Mapping[str, tuple[IndexRow, ...]]


def read_table(lines: Sequence[tuple[int, str]], prefix: str, known: Sequence[Table] = ()) -> Table:
    """The table in `lines` (number, text). Its header and its line of dashes are no rows.

    Lines that one of the tables `known` holds under the same columns are not read again.
    """
    columns = find_columns([text for _, text in lines], prefix)
    if columns is None:
        return Table(None, (), {})
    header = next((number - 1 for number, text in lines if is_rule(text)), None)
    lines = [line for line in lines if line[0] != header]
    before = next((table.rows for table in known if table.columns == columns), {})
    rows: dict[str, tuple[IndexRow, ...]] = {}
    for _, text in lines:
        on_line = before.get(text)
        rows[text] = _table_rows(text, columns, prefix) if on_line is None else on_line
    return Table(columns, lines, rows)


def _table_rows(text: str, columns: Columns, prefix: str) -> tuple[IndexRow, ...]:
    if is_rule(text):
        return ()
    return tuple([row for row in rows_of_line(text, columns, prefix) if row.entry_id or not _is_header(row)])


def _is_header(row: IndexRow) -> bool:
    """A header without a line of dashes under it: its cells are the names of the columns."""
    return all(text in ("", name) for name, text in zip(row.columns.names, row.values, strict=False))


def split_cells(line: str) -> list[str]:
    """The raw cells of a table line: cut at every unescaped pipe, outer pipes dropped."""
    text = line.strip()
    cells = _BORDER.split(text) if "\\" in text else text.split("|")
    if text.startswith("|"):
        cells = cells[1:]
    if len(cells) > 1 and not cells[-1].strip() and text.endswith("|"):
        cells = cells[:-1]
    return cells


def is_rule(line: str) -> bool:
    """True for the line of dashes under a table's header."""
    return "-" in line and not line.strip(_RULE)


# Enough rows to tell which column is which.
_SAMPLE_ROWS = 200


def find_columns(lines: Sequence[str], prefix: str) -> Columns | None:
    """Columns of the table in `lines`; None where no cell holds an id of this prefix.

    The id column is the one whose cells most often hold an id.
    """
    is_id = id_at_start(prefix).match
    header = _header(lines, prefix)
    rows = [split_cells(line) for line in lines[:_SAMPLE_ROWS] if not is_rule(line)]
    at = Counter(index for cells in rows for index, cell in enumerate(cells) if is_id(cell))
    if not at:
        return None
    # Ties go to the column further left: a summary that starts with an id stands right of the id.
    id_column = min(at, key=lambda index: (-at[index], index))
    width = max(len(header), id_column + 1) if header else Counter(map(len, rows)).most_common(1)[0][0]
    names = (*header, *(f"Column {index + 1}" for index in range(len(header), width)))
    dates = Counter(index for cells in rows for index, cell in enumerate(cells) if date_alone(cell))
    date_column = dates.most_common(1)[0][0] if dates else _named(names, _DATE_NAMES)
    return Columns(
        names,
        id=id_column,
        date=date_column,
        summary=_summary_column(names, rows, {id_column, date_column}),
        phase=_named(names, _PHASE_NAMES),
        severity=_named(names, _SEVERITY_NAMES),
        status=_named(names, _STATUS_NAMES),
    )


def _header(lines: Sequence[str], prefix: str) -> list[str]:
    """Names of the columns: the cells above the line of dashes, else a first line without an id."""
    above = next((first for first, second in pairwise(lines[:_SAMPLE_ROWS]) if is_rule(second)), None)
    if above is None and lines and not any(map(id_at_start(prefix).match, split_cells(lines[0]))):
        above = lines[0]
    return _unique(cell.strip(" *_`") for cell in split_cells(above)) if above else []


def _unique(names: Iterable[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return unique


def _named(names: Sequence[str], words: Sequence[str]) -> int | None:
    return next((index for index, name in enumerate(names) if any(word in name.lower() for word in words)), None)


def _summary_column(names: Sequence[str], rows: Sequence[Sequence[str]], taken: set[int | None]) -> int:
    named = _named(names, _SUMMARY_NAMES)
    if named is not None and named not in taken:
        return named
    lengths = Counter(
        {index: sum(len(cells[index]) for cells in rows if index < len(cells)) for index in range(len(names))}
    )
    free = [index for index in range(len(names)) if index not in taken]
    return max(free, key=lambda index: lengths[index], default=0)


def rows_of_line(line: str, columns: Columns, prefix: str) -> list[IndexRow]:
    """The rows that stand on one physical line, usually one."""
    cells = split_cells(line)
    if len(cells) == len(columns.names):
        return [_row(cells, columns, prefix)]
    starts = _row_starts(cells, columns, prefix)
    ends = [*starts[1:], len(cells)]
    parts = [cells[start:end] for start, end in zip(starts, ends, strict=True)]
    return [_row(part, columns, prefix) for part in parts]


def _row_starts(cells: Sequence[str], columns: Columns, prefix: str) -> list[int]:
    """Where rows begin in a line's cells: wherever date and id stand as the columns say."""
    is_id = id_at_start(prefix).match
    starts = [0]
    for index, cell in enumerate(cells):
        start = index - columns.id
        if start <= starts[-1] or not is_id(cell):
            continue
        if columns.date is None:
            new = start >= starts[-1] + len(columns.names)
        else:
            at = start + columns.date
            new = at < len(cells) and date_alone(cells[at]) is not None and start > starts[-1] + columns.id
        if new:
            starts.append(start)
    return starts


def _row(cells: Sequence[str], columns: Columns, prefix: str) -> IndexRow:
    fitted = _fit(cells, columns)
    values = tuple([cell.replace("\\|", "|").strip() for cell in fitted])
    found = id_at_start(prefix).match(values[columns.id]) if columns.id < len(values) else None
    return IndexRow(found["id"] if found else None, columns, values)


def _fit(cells: Sequence[str], columns: Columns) -> Sequence[str]:
    """As many cells as there are columns: what is over was cut at bare pipes of the summary."""
    width = len(columns.names)
    if len(cells) == width:
        return cells
    cells = list(cells)
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    if len(cells) > width:
        whole = _cells_outside_code(cells)
        cells = whole if len(whole) >= width else cells
    over = len(cells) - width
    if over > 0:
        start = columns.summary
        cells[start : start + over + 1] = ["|".join(cells[start : start + over + 1])]
    return cells


def _cells_outside_code(cells: Sequence[str]) -> list[str]:
    text = "|".join(cells)
    masked = mask_code(text)
    borders = [match.start() for match in _BORDER.finditer(masked)]
    return [text[a + 1 : b] for a, b in zip([-1, *borders], [*borders, len(text)], strict=True)]
