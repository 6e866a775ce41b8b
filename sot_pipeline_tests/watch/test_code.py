"""`sot watch` on source files: whatever happens to them, the rows are those of a fresh index."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sot_pipeline.index_code import index_projects
from sot_pipeline.outcome import Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import open_session
from sot_pipeline.steps.code import code_index
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.workspace import Workspace, load_workspace
from sot_pipeline_tests.code_workspaces import BAD
from sot_pipeline_tests.faults.conftest import MortalServer
from sot_pipeline_tests.watch.test_watch import FLOOD
from sot_pipeline_tests.watch.watching import SOT, Watching, wait_until, watching
from sot_pipeline_tests.workspaces import Kiln

FIRE = "def fire(cone: int) -> int:\n    return cone if cone > 0 else 1\n"
NOT_UTF8 = os.fsdecode(b"caf\xe9.py")


@pytest.fixture
def kiln(tmp_path: Path, database_url: str) -> Kiln:
    return make_kiln(tmp_path, database_url)


def make_kiln(place: Path, database_url: str) -> Kiln:
    folder = place / "kiln"
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "src" / "fire.py").write_text(FIRE)
    (folder / "src" / "deep" / "glaze.py").write_text("GLAZE = 'celadon'\n")
    (folder / "sot.toml").write_text('[[project]]\nid = "kiln"\n[project.code]\ninclude = ["src/**"]\n')
    return Kiln(folder, {"DATABASE_URL": database_url})


def rows(workspace: Workspace) -> dict[str, tuple[object, ...]]:
    """Path → everything that both tables hold of it, times apart."""
    project = workspace.project("kiln")
    with open_session(workspace, Mode.DB_ONLY, projects=(project,), execute=False, deadline=Deadline(60)) as session:
        index = code_index(session, project)
        files, metadata = (index.fingerprints(table) for table in CodeTable)
        texts = index.texts(files)
        symbols = {file.path: file for file in index.symbols(("",), session.deadline)}
        stored = {path: index.metadata(path) for path in metadata}
        return {
            path: (files.get(path), texts.get(path), symbols.get(path), found and (found.content_hash, found.metrics))
            for path in sorted({*files, *metadata})
            for found in (stored.get(path),)
        }


def fresh_rows(kiln: Kiln) -> dict[str, tuple[object, ...]]:
    """What a first index of the files as they are now makes."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = load_workspace(kiln.config, env={"DATABASE_URL": f"sqlite:///{folder}/fresh.db"})
        report = index_projects(workspace, workspace.projects, execute=True, full=False, deadline=Deadline(60))
        assert report.exit_code == 0
        return rows(workspace)


def require_fresh_rows(kiln: Kiln, *paths: str) -> None:
    """Wait until the rows are those of a fresh index, which has exactly these files below src/."""
    wanted = fresh_rows(kiln)
    assert sorted(wanted) == sorted(f"src/{path}" for path in paths)
    wait_until(lambda: rows(kiln.workspace()) == wanted)


@pytest.fixture
def watcher(kiln: Kiln) -> Iterator[Watching]:
    with watching(kiln, "--sources", "code") as found:
        yield found


def test_rows_follow_whatever_happens_to_the_files(kiln: Kiln, watcher: Watching) -> None:
    source = kiln.folder / "src"
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py")

    (source / "fire.py").write_text(FIRE.replace("> 0", "> 1"))
    line = watcher.next()
    one = {"inserted": 0, "updated": 1, "deleted": 0, "unchanged": 0}
    assert (line["source"], line["paths"]) == ("code", ["src/fire.py"])
    assert line["targets"] == {"code_files": one, "codebase_metadata": one}
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py")

    (source / "new" / "folders").mkdir(parents=True)
    (source / "new" / "folders" / "ash.go").write_text("package ash\n")
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py", "new/folders/ash.go")

    (source / "new" / "folders" / "ash.go").write_text("package ash\n\nvar Tons = 3\n")
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py", "new/folders/ash.go")

    (source / "new").rename(source / "kept")
    (source / "fire.py").rename(source / "burn.py")
    require_fresh_rows(kiln, "burn.py", "deep/glaze.py", "kept/folders/ash.go")

    (source / "burn.new").write_text(FIRE)
    (source / "burn.new").replace(source / "burn.py")
    require_fresh_rows(kiln, "burn.py", "deep/glaze.py", "kept/folders/ash.go")

    (kiln.folder / ".gitignore").write_text("deep/\n")
    require_fresh_rows(kiln, "burn.py", "kept/folders/ash.go")

    (kiln.folder / ".gitignore").unlink()
    shutil.rmtree(source / "kept")
    require_fresh_rows(kiln, "burn.py", "deep/glaze.py")


def test_names_links_and_bytes_of_any_kind_do_not_end_it(kiln: Kiln, watcher: Watching) -> None:
    source = kiln.folder / "src"
    (source / NOT_UTF8).write_bytes(b"CONE = 1\n")
    (source / "nul.py").write_bytes(b"a = 1\0\n")
    (source / "latin.py").write_bytes(b"# caf\xe9\n")
    (source / "loop").symlink_to(source)
    (source / "notes.txt").write_text("no source file")
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py", r"caf\xe9.py", "nul.py", "latin.py")

    (source / NOT_UTF8).write_bytes(b"CONE = 2\n")
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py", r"caf\xe9.py", "nul.py", "latin.py")

    (source / NOT_UTF8).unlink()
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py", "nul.py", "latin.py")
    code, err = watcher.end()
    assert (code, "Traceback" in err) == (0, False)


def test_files_that_cannot_be_indexed_wholly_do_not_end_it(kiln: Kiln, watcher: Watching) -> None:
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py")

    for path, content in BAD.items():
        (kiln.folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    bad = [path.removeprefix("src/") for path in BAD]
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py", *bad)

    for path in BAD:
        (kiln.folder / path).write_text("MENDED = True\n")
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py", *bad)
    assert "Traceback" not in watcher.end()[1]


def test_more_events_than_the_queue_holds_lose_no_source_file(kiln: Kiln, watcher: Watching) -> None:
    source = kiln.folder / "src"
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py")
    os.kill(watcher.process.pid, signal.SIGSTOP)
    try:
        for number in range(FLOOD):
            os.close(os.open(f"{source}/note-{number}", os.O_CREAT | os.O_WRONLY))
        (source / "fire.py").unlink()
        (source / "deep" / "glaze.py").write_text("GLAZE = 'ash'\n")
        (source / "ash.py").write_text("ASH = 1\n")
    finally:
        os.kill(watcher.process.pid, signal.SIGCONT)

    require_fresh_rows(kiln, "ash.py", "deep/glaze.py")


def test_files_that_change_while_the_database_is_away_are_indexed_when_it_is_back(
    tmp_path: Path, mortal_server: MortalServer
) -> None:
    kiln = make_kiln(tmp_path, f"postgresql://postgres@/postgres?host={mortal_server.folder}")
    with watching(kiln, "--reconcile-seconds", "1") as watcher:
        require_fresh_rows(kiln, "fire.py", "deep/glaze.py")
        mortal_server.kill()
        (kiln.folder / "src" / "fire.py").write_text("FIRE = 1\n")
        assert watcher.next_where(lambda line: "error" in line)["exit_code"] == 2
        (kiln.folder / "src" / "deep" / "glaze.py").unlink()
        (kiln.folder / "src" / "late.py").write_text("LATE = 2\n")
        mortal_server.restart()

        require_fresh_rows(kiln, "fire.py", "late.py")
        assert watcher.end()[0] == 0


def test_the_same_bytes_and_a_new_mode_write_nothing(kiln: Kiln, watcher: Watching) -> None:
    require_fresh_rows(kiln, "fire.py", "deep/glaze.py")

    (kiln.folder / "src" / "fire.py").write_text(FIRE)
    (kiln.folder / "src" / "fire.py").chmod(0o600)

    assert watcher.quiet(0.8)


def test_a_root_that_is_away_keeps_its_rows_and_is_followed_when_it_is_back(kiln: Kiln, tmp_path: Path) -> None:
    root, away = tmp_path / "tree", tmp_path / "away"
    (kiln.folder / "src").rename(tmp_path / "src")
    root.mkdir()
    (tmp_path / "src").rename(root / "src")
    kiln.config.write_text(f'[[project]]\nid = "kiln"\nroot = "{root}"\n[project.code]\n')
    with watching(kiln, "--sources", "code", "--reconcile-seconds", "0.5") as watcher:
        require_fresh_rows(kiln, "fire.py", "deep/glaze.py")
        before = rows(kiln.workspace())
        root.rename(away)
        line = watcher.next_where(lambda found: "error" in found)
        assert "cannot be listed" in line["error"]
        root.mkdir()
        root.rmdir()
        (away / "src" / "fire.py").write_text("FIRE = 1\n")
        away.rename(root)
        require_fresh_rows(kiln, "fire.py", "deep/glaze.py")
        assert rows(kiln.workspace()) != before


def test_tables_that_are_not_asked_for_are_left_alone(kiln: Kiln) -> None:
    with watching(kiln, "--tables", "code_files") as watcher:
        (kiln.folder / "src" / "fire.py").write_text("FIRE = 1\n")
        assert watcher.next()["targets"]["codebase_metadata"] is None
        found = rows(kiln.workspace())

    assert {path: metadata for path, (*_, metadata) in found.items()} == {
        "src/deep/glaze.py": None,
        "src/fire.py": None,
    }


def test_a_source_that_no_project_has_is_refused(kiln: Kiln) -> None:
    kiln.config.write_text('[[project]]\nid = "kiln"\n')
    done = subprocess.run(
        [SOT, "watch", "--sources", "code"],
        cwd=kiln.folder,
        env={**os.environ, **kiln.environment},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 4
    assert "No project has code to watch." in done.stderr
