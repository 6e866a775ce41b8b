"""A small project with skills, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sot_pipeline.index_points import PointsReport, index_points
from sot_pipeline.outcome import Mode, SkillsOutcome
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.search.answer import SearchAnswer, SearchMode
from sot_pipeline.search.search import search
from sot_pipeline.session import Session, open_session
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps.points import points_present
from sot_pipeline.steps.skills import sync_skills
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.skill_texts import SkillTexts
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.workspace import Workspace, load_workspace
from sot_pipeline_tests.workspaces import BUILDS, SECONDS

SKILLS = CollectionId("guild", Kind.SKILLS)


def skill_text(name: str, description: str, body: str = "", keys: str = "") -> str:
    return f"---\nname: {name}\ndescription: {description}\n{keys}---\n# {name}\n\n{body}\n"


GLAZE = skill_text("glaze", "Mixes celadon glazes", "Weigh the feldspar first.", "keywords: [ash, oxide]\n")
FIRE = skill_text("fire", "Fires a kiln", "Ramp slowly.\n\n## Cones\n\nWatch the witness cones bend.")
PACK = skill_text("pack", "Packs pots for shipping", "Straw between the rims.")
FILES: Mapping[str, str] = {
    "craft/glaze/SKILL.md": GLAZE,
    "craft/glaze/scripts/weigh.py": "print(1)\n",
    "craft/fire/SKILL.md": FIRE,
    "pack/SKILL.md": PACK,
}


@dataclass(frozen=True)
class Guild:
    """A workspace on disk: one project, `guild`, with its skills below `skills`."""

    folder: Path
    environment: dict[str, str]

    @property
    def config(self) -> Path:
        return self.folder / "sot.toml"

    @property
    def skills(self) -> Path:
        return self.folder / "skills"

    def write(self, files: Mapping[str, str]) -> None:
        for path, content in files.items():
            file = self.skills / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.skills / path).read_text()
        assert text.count(old) == 1
        (self.skills / path).write_text(text.replace(old, new))

    def workspace(self) -> Workspace:
        return load_workspace(self.config, env=self.environment)

    def sync(self, direction: Direction = Direction.SYNC, **options: bool) -> SkillsOutcome:
        """Sync once and insist that nothing stopped it."""
        workspace = self.workspace()
        with opened(workspace) as session:
            outcome = sync_skills(session, workspace.projects[0], direction, execute=True, **options)
        assert outcome.error is None, outcome.error
        return outcome

    def embed(self, *, execute: bool = True, **options: bool) -> PointsReport:
        """Bring the points up to date once."""
        workspace = self.workspace()
        return index_points(
            workspace, workspace.projects, kind=Kind.SKILLS, execute=execute, deadline=Deadline(SECONDS), **options
        )

    def points(self) -> dict[str, str]:
        """Key → fingerprint of every point, hashed anew."""
        with opened(self.workspace(), Mode.FULL, execute=False) as session:
            return points_present(session, SKILLS, deep=True)

    def database(self) -> Database:
        return Database(self.workspace().database_url)

    def indexed(self) -> dict[str, str]:
        """Path → hash of the text in the full text, "" where it is not that of the row."""
        with self.database() as database:
            return {path: text.content_hash for path, text in SkillTexts(database, "guild").listed().items()}

    def search(
        self,
        query: str,
        mode: SearchMode = SearchMode.KEYWORD,
        *,
        file_types: tuple[str, ...] = ("skill",),
        limit: int = 10,
    ) -> SearchAnswer:
        workspace = self.workspace()
        return search(
            workspace,
            workspace.projects,
            query,
            mode=mode,
            file_types=file_types,
            limit=limit,
            deadline=Deadline(SECONDS),
        )


@contextmanager
def opened(workspace: Workspace, mode: Mode = Mode.DB_ONLY, *, execute: bool = True) -> Iterator[Session]:
    """A session on the workspace's database, in `Mode.FULL` on the points of skills as well."""
    with open_session(
        workspace,
        mode,
        kind=Kind.SKILLS,
        projects=workspace.projects,
        execute=execute,
        deadline=Deadline(SECONDS),
        lock_wait=0.2,
    ) as session:
        yield session


def make_guild(
    folder: Path, database_url: str, *, vectors: bool = False, ledger: bool = False, files: Mapping[str, str] = FILES
) -> Guild:
    """Write the workspace into `folder`, with points in a folder of it and a ledger where asked for."""
    folder.mkdir(parents=True)
    qdrant = {"QDRANT_HOST": str(folder / ".sot/qdrant")} if vectors else {}
    guild = Guild(folder, {"DATABASE_URL": database_url, **qdrant})
    guild.config.write_text('[workspace]\nembedding = "local"\n\n[[project]]\nid = "guild"\n\n[project.skills]\n')
    if ledger:
        (folder / "docs").mkdir()
        (folder / "docs" / "BUILD_HISTORY.md").write_text(BUILDS)
    guild.write(files)
    return guild
