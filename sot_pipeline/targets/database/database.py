"""`Database`: the one way from the rest of the program to rows, full text, activity and cache.

It decides when the schema is looked at or upgraded and opens a transaction around each question;
the questions themselves are in the modules beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sot_pipeline.errors import DatabaseUnavailable, LockNotBroken
from sot_pipeline.plan import Counts, Plan, Record, RecordKey, diff
from sot_pipeline.redact import redact
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.runtime.held import HeldLeases
from sot_pipeline.runtime.leases import Claim, Grant, Lock, why_not_break
from sot_pipeline.targets.database import activity, embedding_cache, full_text, leases, rows, sources
from sot_pipeline.targets.database.engine import Engine
from sot_pipeline.targets.database.model import Activity, LoggedActivity, ReadmeSync, Source, StoredEntry, TextMatch
from sot_pipeline.targets.database.schema import HEAD, require_known
from sot_pipeline.targets.database.writing import Writing

T = TypeVar("T")

# What `sync_activity` names where something concerns the whole database.
EVERY_PROJECT = "*"


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class Database:
    """The database at `url`, as `workspace.resolve_database_url` gives it; `now` tells naive UTC.

    Nothing is opened before it is needed, and a read creates nothing: a database without our
    tables holds no entries. Belongs to one thread. Everything that touches the database raises
    DatabaseUnavailable, DeadlineExceeded or LockNotAcquired, never a driver's error.
    """

    def __init__(self, url: str, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._url = url
        self._now = now
        self._engine = _engine_of(url)
        self._deadline = Deadline.never()
        self._current = False
        self._held: HeldLeases | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._engine.close()

    def check(self, deadline: Deadline) -> None:
        """Raises DatabaseUnavailable where the database cannot be used; writes nothing.

        `deadline` also bounds every later read.
        """
        self._deadline = deadline
        self._engine.check(deadline)

    def revision(self) -> str | None:
        """Version of the schema, None where there is none."""
        return self._engine.revision(self._deadline)

    def upgrade(self, deadline: Deadline) -> None:
        """Bring the schema to the newest version; nothing happens where it is there already."""
        if not self._current:
            found = self._engine.revision(deadline)
            require_known(found, redact(self._url))
            if found != HEAD:
                self._engine.upgrade(deadline)
                reach(Failpoint.SCHEMA_UPGRADED)
            self._current = True

    # Entries

    def fingerprints(self, project_id: str, *, deep: bool = False) -> dict[RecordKey, str]:
        """Key → content hash of every stored entry of a project.

        With `deep` it is computed anew from the stored fields, and "damaged" where they are not
        what the stored hash says.
        """
        read = rows.deep_fingerprints if deep else rows.fingerprints
        return self.read(lambda engine: read(engine, project_id), {})

    def digest(self, project_id: str) -> str:
        """SHA-256 (hex) over all stored entries: equal records give it in both databases, in any order."""
        return self.read(lambda engine: rows.digest(engine, project_id), rows.digest_of({}))

    def counts(self, project_id: str) -> dict[str, int]:
        """file_type → number of entries."""
        return self.read(lambda engine: rows.counts(engine, project_id), {})

    def entry(self, project_id: str | None, entry_id: str) -> list[StoredEntry]:
        """Entries of this id in all ledgers, of one project or (None) of all."""
        where = {"entry_id": (entry_id,)} | ({} if project_id is None else {"project_id": (project_id,)})
        return self.read(lambda engine: rows.entries(engine, where=where), [])

    def entries(self, keys: Collection[RecordKey]) -> dict[RecordKey, StoredEntry]:
        """The stored entries among `keys`."""
        where = {"project_id": {key.project_id for key in keys}, "entry_id": {key.entry_id for key in keys}}
        wanted = {column: tuple(values) for column, values in where.items()}
        found = self.read(lambda engine: rows.entries(engine, where=wanted), list[StoredEntry]())
        return {entry.key: entry for entry in found if entry.key in keys}

    # Full text

    def plan_fulltext(
        self, project_id: str, records: Sequence[Record], *, keep: Collection[str] = (), deep: bool = False
    ) -> Plan[RecordKey, Record]:
        """What `Writing.apply_fulltext` would do."""
        # FTS5 checks its index by a statement that writes nothing but wants the lock of a writer, and
        # who has begun to read may not get it any more.
        planned: Plan[RecordKey, Record] | None = self.read(
            lambda engine: full_text.plan(engine, project_id, records, keep=keep, deep=deep), None, write=deep
        )
        return planned or diff([record for record in records if record.key.file_type not in keep], {})

    def search(
        self,
        query: str,
        *,
        project_ids: Sequence[str] = (),
        file_types: Sequence[str] = (),
        limit: int,
        deadline: Deadline,
    ) -> list[TextMatch]:
        """Entries that have any word of `query`, best first, each once; no filter means all.

        Everything in `query` is text. Scores are BM25 with statistics over the whole database; an
        entry whose id stands in the query comes first. A query without words has no answer.
        """
        where = {name: values for name, values in (("project_id", project_ids), ("file_type", file_types)) if values}
        return self.read(lambda engine: full_text.search(engine, query, where=where, limit=limit), [], deadline)

    # What was indexed

    def sources(self, project_ids: Collection[str], deadline: Deadline) -> list[Source]:
        """The ledger files that these projects' entries and full text agree with."""
        return self.read(lambda engine: sources.sources(engine, project_ids), [], deadline)

    def lines(self, project_id: str, file_type: str, deadline: Deadline) -> dict[str, int]:
        """Entry id → line in the file that `sources` tells of, and in no other version of it."""
        return self.read(lambda engine: sources.lines(engine, project_id, file_type), {}, deadline)

    def indexed(self, project_id: str, deadline: Deadline) -> dict[RecordKey, str]:
        """Key → content hash of every entry as searches see it, "damaged" where row and full text differ."""
        return self.read(lambda engine: sources.indexed(engine, project_id), {}, deadline)

    # Activity

    def last_activity(self, project_id: str, sync_type: str) -> LoggedActivity | None:
        """The newest row of this kind."""
        found = self.read(lambda engine: activity.recent(engine, project_id, (sync_type,), 1), list[LoggedActivity]())
        return found[0] if found else None

    def activities(self, project_id: str | None = None, *, limit: int = 20) -> list[LoggedActivity]:
        """The newest rows first, of one project or of all."""
        return self.read(lambda engine: activity.recent(engine, project_id, (), limit), [])

    def disagreed(self, project_id: str, target: str, by: str = "verify") -> bool:
        """True where the verification `by` found targets to disagree and `target` was not synced since."""
        found = self.read(lambda engine: activity.recent(engine, project_id, (by, target), 1), list[LoggedActivity]())
        return bool(found) and (found[0].activity.sync_type, found[0].activity.status) == (by, "disagree")

    def readme(self, project_id: str) -> ReadmeSync | None:
        """What the README summary was last made to say."""
        return self.read(lambda engine: activity.readme(engine, project_id), None)

    # Cache

    def cached_vectors(self, model: str, hashes: Collection[str]) -> dict[str, bytes]:
        """Text hash → vector (float32, little-endian), for those of `hashes` that are cached."""
        return self.read(lambda engine: embedding_cache.cached_vectors(engine, model, hashes), {})

    def store_vectors(self, model: str, dimension: int, vectors: Mapping[str, bytes], deadline: Deadline) -> None:
        """Add vectors (float32, little-endian) by text hash to the cache."""
        with self._write(deadline) as now:
            embedding_cache.store_vectors(self._engine, model, dimension, vectors, now)

    # Writing

    @contextmanager
    def writing(self, project_id: str, deadline: Deadline) -> Iterator[Writing]:
        """A transaction on one project that keeps other writers of it out; upgrades the schema first.

        It commits when the block ends well and leaves everything as it was when it does not.
        """
        with self.changing(project_id, deadline) as (engine, now):
            reach(Failpoint.ROWS_BEGUN)
            yield Writing(engine, project_id, now)
            reach(Failpoint.ROWS_BEFORE_COMMIT)
        reach(Failpoint.ROWS_COMMITTED)

    @contextmanager
    def changing(self, project_id: str, deadline: Deadline) -> Iterator[tuple[Engine, str]]:
        """The same transaction as `writing`, with its engine and time: for the modules beside this one."""
        with self._write(deadline) as now:
            self._engine.lock_project(project_id)
            yield self._engine, now

    def record_activity(self, project_id: str, done: Activity, deadline: Deadline) -> None:
        """Append a row to `sync_activity`."""
        with self._write(deadline) as now:
            activity.record(self._engine, project_id, done, now)
        reach(Failpoint.VECTORS_RECORDED)

    def note_verification(self, project_id: str, done: Activity, deadline: Deadline) -> None:
        """Append a verification's row to `sync_activity`, unless there are no tables: it makes none."""
        if self._engine.revision(deadline) == HEAD:
            self.record_activity(project_id, done, deadline)

    def record_readme(self, project_id: str, summary: str, deadline: Deadline) -> None:
        """Note in `readme_sync` that the README says `summary`."""
        with self._write(deadline) as now:
            activity.record_readme(self._engine, project_id, summary, now)
        reach(Failpoint.README_RECORDED)

    # Leases: what `runtime.leases.LeaseTable` asks for, and breaking them by hand

    @property
    def place(self) -> str:
        """The URL without its password."""
        return redact(self._url)

    @contextmanager
    def fenced(self, held: HeldLeases) -> Iterator[None]:
        """During the block every write shows these leases and raises LeaseLost, unwritten, where one is lost."""
        self._held = held
        try:
            yield
        finally:
            self._held = None

    def acquire_leases(
        self, names: Sequence[str], claim: Claim, *, dead: Collection[Grant], ttl: float, deadline: Deadline
    ) -> tuple[Grant, ...] | None:
        """See `LeaseTable.acquire_leases`; upgrades the schema first."""
        try:
            with self._write(deadline):
                grants = leases.acquire(self._engine, names, claim, dead, ttl)
                if grants is None:
                    raise _RefusedError
        except _RefusedError:
            return None
        return grants

    def renew_leases(self, grants: Sequence[Grant], *, ttl: float, progress: str, deadline: Deadline) -> bool:
        """See `LeaseTable.renew_leases`."""
        try:
            with self._write(deadline):
                if not leases.renew(self._engine, grants, ttl, progress):
                    raise _RefusedError
        except _RefusedError:
            return False
        return True

    def release_leases(self, grants: Sequence[Grant], deadline: Deadline) -> None:
        """See `LeaseTable.release_leases`."""
        with self._write(deadline):
            leases.release(self._engine, grants)

    def locks(self, deadline: Deadline) -> tuple[Lock, ...]:
        """See `LeaseTable.locks`; none where the schema is older than the table."""
        found = HEAD if self._current else self._engine.revision(deadline)
        if found is None or found < leases.SINCE_REVISION:
            return ()
        return self.read(leases.locks, (), deadline)

    def break_lock(
        self, name: str, *, owner: str, fence: int, grace: float, force: bool, by: str, deadline: Deadline
    ) -> Lock:
        """Free a lock that still has this owner and fence; the answer is the row as it was.

        Raises LockNotBroken where it has others, or where its lease is not over for `grace` seconds
        and its holder not proven dead; `force` breaks it then too. Who did it (`by`) is noted in
        `sync_activity`.
        """
        with self._write(deadline) as now:
            found = leases.locks(self._engine, name, hold_rows=True)
            lock = found[0] if found else leases.never_taken(name)
            refusal = why_not_break(lock, owner=owner, fence=fence, grace=grace, force=force)
            if refusal:
                raise LockNotBroken(
                    f"Lock '{name}' in {self.place} was not broken: {refusal}.",
                    remedy="'sot locks status' shows owner and fence; --force breaks a lock that may still be in use.",
                )
            leases.free(self._engine, name)
            activity.record(self._engine, EVERY_PROJECT, _broken(lock, by, force=force), now)
        return lock

    @contextmanager
    def _write(self, deadline: Deadline) -> Iterator[str]:
        self.upgrade(deadline)
        fenced = self._fenced(self._held, deadline) if self._held else self._engine.transaction(deadline, write=True)
        with fenced:
            yield self._now().isoformat(sep=" ")

    @contextmanager
    def _fenced(self, held: HeldLeases, deadline: Deadline) -> Iterator[None]:
        """A write transaction in which nobody else can take `held`, refused where somebody did."""
        with held.transaction():
            with self._engine.transaction(deadline, write=True):
                if not leases.hold(self._engine, held.grants):
                    raise held.lose(leases.why_lost(self._engine, held.grants))
                yield
                renewed_at = held.now()
                is_due = held.is_due()
                if is_due:
                    leases.renew(self._engine, held.grants, held.times.ttl, held.progress, held=True)
            if is_due:
                held.renewed(renewed_at)

    def read(
        self,
        question: Callable[[Engine], T],
        without_tables: T,
        deadline: Deadline | None = None,
        *,
        write: bool = False,
    ) -> T:
        """Ask a question of the modules beside this one; `without_tables` is its answer where there are none."""
        deadline = deadline or self._deadline
        if not self._current:
            found = self._engine.revision(deadline)
            if found is None:
                return without_tables
            require_known(found, redact(self._url))
            if found != HEAD:
                raise DatabaseUnavailable(
                    f"The schema of {redact(self._url)} is version {found}, older than this program's {HEAD}.",
                    remedy="Run 'sot db upgrade'.",
                )
            self._current = True
        with self._engine.transaction(deadline, write=write):
            return question(self._engine)


class _RefusedError(Exception):
    """Undoes a transaction that took or renewed some leases but could not all."""


def _broken(lock: Lock, by: str, *, force: bool) -> Activity:
    message = f"Lock '{lock.name}' of {lock.describe_holder()}, fence {lock.fence}, was broken by {by}."
    return Activity("locks", 0, "forced" if force else "broken", message, Counts(), 0.0)


def _engine_of(url: str) -> Engine:
    """The engine for `url`; a driver is imported only where it is the one that is used."""
    if url.startswith("sqlite:///"):
        from sot_pipeline.targets.database.sqlite.engine import SqliteEngine

        return SqliteEngine(Path(url.removeprefix("sqlite:///")))
    from sot_pipeline.targets.database.postgres.engine import PostgresEngine

    return PostgresEngine(url)
