"""`sot watch` on code that is embedded: points follow the rows, and rows wait for nobody."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from sot_pipeline.outcome import Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import open_session
from sot_pipeline.steps.points import points_present
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.points import entry_hashes
from sot_pipeline_tests.stubs.openai_server import Fault, StubOpenAIServer
from sot_pipeline_tests.watch.watching import wait_until, watching
from sot_pipeline_tests.workspaces import Kiln


def hashes(kiln: Kiln) -> dict[str, str]:
    """Path → content hash of every row."""
    with kiln.database() as database:
        return CodeIndex(database, "kiln").fingerprints(CodeTable.FILES)


@pytest.fixture
def service() -> Iterator[StubOpenAIServer]:
    with StubOpenAIServer() as found:
        yield found


@pytest.fixture
def embedding(tmp_path: Path, sqlite_url: str, service: StubOpenAIServer) -> Kiln:
    """A kiln whose code is embedded by `service`."""
    folder = tmp_path / "embedding"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "fire.py").write_text("x = 0\n")
    (folder / "sot.toml").write_text(
        '[workspace]\nembedding = "openai:stub"\nembedding_dimension = 8\nqdrant = ".sot/qdrant"\n'
        '[[project]]\nid = "kiln"\n[project.code]\ninclude = ["src/**"]\nembed = true\n'
    )
    return Kiln(folder, {"DATABASE_URL": sqlite_url, "OPENAI_BASE_URL": service.base_url, "OPENAI_API_KEY": "k"})


def points_of(kiln: Kiln) -> dict[str, str]:
    """Path → content hash of the files that have points."""
    collection = CollectionId("kiln", Kind.CODE)
    workspace = kiln.workspace()
    with open_session(workspace, Mode.FULL, projects=(), execute=False, deadline=Deadline(60), embeds=False) as session:
        listed = points_present(session, collection, deep=True)
    return {record.entry_id: stored for record, stored in entry_hashes(listed, collection).items()}


def require_points(kiln: Kiln) -> None:
    """Wait until the points are those of the rows."""
    wait_until(lambda: points_of(kiln) == hashes(kiln))


def test_points_come_after_the_rows_and_with_tables_not_at_all(embedding: Kiln, service: StubOpenAIServer) -> None:
    with watching(embedding, "--sources", "code", "--tables", "code_files") as watcher:
        (embedding.folder / "src" / "fire.py").write_text("x = 1\n")
        assert list(watcher.next()["targets"]) == ["code_files", "codebase_metadata"]
    assert service.requests == []

    with watching(embedding, "--sources", "code", caught_up=False) as watcher:
        assert watcher.next()["targets"]["points"]["inserted"] == 1
        (embedding.folder / "src" / "glaze.py").write_text("y = 1\n")
        assert watcher.next()["targets"]["points"]["inserted"] == 1
        shutil.rmtree(embedding.folder / "src")
        wait_until(lambda: points_of(embedding) == {})
        assert watcher.end()[0] == 0


def test_while_the_embedding_service_is_away_rows_follow_and_points_come_later(
    embedding: Kiln, service: StubOpenAIServer
) -> None:
    with watching(embedding, "--sources", "code") as watcher:
        require_points(embedding)
        service.script(*[Fault(status=503, delay=0.3)] * 5)
        before = points_of(embedding)
        for number in range(5):
            text = f"z = {number}\n"
            (embedding.folder / "src" / "fire.py").write_text(text)
            wanted = {"src/fire.py": sha256(text.encode()).hexdigest()}
            wait_until(lambda wanted=wanted: hashes(embedding) == wanted, 5.0)
        assert points_of(embedding) == before, "nothing was embedded yet"

        require_points(embedding)
        assert watcher.end()[0] == 0
