"""A small workspace of real files for tests, and whole syncs of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sot_pipeline.outcome import Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.search.answer import SearchAnswer, SearchMode
from sot_pipeline.search.search import open_search, search
from sot_pipeline.sync import sync_projects
from sot_pipeline.workspace import Overrides, Workspace, load_workspace


def soon() -> Deadline:
    return Deadline(60)


BUILDS = """\
# Build History

## INDEX

| Timestamp | BUILD-ID | Phase | Summary | Files Changed |
|---|---|---|---|---|
| 2026-01-03 | BUILD-3 | Locks | Leases expire after ten minutes and are taken over | locks.py |
| 2026-01-02 | BUILD-2 | Search | Keyword ranking with BM25 | search.py |
| 2026-01-01 | BUILD-1 | Core | The first walking skeleton | core.py |

## BUILDS

### BUILD-2 | 2026-01-02 | Search | Keyword ranking

**Problem**: readers could not find an entry by its words.

**Solution**: rank with BM25 over chunks, see [the notes](docs/notes.md).

### BUILD-1 | 2026-01-01 | Core | Walking skeleton

The pipeline reads a ledger and writes rows. Nothing is embedded yet.
"""

DECISIONS = """\
# Architecture Decisions

## DECISIONS

### DEC-1 | 2026-01-02 | SQLite is the default database

**Status**: accepted

Nothing has to be installed; a ranking by words works the same on PostgreSQL.
"""


class Desk:
    """A workspace in `folder`: its files, its syncs, its searches."""

    def __init__(self, folder: Path, database_url: str, *, vectors: bool = False) -> None:
        self.folder = folder
        self.database_url = database_url
        self.builds = folder / "docs" / "BUILD_HISTORY.md"
        self.decisions = folder / "docs" / "ARCHITECTURE_DECISIONS.md"
        self.builds.parent.mkdir()
        self.builds.write_text(BUILDS)
        self.decisions.write_text(DECISIONS)
        qdrant = 'qdrant = "points"' if vectors else ""
        (folder / "sot.toml").write_text(f'[workspace]\nembedding = "local"\n{qdrant}\n[[project]]\nid = "atlas"\n')

    @property
    def workspace(self) -> Workspace:
        return load_workspace(self.folder / "sot.toml", env={}, overrides=Overrides(database_url=self.database_url))

    def sync(self, mode: Mode = Mode.DB_ONLY, *, allow_mass_delete: bool = False) -> None:
        report = sync_projects(
            self.workspace,
            mode,
            projects=self.workspace.projects,
            execute=True,
            deadline=soon(),
            allow_mass_delete=allow_mass_delete,
        )
        assert report.error is None

    def search(
        self, query: str, mode: SearchMode = SearchMode.KEYWORD, *, file_types: tuple[str, ...] = (), limit: int = 10
    ) -> SearchAnswer:
        workspace = self.workspace
        return search(
            workspace, workspace.projects, query, mode=mode, file_types=file_types, limit=limit, deadline=soon()
        )

    def search_all(
        self, queries: Sequence[str], mode: SearchMode = SearchMode.KEYWORD, *, limit: int = 10
    ) -> list[SearchAnswer]:
        workspace = self.workspace
        with open_search(workspace, workspace.projects, mode=mode, deadline=soon()) as searching:
            return list(searching.answers(queries, limit=limit))

    def edit(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))


def ids(answer: SearchAnswer) -> list[str]:
    return [hit.key.entry_id for hit in answer.results]


def behind(answer: SearchAnswer) -> list[str]:
    return [lag.path for lag in answer.behind]
