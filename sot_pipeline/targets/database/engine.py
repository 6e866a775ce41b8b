"""What the two databases have in common: connections, transactions, and what each does its own way.

Everything portable is SQL text with `?` for parameters, run through `query`, `stream` and
`execute`; whoever calls them stands inside `transaction`. `sqlite/` and `postgres/` implement it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, TypeAlias, cast

from sot_pipeline.plan import RecordKey
from sot_pipeline.runtime.deadline import Deadline

Value: TypeAlias = "str | int | float | bytes | Sequence[str] | None"
Row: TypeAlias = "tuple[object, ...]"

# How long a writer waits for another one before it gives up; the deadline may end it earlier.
LOCK_WAIT_SECONDS = 30.0


class RowValues(NamedTuple):
    """A record as it is written. `created_at` is an ISO date and time or None for undated entries."""

    project_id: str
    file_type: str
    entry_id: str
    title: str
    content: str
    metadata: str
    created_at: str | None
    content_hash: str


class Document(NamedTuple):
    """One chunk of an entry as the full-text table holds it."""

    project_id: str
    file_type: str
    entry_id: str
    chunk: int
    fingerprint: str
    title: str
    body: str


class Scored(NamedTuple):
    """A chunk that fits a query. `named` is true where the query names the entry by its id."""

    key: RecordKey
    chunk: int
    score: float
    named: bool
    title: str
    body: str


class Target(NamedTuple):
    """Where rows are merged into: a table, the columns that are written, and those that identify a row."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


def scored(row: Row) -> Scored:
    """The answer in a row of project_id, file_type, entry_id, chunk, score, named, title, body."""
    project_id, file_type, entry_id, chunk, score, named, title, body = cast(
        "tuple[str, str, str, int, float, bool, str, str]", row
    )
    return Scored(RecordKey(project_id, file_type, entry_id), chunk, score, bool(named), title, body)


def merging(target: Target, source: str) -> str:
    """The statement that writes the rows of `source` (SQL); a row that has the same key is replaced."""
    columns, key = ", ".join(target.columns), ", ".join(target.key)
    replaced = ", ".join(f"{name} = excluded.{name}" for name in target.columns if name not in target.key)
    return f"INSERT INTO {target.table} ({columns}) {source} ON CONFLICT ({key}) DO UPDATE SET {replaced}"


def listed(gathered: object) -> list[str]:
    """What `Engine.gathered` gave: PostgreSQL's driver has it decoded already."""
    return cast("list[str]", json.loads(gathered) if isinstance(gathered, str) else gathered)


class FullText(Protocol):
    """The full-text table and its index in one database; used inside a transaction."""

    def is_ready(self) -> bool:
        """True where table and index exist and the index covers every row of the table."""
        ...

    def prepare(self) -> None:
        """Make what is missing of table and index, and the index anew where it can differ from the table.

        Only where the table is empty the index may be left to `finish`.
        """
        ...

    def unsound(self, project_id: str) -> set[RecordKey]:
        """Entries for which the index does not hold what the table does: reads everything."""
        ...

    def replace(self, keys: Sequence[RecordKey], documents: Sequence[Document]) -> None:
        """Delete all rows of the entries `keys`, then add rows and index them; `finish` has to follow."""
        ...

    def finish(self) -> None:
        """Do what is done once after `prepare` and every `replace` of a transaction."""
        ...

    def search(
        self, words: Sequence[str], *, named: Collection[str], where: Mapping[str, Sequence[str]], limit: int
    ) -> list[Scored]:
        """The best chunk of each entry that has any of `words`, best first, entries in `named` before others.

        `where` maps a column to the values it may have.
        """
        ...


class Engine(Protocol):
    """A connection to one database, opened when it is first needed."""

    @property
    def clock(self) -> str:
        """SQL for the database's time in seconds since 1970, as it is when the statement reads it."""
        ...

    @property
    def row_lock(self) -> str:
        """What a SELECT in a write transaction ends with to keep others from its rows."""
        ...

    @property
    def full_text(self) -> FullText:
        """The full-text table of this database."""
        ...

    def check(self, deadline: Deadline) -> None:
        """Raises DatabaseUnavailable where the database cannot be used; writes nothing."""
        ...

    def transaction(self, deadline: Deadline, *, write: bool) -> AbstractContextManager[None]:
        """A transaction that commits when the block ends well; without `write` a snapshot for reading.

        No driver's exception leaves it: DatabaseUnavailable, DeadlineExceeded or LockNotAcquired.
        """
        ...

    def revision(self, deadline: Deadline) -> str | None:
        """The schema's revision, None where our tables are not there. Creates nothing."""
        ...

    def upgrade(self, deadline: Deadline) -> None:
        """Bring the schema to the newest version; outside a transaction."""
        ...

    def lock_project(self, project_id: str) -> None:
        """Keep every other writer of this project out until the transaction ends."""
        ...

    def query(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """All rows of a SELECT."""
        ...

    def stream(self, sql: str, parameters: Sequence[Value] = ()) -> Iterator[Row]:
        """Rows of a SELECT, a batch at a time in memory."""
        ...

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> None:
        """Run a statement that answers nothing."""
        ...

    def execute_many(self, sql: str, parameters: Sequence[Sequence[Value]]) -> None:
        """Run a statement once for each sequence of parameters."""
        ...

    def among(self, column: str, values: Sequence[str]) -> tuple[str, Value]:
        """A condition that `column` is one of `values`, and its one parameter."""
        ...

    def gathered(self, column: str) -> str:
        """An aggregate of all values of `column` in one JSON array: far fewer objects than rows are."""
        ...

    def upsert(self, rows: Sequence[RowValues], now: str) -> None:
        """Write rows of `sot_entries`, each whether or not its stored hash differs."""
        ...

    def merge(self, target: Target, rows: Sequence[Sequence[Value]]) -> None:
        """Write rows of any table, each with the target's columns; one that has the same key is replaced."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """Add rows with these columns to any table."""
        ...

    def tolerant(self) -> AbstractContextManager[None]:
        """In the block, text that is not UTF-8 (SQLite stores any) is read with its bytes as lone surrogates."""
        ...

    def delete(self, keys: Sequence[RecordKey]) -> None:
        """Delete these entries from `sot_entries`."""
        ...

    def close(self) -> None:
        """Close the connection, if there is one."""
        ...
