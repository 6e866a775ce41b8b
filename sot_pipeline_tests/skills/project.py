"""A project of skills for tests: a folder of real files, a database, and what both hold."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sot_pipeline.outcome import SkillsOutcome
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session
from sot_pipeline.skills.edit import render
from sot_pipeline.skills.files import read_skills
from sot_pipeline.skills.model import DOCUMENT, File, Skill
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps.skills import Choice, skill_store, sync_skills
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.skill_model import StoredSkill
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline.workspace import Workspace, load_workspace
from sot_pipeline_tests.targets.database.ledger import tamper

SECONDS = 120.0
PROJECT = "kiln"
CONFIG = f'[workspace]\n\n[[project]]\nid = "{PROJECT}"\n[project.skills]\npath = "skills"\n'
EVERY_SKILL = Choice()
TABLES = (
    *("skills", "skill_keywords", "skill_tags", "skill_capabilities", "skill_dependencies", "skill_references"),
    *("skill_allowed_tools", "skill_files", "skill_base", "skill_base_file", "skill_tombstones", "skill_moves"),
    "skill_conflicts",
)


@dataclass(frozen=True)
class SkillProject:
    """One project. Every call opens the database anew, as a process of its own would."""

    workspace: Workspace

    @property
    def root(self) -> Path:
        return self.workspace.projects[0].root / "skills"

    @contextmanager
    def session(self) -> Iterator[Session]:
        with Database(self.workspace.database_url) as database:
            yield Session(self.workspace, Deadline(SECONDS), database, None, None)

    @contextmanager
    def store(self) -> Iterator[SkillStore]:
        with self.session() as session:
            yield skill_store(session, self.workspace.projects[0])

    def sync(
        self,
        direction: Direction = Direction.SYNC,
        *,
        execute: bool = True,
        choice: Choice = EVERY_SKILL,
        allow_mass_delete: bool = False,
    ) -> SkillsOutcome:
        with self.session() as session:
            return sync_skills(
                session,
                self.workspace.projects[0],
                direction,
                execute=execute,
                choice=choice,
                allow_mass_delete=allow_mass_delete,
            )

    def synced(self, direction: Direction = Direction.SYNC, **options: bool) -> SkillsOutcome:
        """Sync and insist that nothing is left to be done or decided."""
        found = self.sync(direction, **options)
        assert (found.error, found.problems, found.conflicts, dict(found.quarantined)) == (None, (), (), {})
        return found

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as another program; answers the rows of the last one."""
        return tamper(self.workspace.database_url, *statements)

    def write(self, path: str, content: str | bytes, *, executable: bool = False) -> Path:
        """Write a file below the skills root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(0o755 if executable else 0o644)
        return file

    def files(self) -> dict[str, Skill]:
        """The file side by path."""
        return dict(read_skills(self.root).skills)

    def rows(self) -> dict[str, Skill]:
        """The database side by path, rendered."""
        with self.store() as store:
            return {row.path: rendered(row) for row in store.read()}

    def uids(self) -> dict[str, str]:
        """Path → uid of every row."""
        with self.store() as store:
            return {row.path: row.uid for row in store.read()}

    def tables(self) -> dict[str, list[str]]:
        """All that a sync writes in the database but its line in `sync_activity`."""
        return {table: sorted(map(repr, self.sql(f"SELECT * FROM {table}"))) for table in TABLES}

    def activities(self) -> int:
        """How many lines `sync_activity` has."""
        ((count,),) = self.sql("SELECT count(*) FROM sync_activity")
        return int(str(count))

    def everything(self) -> tuple[object, ...]:
        """What may not change where nothing is written: all files with their times, all tables."""
        return tree(self.root), self.tables()


def rendered(row: StoredSkill) -> Skill:
    """A row as the folder that it stands for."""
    document = File(render(row.template, row.fields, row.body), row.executable)
    return Skill(row.path, {**row.files, DOCUMENT: document})


def tree(root: Path) -> dict[str, tuple[bytes | str, int, int, int]]:
    """Every file below a folder: its content, mode, time and inode; of a folder its mode."""
    found: dict[str, tuple[bytes | str, int, int, int]] = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder) / name
            status = path.lstat()
            what: bytes | str = "folder"
            if path.is_symlink():
                what = str(path.readlink())
            elif path.is_file():
                what = path.read_bytes()
            time = 0 if what == "folder" else status.st_mtime_ns
            found[path.relative_to(root).as_posix()] = (what, status.st_mode, time, status.st_ino)
    return found


def make_project(folder: Path, url: str) -> SkillProject:
    """An empty project in `folder`, with its root of skills."""
    (folder / "skills").mkdir(parents=True)
    (folder / "sot.toml").write_text(CONFIG)
    return open_project(folder, url)


def open_project(folder: Path, url: str) -> SkillProject:
    """A project that was made before."""
    return SkillProject(load_workspace(folder / "sot.toml", env={"DATABASE_URL": url}))


def elsewhere(project: SkillProject, folder: Path, url: str) -> SkillProject:
    """The same project with other files, or another database."""
    first = replace(project.workspace.projects[0], root=folder)
    return SkillProject(replace(project.workspace, projects=(first,), database_url=url))


def skill_md(name: str, description: str = "Does something.", body: str = "# Use\n", **keys: str) -> str:
    """A SKILL.md; a key's text is what stands behind its colon."""
    more = "".join(f"{key}: {text}\n" for key, text in keys.items())
    return f"---\nname: {name}\ndescription: {description}\n{more}---\n{body}"


_TOKEN = re.compile(rb"t\d+x")


def tokens_in(*contents: bytes) -> set[bytes]:
    """The values that the state machine wrote and that are somewhere in these bytes."""
    return {token for content in contents for token in _TOKEN.findall(content)}


def paths_and_files(skills: Mapping[str, Skill]) -> dict[str, Mapping[str, File]]:
    """Skills without what does not count for them: an empty folder, the order of files."""
    return {path: dict(skill.files) for path, skill in skills.items()}
