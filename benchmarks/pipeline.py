"""The pipeline as a user has it: `read_project`, `sync_rows`, `sync_vectors` on open targets.

Everything a real run does is under the clock: metadata, full text, embedding cache, activity rows,
fingerprints read from the targets, the collection's locks and seals. The time of parts that the
floor does not have is told apart, phase by phase, and hidden nowhere.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar
from unittest.mock import patch

import numpy as np
from counting import CountingEmbedder
from subject import Held, Setting, fingerprint

from sot_pipeline.ledgers.project import read_project
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session
from sot_pipeline.steps.rows import sync_rows
from sot_pipeline.steps.vectors import sync_vectors
from sot_pipeline.targets.database import Database, Writing
from sot_pipeline.targets.vectors import open_store
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.workspace import EmbeddingChoice, LedgerSpec, Project, QdrantTarget, Workspace

PROJECT = "bench"
FILE_TYPE = "build_history"

P = ParamSpec("P")
R = TypeVar("R")

# Parts of a run that the floor has no counterpart of.
EXTRAS = ("full text", "embedding cache")
_APART = (
    (Writing, "apply_fulltext", EXTRAS[0]),
    (Database, "cached_vectors", EXTRAS[1]),
    (Database, "store_vectors", EXTRAS[1]),
)


class Pipeline:
    """The pipeline as a `Subject`."""

    def __init__(self, setting: Setting) -> None:
        ledger = LedgerSpec(FILE_TYPE, setting.ledger.name, "BUILD", declared=True)
        # The largest ledgers measured are larger than the default limit allows.
        self._project = Project(PROJECT, setting.ledger.parent, (ledger,), max_ledger_bytes=1 << 31)
        self._embedder = CountingEmbedder(setting.dimension)
        self._phases: defaultdict[str, float] = defaultdict(float)
        self._stack = ExitStack()
        for owner, name, phase in _APART:
            self._stack.enter_context(patch.object(owner, name, self._timed(getattr(owner, name), phase)))
        qdrant = QdrantTarget(path=setting.folder / "qdrant") if setting.vectors else None
        self._session = Session(
            workspace=Workspace(
                folder=setting.folder,
                config_path=setting.folder / "sot.toml",
                database_url=setting.database_url,
                qdrant=qdrant,
                embedding=EmbeddingChoice("local", self._embedder.model),
                projects=(self._project,),
            ),
            deadline=Deadline(3600),
            database=self._stack.enter_context(Database(setting.database_url)),
            store=open_store(qdrant) if qdrant else None,
            embedder=self._embedder,
        )

    def sync(self) -> None:
        """See Subject."""
        self._phases.clear()
        with self._phase("parse"):
            parsed = read_project(self._project)
        with self._phase("rows"):
            rows = sync_rows(self._session, parsed, execute=True)
        assert not rows.problems, rows.problems
        if self._session.store:
            with self._phase("points"):
                points = sync_vectors(self._session, parsed, execute=True)
            assert not points.problems, points.problems

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        apart = sum(self._phases[extra] for extra in EXTRAS)
        started = time.perf_counter()
        yield
        # What was told apart within the block is not counted twice.
        inside = sum(self._phases[extra] for extra in EXTRAS) - apart
        self._phases[name] += time.perf_counter() - started - inside

    def _timed(self, function: Callable[P, R], phase: str) -> Callable[P, R]:
        @wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._phases[phase] += time.perf_counter() - started

        return timed

    def embedded(self) -> int:
        """See Subject."""
        return self._embedder.texts

    def phases(self) -> dict[str, float]:
        """See Subject."""
        return dict(self._phases)

    def held(self) -> Held:
        """See Subject: rows and points are hashed anew, so that a damaged one has no fingerprint."""
        database = self._session.require_database()
        intact = [key for key, found in database.fingerprints(PROJECT, deep=True).items() if found != "damaged"]
        stored = database.entries(intact)
        rows = {key.entry_id: fingerprint(entry.content) for key, entry in stored.items()}
        return Held(rows, self._points() if self._session.store else None)

    def _points(self) -> dict[str, str]:
        store, embedder = self._session.require_vectors()
        deadline = Deadline.never()
        with store.open(
            CollectionId(PROJECT, Kind.DOCS),
            model=embedder.model,
            dimension=embedder.dimension,
            write=False,
            deadline=deadline,
        ) as collection:
            keys = [key for key, found in collection.fingerprints(deep=True, deadline=deadline).items() if found]
            anywhere = np.eye(1, embedder.dimension)[0].tolist()
            matches = collection.search(anywhere, limit=len(keys) + 1, file_types=(), deadline=deadline)
        return {match.record.entry_id: fingerprint(match.text) for match in matches}

    def close(self) -> None:
        """See Subject."""
        self._stack.close()
