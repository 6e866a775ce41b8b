"""Workspaces for tests: a folder with `sot.toml` and ledgers, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sot_pipeline.ledgers.project import read_project
from sot_pipeline.outcome import Mode, ProjectAgreement, ProjectOutcome, SyncReport
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.sync import sync_projects
from sot_pipeline.targets.database import Database
from sot_pipeline.verify import open_verification, verify_project
from sot_pipeline.workspace import Workspace, load_workspace

SECONDS = 60.0

README = "# Kiln\n\n<!-- SOT_SUMMARY_START -->\n<!-- SOT_SUMMARY_END -->\n\nFires pots.\n"

BUILDS = """# Build History

## INDEX

| Timestamp | BUILD-ID | Phase | Summary | Files Changed |
|---|---|---|---|---|
| 2026-02-03 | BUILD-3 | Feature | Ramp limits for the glaze firing | 4 |
| 2026-02-02 | BUILD-2 | Hotfix | Thermocouple filter | 1 |
| 2026-02-01 | BUILD-1 | Setup | First firing curve | 9 |

## BUILDS

### BUILD-3 | 2026-02-03T10:00 | Feature | Ramp limits for the glaze firing

The ramp stays below 150 K an hour, because the cones cracked above it.

### BUILD-2 | 2026-02-02 | Hotfix | Thermocouple filter

A median of five readings hides the spikes of the contactor.
"""

DECISIONS = """# Architecture Decisions

## INDEX

| Timestamp | DEC-ID | Decision | Status | Impact |
|---|---|---|---|---|
| 2026-01-05 | DEC-1 | Type K thermocouples | Accepted | Cheap, good to 1250 degrees |

## DECISIONS

### DEC-1 | 2026-01-05 | Type K thermocouples

Type S costs ten times as much and we never fire porcelain.
"""


@dataclass(frozen=True)
class Kiln:
    """A small workspace on disk: one project, `kiln`, with two ledgers and a README."""

    folder: Path
    environment: dict[str, str]

    @property
    def builds(self) -> Path:
        return self.folder / "docs" / "BUILD_HISTORY.md"

    @property
    def decisions(self) -> Path:
        return self.folder / "docs" / "ARCHITECTURE_DECISIONS.md"

    @property
    def readme(self) -> Path:
        return self.folder / "README.md"

    @property
    def config(self) -> Path:
        return self.folder / "sot.toml"

    def workspace(self) -> Workspace:
        return load_workspace(self.config, env=self.environment)

    def sync(self, mode: Mode = Mode.FULL, **options: bool) -> SyncReport:
        workspace = self.workspace()
        execute = options.pop("execute", mode is not Mode.DOCS_ONLY)
        return sync_projects(
            workspace,
            mode,
            projects=workspace.projects,
            execute=execute,
            deadline=Deadline(SECONDS),
            lock_wait=0.2,
            **options,
        )

    def synced(self, mode: Mode = Mode.FULL, **options: bool) -> ProjectOutcome:
        """Sync and insist that nothing stopped it."""
        report = self.sync(mode, **options)
        assert report.error is None, report.error
        return report.projects[0]

    def verify(self) -> ProjectAgreement:
        workspace = self.workspace()
        with open_verification(workspace, workspace.projects, Deadline(SECONDS)) as session:
            return verify_project(session, read_project(workspace.projects[0]))

    def database(self) -> Database:
        return Database(self.workspace().database_url)

    def rows(self) -> dict[str, str]:
        """entry_id → title of every row."""
        with self.database() as database:
            keys = database.fingerprints("kiln").keys()
            return {key.entry_id: entry.title for key, entry in database.entries(keys).items()}


def make_kiln(folder: Path, database_url: str, *, qdrant: str | None = ".sot/qdrant") -> Kiln:
    """Write the workspace into `folder`."""
    (folder / "docs").mkdir(parents=True)
    kiln = Kiln(folder, {"DATABASE_URL": database_url})
    target = f'qdrant = "{qdrant}"\n' if qdrant else ""
    kiln.config.write_text(
        f'[workspace]\nembedding = "local"\n{target}\n[[project]]\nid = "kiln"\nreadme = "README.md"\n'
    )
    kiln.readme.write_text(README)
    kiln.builds.write_text(BUILDS)
    kiln.decisions.write_text(DECISIONS)
    return kiln


def many_builds(count: int) -> str:
    """A ledger of `count` builds."""
    sections = "".join(
        f"### BUILD-{number} | 2026-02-01 | Work | Firing {number}\n\nNotes of firing {number}.\n\n"
        for number in range(1, count + 1)
    )
    return f"# Build History\n\n## BUILDS\n\n{sections}"
