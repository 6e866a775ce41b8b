"""The targets of one run, opened and checked before anything is written.

A session knows which targets a mode needs, finds out up front whether they can be used, and for
a writing run holds the locks (`locking.py`). What is done with the targets is `sync.py` and
`verify.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sot_pipeline.embedding import open_embedder
from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.errors import DatabaseUnavailable, RequirementMissing, VectorStoreUnavailable
from sot_pipeline.locking import READ_LOCKS, WRITE_LOCKS, locked
from sot_pipeline.outcome import Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.held import HeldLeases
from sot_pipeline.runtime.order import LOCK_WAIT_SECONDS
from sot_pipeline.runtime.progress import Progress, silent
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.vectors import open_store
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.store import VectorStore, require_match
from sot_pipeline.workspace import Project, Workspace

_WHO_NEEDS_QDRANT = {
    Kind.DOCS: "this mode needs",
    Kind.CODE: "embedding code ([project.code] embed = true) needs",
    Kind.SKILLS: "embedding skills needs",
}
_WITHOUT_QDRANT = {
    Kind.DOCS: "use --db-only",
    Kind.CODE: "take 'embed' out",
    Kind.SKILLS: "leave their points out",
}


@dataclass(frozen=True, slots=True)
class Session:
    """Open targets. A target outside the mode, or not configured, is None.

    `notes` are things a person should know that are no errors, such as a cache that is missing.
    `held` are the leases of a session that writes and has a database.
    """

    workspace: Workspace
    deadline: Deadline
    database: Database | None
    store: VectorStore | None
    embedder: Embedder | None
    notes: tuple[str, ...] = ()
    progress: Progress = silent
    held: HeldLeases | None = None

    def check(self, phase: str) -> None:
        """Raises DeadlineExceeded or LeaseLost where `phase`, say "before the points", must not begin."""
        self.deadline.check(phase)
        if self.held:
            self.held.report(phase)

    def require_database(self) -> Database:
        """The database. Raises RequirementMissing where the session was opened without."""
        if self.database is None:
            raise RequirementMissing("This step needs the database.", remedy="Run it in mode --db-only or --full.")
        return self.database

    def require_vectors(self) -> tuple[VectorStore, Embedder]:
        """Store and embedder. Raises RequirementMissing where the session was opened without."""
        if self.store is None or self.embedder is None:
            raise RequirementMissing("This step needs Qdrant.", remedy="Run it in mode --qdrant-only or --full.")
        return self.store, self.embedder


@contextmanager
def open_session(
    workspace: Workspace,
    mode: Mode,
    *,
    projects: tuple[Project, ...],
    execute: bool,
    deadline: Deadline,
    rebuild: bool = False,
    embeds: bool = True,
    kind: Kind = Kind.DOCS,
    lock_wait: float = LOCK_WAIT_SECONDS,
    lock_reads: bool = False,
    progress: Progress = silent,
) -> Iterator[Session]:
    """Open what `mode` needs; with `execute` under the locks, with `lock_reads` under that of readers.

    Raises DatabaseUnavailable, RequirementMissing, LockNotAcquired or DeadlineExceeded before the
    first write. The collections of `kind` must fit the embedder; with `rebuild` one of another
    model is no mismatch: it gets replaced. Without `embeds` (a verification) the embedder only says
    how entries are cut, so it needs no key.
    """
    notes: list[str] = []
    names = WRITE_LOCKS if execute else READ_LOCKS if lock_reads else ()
    with ExitStack() as stack:
        database = _open_database(workspace, mode, deadline, notes, stack) if mode.database or lock_reads else None
        store, embedder = _open_vectors(workspace, kind, deadline, embeds) if mode.vectors else (None, None)
        held = None
        if names:
            held = stack.enter_context(locked(workspace, names, database, deadline, wait_seconds=lock_wait))
        if store and embedder and not rebuild:
            for project in projects:
                check_model(store, embedder, CollectionId(project.id, kind), deadline)
        watched = _watched(progress, held) if held else progress
        yield Session(workspace, deadline, database, store, embedder, tuple(notes), watched, held)


def _watched(progress: Progress, held: HeldLeases) -> Progress:
    """`progress` that also keeps the heartbeats going, and raises LeaseLost where they were in vain."""

    def report(phase: str, done: int, total: int) -> None:
        held.report(f"{phase} {done}/{total}")
        progress(phase, done, total)

    return report


def _open_database(
    workspace: Workspace, mode: Mode, deadline: Deadline, notes: list[str], stack: ExitStack
) -> Database | None:
    database = stack.enter_context(Database(workspace.database_url))
    try:
        database.check(deadline)
    except DatabaseUnavailable as error:
        if mode is not Mode.QDRANT_ONLY:
            raise
        notes.append(
            "No embedding cache, every text is embedded anew, and lock files alone keep other writers away: "
            f"{error.message}"
        )
        return None
    return database


def _open_vectors(workspace: Workspace, kind: Kind, deadline: Deadline, embeds: bool) -> tuple[VectorStore, Embedder]:
    if workspace.qdrant is None:
        raise VectorStoreUnavailable(
            f"Qdrant is not configured, but {_WHO_NEEDS_QDRANT[kind]} it.",
            remedy=f"Set 'qdrant' in {workspace.config_path} (a path is the embedded engine) or QDRANT_HOST, "
            f"or {_WITHOUT_QDRANT[kind]}.",
        )
    store = open_store(workspace.qdrant)
    store.check(deadline)
    embedder = open_embedder(workspace.embedding)
    if embeds:
        embedder.check()
    return store, embedder


def check_model(store: VectorStore, embedder: Embedder, collection: CollectionId, deadline: Deadline) -> None:
    """Raises EmbeddingMismatch where the collection was built with another embedder."""
    info = store.info(collection, deadline)
    if info:
        require_match(collection, info.model, info.dimension, model=embedder.model, dimension=embedder.dimension)
