"""A small project with source files, and what can be done with its code index."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sot_pipeline.index_points import PointsReport, index_points
from sot_pipeline.outcome import CodeAgreement, CodeOutcome, Disagreement, Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session, open_session
from sot_pipeline.steps.code import sync_code
from sot_pipeline.steps.points import points_present
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import CodeTable, StoredMetadata
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.verify_code import verify_code, verify_code_points
from sot_pipeline.workspace import Workspace, load_workspace
from sot_pipeline_tests.workspaces import SECONDS

KILN = '''"""Fires pots."""


class Kiln:
    """One kiln."""

    def fire(self, cone: int) -> str:
        """Heat until `cone` bends."""
        if cone > 10:
            return "too hot"
        return "fired"
'''
GLAZE = "from kiln import Kiln\n\n\ndef glaze(pot: str) -> str:\n    return Kiln().fire(6) + pot\n"
CODE = CollectionId("studio", Kind.CODE)
FILES = {"src/kiln.py": KILN, "src/glaze.py": GLAZE, "src/empty.py": ""}

MERGE = "x = 1\n<<<<<<< ours\ny = 1\n=======\ny = 2\n>>>>>>> theirs\n"
# Source files that are read in part or not at all, and some that only look so.
BAD: Mapping[str, str | bytes] = {
    "src/huge.py": b"x = 1\n" * 700_000,
    "src/binary.py": bytes(range(256)) * 20,
    "src/nul.py": b"x = 1\n\0\ny = 2\n",
    "src/minified.py": "x = [" + "1, " * 20_000 + "]",
    "src/deep.py": "x = " + "[" * 20_000 + "]" * 20_000 + "\n",
    "src/latin1.py": b"name = '\xfcbung'\n",
    "src/merge.py": MERGE,
    "src/syntax.py": "def broken(:\n    pass\n\n\ndef sound():\n    return 1\n",
    "src/crlf.py": "def a():\r\n    return 1\r\n",
    "src/bom.py": b"\xef\xbb\xbfdef a():\n    return 1\n",
    "src/hostile.py": "def a(): return '\x1b[31m\u202e<script>'\n",
    "src/blank.py": "\n\n\n",
    "src/no_newline.py": "x = 1",
}


@dataclass(frozen=True)
class Studio:
    """A workspace on disk: one project, `studio`, whose code is below `src`."""

    folder: Path
    environment: dict[str, str]

    @property
    def config(self) -> Path:
        return self.folder / "sot.toml"

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def workspace(self) -> Workspace:
        return load_workspace(self.config, env=self.environment)

    def index(
        self,
        *,
        execute: bool = True,
        deadline: Deadline | None = None,
        paths: Collection[str] | None = None,
        tables: Collection[CodeTable] = tuple(CodeTable),
        coverage: Path | None = None,
        **options: bool,
    ) -> CodeOutcome:
        """Index once; `deadline` begins when the session is open."""
        workspace = self.workspace()
        with opened(workspace, execute=execute) as session:
            if deadline:
                session = replace(session, deadline=deadline)
            return sync_code(
                session,
                workspace.projects[0],
                execute=execute,
                paths=paths,
                tables=tables,
                coverage=coverage,
                **options,
            )

    def embed(self, *, execute: bool = True, deadline: Deadline | None = None, **options: bool) -> PointsReport:
        """Bring the points up to date once."""
        workspace = self.workspace()
        until = deadline or Deadline(SECONDS)
        return index_points(workspace, workspace.projects, execute=execute, deadline=until, lock_wait=0.2, **options)

    def points(self) -> dict[str, str]:
        """Key → fingerprint of every point, hashed anew."""
        with opened(self.workspace(), Mode.FULL, execute=False) as session:
            return points_present(session, CODE, deep=True)

    def verify_points(self) -> Disagreement:
        workspace = self.workspace()
        with opened(workspace, Mode.FULL, execute=False) as session:
            return verify_code_points(session, workspace.projects[0])

    def verify(self) -> CodeAgreement:
        workspace = self.workspace()
        with opened(workspace, execute=False) as session:
            return verify_code(session, workspace.projects[0])

    def database(self) -> Database:
        return Database(self.workspace().database_url)

    def metadata(self, path: str) -> StoredMetadata:
        """The row of one file."""
        with self.database() as database:
            found = CodeIndex(database, "studio").metadata(path)
        assert found is not None, path
        return found

    def rows(self, table: CodeTable = CodeTable.FILES) -> dict[str, str]:
        """Path → hash of every row."""
        with self.database() as database:
            return CodeIndex(database, "studio").fingerprints(table)


@contextmanager
def opened(workspace: Workspace, mode: Mode = Mode.DB_ONLY, *, execute: bool = True) -> Iterator[Session]:
    """A session on the workspace's database, in `Mode.FULL` on its points as well."""
    with open_session(
        workspace,
        mode,
        kind=Kind.CODE,
        projects=workspace.projects,
        execute=execute,
        deadline=Deadline(SECONDS),
        lock_wait=0.2,
    ) as session:
        yield session


EMBEDDED = 'include = ["src/**"]\nembed = true'


def make_studio(
    folder: Path, database_url: str, files: Mapping[str, str | bytes] = FILES, code: str = 'include = ["src/**"]'
) -> Studio:
    """Write the workspace into `folder`; where `code` is `EMBEDDED`, points go to a folder in it."""
    folder.mkdir(parents=True)
    qdrant = {"QDRANT_HOST": str(folder / ".sot/qdrant")} if code == EMBEDDED else {}
    studio = Studio(folder, {"DATABASE_URL": database_url, **qdrant})
    studio.config.write_text(
        f'[workspace]\nembedding = "local"\n\n[[project]]\nid = "studio"\n\n[project.code]\n{code}\n'
    )
    studio.write(files)
    return studio
