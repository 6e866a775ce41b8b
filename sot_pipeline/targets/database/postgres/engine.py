"""A PostgreSQL database: its connection, its transactions, and how entries are written to it.

Rows travel by COPY into a temporary table and from there in one statement. The full text is
`full_text.py`, what errors mean `failures.py`.
"""
# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import psycopg
from psycopg.pq import TransactionStatus

from sot_pipeline.errors import DatabaseUnavailable
from sot_pipeline.plan import RecordKey
from sot_pipeline.redact import redact
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.database.engine import LOCK_WAIT_SECONDS, Row, RowValues, Target, Value, merging
from sot_pipeline.targets.database.postgres.connection import BoundedConnection
from sot_pipeline.targets.database.postgres.failures import explain, explain_connection
from sot_pipeline.targets.database.postgres.full_text import PostgresFullText
from sot_pipeline.targets.database.postgres.tsvector import TsVector, TsVectorDumper
from sot_pipeline.targets.database.schema import SCHEMA_LOCK, VERSION_TABLE, require_known, upgrade

OLDEST_SERVER = 14
_CONNECT_SECONDS = 10.0
# The longest a writer thinks between two statements (planning a huge project), with a lot to spare.
_IDLE_MILLISECONDS = 300_000
_LONGEST_TIMEOUT = 2**31 - 1  # milliseconds, as the server counts

_STAGE = "CREATE TEMP TABLE sot_stage ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0"
# A stored row whose hash is already right but whose text is not would be taken for tampering by
# the trigger when its text is mended; without a hash it is not.
_FORGET = """
UPDATE sot_entries AS e SET content_hash = '' FROM sot_stage AS s
WHERE (e.project_id, e.file_type, e.entry_id) = (s.project_id, s.file_type, s.entry_id)
    AND e.content_hash = s.content_hash
"""
# An entry that lost its date gets a creation date of its own; one that never had any keeps its.
_UPSERT = """
INSERT INTO sot_entries
    (project_id, file_type, entry_id, title, content, metadata, created_at, content_hash, updated_at)
SELECT project_id, file_type, entry_id, title, content, metadata, coalesce(created_at, ?), content_hash, ?
FROM sot_stage
ON CONFLICT (project_id, file_type, entry_id) DO UPDATE SET
    title = excluded.title, content = excluded.content, metadata = excluded.metadata,
    created_at = CASE
        WHEN jsonb_exists(excluded.metadata, 'date') OR jsonb_exists(sot_entries.metadata, 'date')
        THEN excluded.created_at ELSE sot_entries.created_at END,
    content_hash = excluded.content_hash, updated_at = excluded.updated_at
"""
_DELETE = """
DELETE FROM sot_entries AS e USING unnest(?::text[], ?::text[], ?::text[]) AS gone (project_id, file_type, entry_id)
WHERE (e.project_id, e.file_type, e.entry_id) = (gone.project_id, gone.file_type, gone.entry_id)
"""


class PostgresEngine:
    """One connection to the database at `url`; to be used by one thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.clock = "extract(epoch FROM clock_timestamp())::double precision"
        self.row_lock = " FOR UPDATE"
        self.full_text = PostgresFullText(self)
        self._connection: BoundedConnection | None = None

    def check(self, deadline: Deadline) -> None:
        """Raises DatabaseUnavailable: unreachable, refused, too old, not in UTF-8, may not create tables."""
        with self._explained(deadline):
            info = self._open(deadline).info
            version, encoding = info.server_version // 10_000, info.parameter_status("server_encoding")
        where = redact(self._url)
        if version < OLDEST_SERVER:
            raise DatabaseUnavailable(
                f"The database {where} is PostgreSQL {version}.", remedy=f"Use version {OLDEST_SERVER} or newer."
            )
        if encoding != "UTF8":
            raise DatabaseUnavailable(
                f"The database {where} stores text as {encoding}.", remedy="Create one with ENCODING 'UTF8'."
            )
        revision = self.revision(deadline)
        require_known(revision, where)
        if revision is None:
            self._require_create(deadline)

    def _require_create(self, deadline: Deadline) -> None:
        with self.transaction(deadline, write=False):
            allowed = self.query("SELECT has_schema_privilege(current_schema(), 'CREATE')")
        if allowed != [(True,)]:
            raise DatabaseUnavailable(
                f"The user may not create tables in the database {redact(self._url)}.",
                remedy="GRANT CREATE ON SCHEMA to the user, or run 'sot db upgrade' as one who may.",
            )

    def revision(self, deadline: Deadline) -> str | None:
        """See `Engine.revision`."""
        with self.transaction(deadline, write=False):
            if self.query("SELECT to_regclass(?)", (VERSION_TABLE,)) == [(None,)]:
                return None
            found = self.query(f"SELECT version_num FROM {VERSION_TABLE}")
            return str(found[0][0]) if found else None

    @contextmanager
    def transaction(self, deadline: Deadline, *, write: bool) -> Iterator[None]:
        """See `Engine.transaction`. A reader sees one snapshot, a writer what is committed."""
        with self._explained(deadline):
            connection = self._open(deadline)
            try:
                connection.execute(_begin(deadline, write=write))
                yield
                connection.execute("COMMIT")
            finally:
                self._leave(connection)

    def _leave(self, connection: BoundedConnection) -> None:
        """Undo what was not committed; a connection that cannot even do that is given up."""
        if connection.info.transaction_status is TransactionStatus.IDLE:
            return
        try:
            if connection.info.transaction_status is TransactionStatus.ACTIVE:
                raise psycopg.OperationalError("a statement is still running")
            connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()

    @contextmanager
    def _explained(self, deadline: Deadline) -> Iterator[None]:
        deadline.check("before the database")
        try:
            yield
        except psycopg.Error as error:
            raise explain(error, self._url, deadline) from None

    def _open(self, deadline: Deadline) -> BoundedConnection:
        """The connection, bound to `deadline`; made where there is none or it was lost."""
        if self._connection is None or self._connection.closed:
            self._connection = self._connect(deadline)
        self._connection.deadline = deadline
        return self._connection

    def _connect(self, deadline: Deadline) -> BoundedConnection:
        seconds = max(1, math.ceil(deadline.timeout(_CONNECT_SECONDS)))
        try:
            connection = BoundedConnection.connect(
                self._url.replace("postgresql+psycopg://", "postgresql://", 1),
                autocommit=True,
                connect_timeout=seconds,
                application_name="sot",
            )
        except psycopg.Error as error:
            raise explain_connection(error, self._url) from None
        connection.adapters.register_dumper(TsVector, TsVectorDumper)
        return connection

    def _opened(self) -> BoundedConnection:
        if self._connection is None:
            raise RuntimeError("used outside a transaction")
        return self._connection

    def upgrade(self, deadline: Deadline) -> None:
        """See `Engine.upgrade`."""

        def connect() -> BoundedConnection:
            connection = self._connect(deadline)
            connection.deadline = deadline
            connection.execute(_timeouts("SESSION", deadline))
            connection.autocommit = False
            return connection

        with self._explained(deadline):
            upgrade("postgresql+psycopg", connect, lock=f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")

    def lock_project(self, project_id: str) -> None:
        """See `Engine.lock_project`."""
        self.query("SELECT pg_advisory_xact_lock(hashtextextended(?, ?))", (project_id, SCHEMA_LOCK))

    def query(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """See `Engine.query`."""
        return self._opened().execute(_placed(sql), parameters).fetchall()

    def stream(self, sql: str, parameters: Sequence[Value] = (), *, binary: bool = False) -> Iterator[Row]:
        """See `Engine.stream`; `binary` leaves types that psycopg does not know as the server sends them."""
        with self._opened().cursor("sot_stream") as cursor:
            cursor.itersize = 1000
            cursor.execute(_placed(sql), parameters, binary=binary)
            yield from cursor

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> None:
        """See `Engine.execute`."""
        self._opened().execute(_placed(sql), parameters)

    def execute_many(self, sql: str, parameters: Sequence[Sequence[Value]]) -> None:
        """See `Engine.execute_many`."""
        with self._opened().cursor() as cursor:
            cursor.executemany(_placed(sql), parameters)

    def among(self, column: str, values: Sequence[str]) -> tuple[str, Value]:
        """See `Engine.among`."""
        return f"{column} = ANY(?::text[])", list(values)

    def gathered(self, column: str) -> str:
        """See `Engine.gathered`."""
        return f"json_agg({column})"

    def upsert(self, rows: Sequence[RowValues], now: str) -> None:
        """See `Engine.upsert`."""
        with self._staged("sot_entries", RowValues._fields, rows):
            self.execute(_FORGET)
            self.execute(_UPSERT, (now, now))

    def merge(self, target: Target, rows: Sequence[Sequence[Value]]) -> None:
        """See `Engine.merge`."""
        with self._staged(target.table, target.columns, rows):
            self.execute(merging(target, f"SELECT {', '.join(target.columns)} FROM sot_stage"))

    @contextmanager
    def _staged(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> Iterator[None]:
        """During the block `rows` are in the table `sot_stage`, whose columns are these of `table`."""
        self.execute(_STAGE.format(", ".join(columns), table))
        self._copy_text("sot_stage", rows)
        yield
        self.execute("DROP TABLE sot_stage")

    def _copy_text(self, target: str, rows: Iterable[Sequence[Value]]) -> None:
        with self._opened().cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """See `Engine.insert`."""
        self._copy_text(f"{table} ({', '.join(columns)})", rows)

    def tolerant(self) -> AbstractContextManager[None]:
        """See `Engine.tolerant`; here all text is UTF-8."""
        return nullcontext()

    def delete(self, keys: Sequence[RecordKey]) -> None:
        """See `Engine.delete`."""
        self.execute(_DELETE, columns(keys))

    def copy(self, target: str, types: Sequence[str], rows: Iterator[tuple[object, ...]]) -> None:
        """COPY rows in binary format into `target`, a table and its columns of these types."""
        with self._opened().cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def columns(keys: Sequence[RecordKey]) -> tuple[list[str], list[str], list[str]]:
    """Keys as three arrays, which any number of them fits into."""
    return [key.project_id for key in keys], [key.file_type for key in keys], [key.entry_id for key in keys]


def _placed(sql: str) -> str:
    """`sql` with psycopg's marks for parameters."""
    return sql.replace("?", "%s")


def _begin(deadline: Deadline, *, write: bool) -> str:
    mode = "READ WRITE" if write else "ISOLATION LEVEL REPEATABLE READ READ ONLY"
    # A writer that was stopped in the middle holds its rows, and its leases, until the server ends it.
    idle = f"; SET LOCAL idle_in_transaction_session_timeout = {_IDLE_MILLISECONDS}" if write else ""
    return f"BEGIN {mode}; {_timeouts('LOCAL', deadline)}{idle}"


def _timeouts(scope: str, deadline: Deadline) -> str:
    """What bounds a statement and its wait for locks on the server's side, in milliseconds; 0 is no bound."""
    left = deadline.remaining() * 1000
    statement = 0 if math.isinf(left) else min(max(1, int(left)), _LONGEST_TIMEOUT)
    lock = int(min(LOCK_WAIT_SECONDS * 1000, max(1.0, left)))
    return f"SET {scope} statement_timeout = {statement}; SET {scope} lock_timeout = {lock}"
