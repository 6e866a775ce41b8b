"""A SQLite file: its connection, its transactions, and how entries are written to it.

WAL mode, so that readers never wait for a writer. Reading opens the file only where it exists.
The full text is `full_text.py`, what its errors mean `failures.py`.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

from sot_pipeline.errors import DatabaseUnavailable
from sot_pipeline.plan import RecordKey
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.database.engine import LOCK_WAIT_SECONDS, Row, RowValues, Target, Value, merging
from sot_pipeline.targets.database.schema import VERSION_TABLE, require_known, upgrade
from sot_pipeline.targets.database.sqlite.failures import explain, require_usable
from sot_pipeline.targets.database.sqlite.full_text import SqliteFullText

OLDEST_SQLITE = (3, 35)
# Steps of SQLite's machine between two looks at the clock: about a millisecond.
_STEPS_PER_LOOK = 50_000

# A stored row whose hash is already right but whose text is not would be taken for tampering by
# the trigger when its text is mended; without a hash it is not.
_FORGET = "UPDATE sot_entries SET content_hash = '' WHERE (project_id, file_type, entry_id, content_hash) = (?,?,?,?)"
# An entry that lost its date gets a creation date of its own; one that never had any keeps its.
_UPSERT = """
INSERT INTO sot_entries
    (project_id, file_type, entry_id, title, content, metadata, created_at, content_hash, updated_at)
VALUES (?, ?, ?, ?, ?, ?, coalesce(?, ?), ?, ?)
ON CONFLICT (project_id, file_type, entry_id) DO UPDATE SET
    title = excluded.title, content = excluded.content, metadata = excluded.metadata,
    created_at = CASE
        WHEN json_type(excluded.metadata, '$.date') IS NULL
            AND iif(json_valid(sot_entries.metadata), json_type(sot_entries.metadata, '$.date'), 'none') IS NULL
        THEN sot_entries.created_at ELSE excluded.created_at END,
    content_hash = excluded.content_hash, updated_at = excluded.updated_at
"""


class SqliteEngine:
    """One connection to the file at `path`; to be used by the thread that opened it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = "((julianday('now') - 2440587.5) * 86400.0)"
        self.row_lock = ""  # a write transaction has the whole file
        self.full_text = SqliteFullText(self)
        self._connection: sqlite3.Connection | None = None

    def check(self, deadline: Deadline) -> None:
        """Raises DatabaseUnavailable: no such folder, read-only, no database, a newer schema."""
        deadline.check(f"before the database {self.path}")
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise DatabaseUnavailable(
                f"SQLite {sqlite3.sqlite_version} is too old.", remedy="Use a Python that has SQLite 3.35 or newer."
            )
        require_usable(self.path)
        require_known(self.revision(deadline), str(self.path))

    def revision(self, deadline: Deadline) -> str | None:
        """See `Engine.revision`; a file that does not exist or is empty has none."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return None
        with self.transaction(deadline, write=False):
            if not self.query("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)):
                return None
            found = self.query(f"SELECT version_num FROM {VERSION_TABLE}")
            return str(found[0][0]) if found else None

    @contextmanager
    def transaction(self, deadline: Deadline, *, write: bool) -> Iterator[None]:
        """See `Engine.transaction`. A writer holds SQLite's one write lock from the start."""
        with self._explained(deadline):
            connection = self._open(deadline, write=write)
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield
                connection.execute("COMMIT")
            finally:
                connection.set_progress_handler(None, 0)
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _explained(self, deadline: Deadline) -> Iterator[None]:
        deadline.check(f"before the database {self.path}")
        try:
            yield
        except sqlite3.Error as error:
            raise explain(error, self.path, deadline) from None

    def _open(self, deadline: Deadline, *, write: bool) -> sqlite3.Connection:
        """The connection, bound to `deadline`; made where there is none, the file only for a writer."""
        if self._connection is None:
            mode = "rwc" if write else "rw" if os.access(self.path, os.W_OK) else "ro"
            self._connection = self._connect(mode)
        self._connection.execute(_waiting(deadline))
        self._connection.set_progress_handler(_watch(deadline), _STEPS_PER_LOOK)
        if write:
            # Whoever cannot switch to WAL because somebody else is at work leaves it to the next writer.
            with suppress(sqlite3.OperationalError):
                self._connection.execute("PRAGMA journal_mode = WAL")
            # A commit that a power cut undoes is found missing, and written again, by the next sync.
            self._connection.execute("PRAGMA synchronous = NORMAL")
        return self._connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{quote(str(self.path))}?mode={mode}", uri=True, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")  # each connection has to ask for it
        return connection

    def upgrade(self, deadline: Deadline) -> None:
        """See `Engine.upgrade`."""

        def connect() -> sqlite3.Connection:
            connection = self._connect("rwc")
            connection.execute(_waiting(deadline))
            return connection

        with self._explained(deadline):
            upgrade("sqlite", connect, lock="BEGIN IMMEDIATE")

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("used outside a transaction")
        return self._connection

    def lock_project(self, project_id: str) -> None:
        """Nothing to do: a write transaction already keeps every other writer out."""

    def query(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """See `Engine.query`."""
        return self._opened().execute(sql, parameters).fetchall()

    def stream(self, sql: str, parameters: Sequence[Value] = ()) -> Iterator[Row]:
        """See `Engine.stream`."""
        yield from self._opened().execute(sql, parameters)

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> None:
        """See `Engine.execute`."""
        self._opened().execute(sql, parameters)

    def execute_many(self, sql: str, parameters: Sequence[Sequence[Value]]) -> None:
        """See `Engine.execute_many`."""
        self._opened().executemany(sql, parameters)

    def among(self, column: str, values: Sequence[str]) -> tuple[str, Value]:
        """See `Engine.among`; one parameter, so that any number of values fits."""
        return f"{column} IN (SELECT value FROM json_each(?))", json.dumps(list(values))

    def gathered(self, column: str) -> str:
        """See `Engine.gathered`."""
        return f"json_group_array(CAST({column} AS TEXT))"

    def upsert(self, rows: Sequence[RowValues], now: str) -> None:
        """See `Engine.upsert`."""
        self.execute_many(_FORGET, [(*row[:3], row.content_hash) for row in rows])
        self.execute_many(_UPSERT, [(*row[:6], row.created_at, now, row.content_hash, now) for row in rows])

    def merge(self, target: Target, rows: Sequence[Sequence[Value]]) -> None:
        """See `Engine.merge`."""
        self.execute_many(merging(target, f"VALUES ({', '.join('?' * len(target.columns))})"), rows)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """See `Engine.insert`."""
        self.execute_many(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows)

    @contextmanager
    def tolerant(self) -> Iterator[None]:
        """See `Engine.tolerant`."""
        connection = self._opened()
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        try:
            yield
        finally:
            connection.text_factory = str

    def delete(self, keys: Sequence[RecordKey]) -> None:
        """See `Engine.delete`."""
        self.execute_many("DELETE FROM sot_entries WHERE (project_id, file_type, entry_id) = (?, ?, ?)", keys)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _waiting(deadline: Deadline) -> str:
    """How long to wait for another writer: a moment longer than the deadline, so that it is the one that passes."""
    return f"PRAGMA busy_timeout = {math.ceil(min(LOCK_WAIT_SECONDS, deadline.remaining()) * 1000) + 1}"


def _watch(deadline: Deadline) -> Callable[[], int] | None:
    """What SQLite asks between steps: 1 ends the statement. Nothing to ask without a limit."""
    if math.isinf(deadline.remaining()):
        return None
    return lambda: int(deadline.remaining() <= 0)
