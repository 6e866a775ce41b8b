"""Starting, ending, dying, waiting: what a resident process meets between its batches."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sot_pipeline_tests.faults.conftest import MortalServer
from sot_pipeline_tests.holders import holding
from sot_pipeline_tests.watch.watching import SOT, require_fresh_rows, wait_until, watching
from sot_pipeline_tests.workspaces import BUILDS, Kiln, make_kiln


@pytest.fixture
def kiln(tmp_path: Path, sqlite_url: str) -> Kiln:
    return make_kiln(tmp_path / "kiln", sqlite_url, qdrant=None)


def edit(kiln: Kiln, mark: str) -> None:
    kiln.builds.write_text(BUILDS.replace("the cones cracked above it", f"the cones cracked above it: {mark}"))


def sot(kiln: Kiln, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SOT, *arguments], cwd=kiln.folder, env=kiln.environment, capture_output=True, text=True, check=False
    )


def watcher_status(kiln: Kiln) -> dict[str, object]:
    found: dict[str, object] = json.loads(sot(kiln, "status", "--json").stdout)["watcher"]
    return found


def test_a_start_catches_up_and_a_signal_ends_it_with_0(kiln: Kiln) -> None:
    with watching(kiln, caught_up=False) as watcher:
        line = watcher.next()

        assert line["targets"]["database"]["inserted"] == 4
        assert line["targets"]["readme"] == {"changed": True}
        code, err = watcher.end(signal.SIGINT)
    assert code == 0
    assert "Traceback" not in err
    assert err.count("not reported to Dagster") == 1
    require_fresh_rows(kiln, 0.1)


def test_one_that_was_killed_is_dead_and_the_next_catches_up(kiln: Kiln) -> None:
    with watching(kiln) as watcher:
        assert watcher_status(kiln)["alive"] is True
        watcher.process.kill()
        watcher.process.wait()
    assert watcher_status(kiln)["alive"] is False
    edit(kiln, "nobody watched")

    with watching(kiln, caught_up=False) as watcher:
        assert watcher.next()["targets"]["database"]["updated"] == 1
        code, _ = watcher.end(signal.SIGTERM)

    assert code == 0
    require_fresh_rows(kiln, 0.1)
    said = sot(kiln, "status").stdout
    assert "watcher  dead since" in said


def test_a_second_watcher_of_a_workspace_is_refused(kiln: Kiln) -> None:
    with watching(kiln):
        ended = sot(kiln, "watch")

    assert ended.returncode == 5
    assert "A watcher runs already" in ended.stderr


def test_tables_alone_leave_the_readme_as_it_is(kiln: Kiln) -> None:
    before = kiln.readme.read_text()
    with watching(kiln, "--tables", "sot_entries", caught_up=False) as watcher:
        assert watcher.next()["targets"]["readme"] is None
    assert kiln.readme.read_text() == before


def test_a_root_that_is_missing_comes_goes_and_is_replaced(kiln: Kiln, tmp_path: Path) -> None:
    root = kiln.folder / "mnt" / "project"
    kiln.config.write_text(kiln.config.read_text() + 'root = "mnt/project"\n')
    with watching(kiln) as watcher:
        (root.parent).mkdir()
        shutil.copytree(kiln.builds.parent, root / "docs")
        (root / "README.md").write_text(kiln.readme.read_text())
        wait_until(lambda: len(kiln.rows()) == 4)
        root.rename(tmp_path / "old")
        watcher.next_where(lambda line: any("is gone" in problem["message"] for problem in line["problems"]))
        shutil.copytree(tmp_path / "old", tmp_path / "new")
        (tmp_path / "new" / "docs" / "BUILD_HISTORY.md").write_text(BUILDS.replace("median", "mean"))
        (tmp_path / "new").rename(root)
        require_fresh_rows(kiln)
        (root / "docs" / "BUILD_HISTORY.md").write_text(BUILDS.replace("median", "mode"))
        require_fresh_rows(kiln)


def test_a_lock_of_another_writer_is_waited_for(kiln: Kiln) -> None:
    with watching(kiln) as watcher:
        with kiln.database() as database, holding(database, kiln.workspace().database_url):
            edit(kiln, "while another writes")
            assert watcher.quiet(3.0)
        require_fresh_rows(kiln)
        assert watcher.next()["targets"]["database"]["updated"] == 1


def test_edits_while_qdrant_is_away_reach_rows_and_the_error_is_told(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url, qdrant="http://127.0.0.1:9")
    with watching(kiln, caught_up=False) as watcher:
        wait_until(lambda: len(kiln.rows()) == 4)
        line = watcher.next()
        assert line["exit_code"] == 4
        assert line["targets"]["database"]["inserted"] == 4
        assert watcher_status(kiln)["trouble"] == line["error"]
        edit(kiln, "without points")
        require_fresh_rows(kiln)
        line = watcher.next()
        assert (line["targets"]["database"]["updated"], line["targets"]["vectors"]) == (1, None)
        assert "error" not in line, "the same one is told once"
        assert watcher.end()[0] == 0


def test_points_and_readme_follow_with_the_rows(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    with watching(kiln) as watcher:
        edit(kiln, "embedded")
        line = watcher.next()

    assert line["targets"]["vectors"]["updated"] == 1
    assert kiln.verify().agree


def test_points_agree_after_edits_in_quick_succession(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    with watching(kiln) as watcher:
        for mark in range(5):
            edit(kiln, f"edit {mark}")
            wait_until(lambda mark=mark: f"edit {mark}" in contents(kiln))  # type: ignore[misc]  # bound now
        watcher.next_where(lambda line: line["targets"]["vectors"] and not watcher.lines.qsize())
        wait_until(lambda: kiln.verify().agree)


def test_points_follow_though_somebody_always_writes(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    with watching(kiln) as watcher:
        edit(kiln, "and then")
        end = time.monotonic() + 20
        while not (watcher.lines.qsize() and watcher.next()["targets"]["vectors"]):
            assert time.monotonic() < end
            with kiln.decisions.open("a") as ledger:
                ledger.write("More.\n")
            time.sleep(0.02)


def contents(kiln: Kiln) -> str:
    with kiln.database() as database:
        return " ".join(entry.content for entry in database.entries(database.fingerprints("kiln").keys()).values())


def test_a_database_that_is_away_for_a_while_loses_nothing(tmp_path: Path, mortal_server: MortalServer) -> None:
    url = f"postgresql://postgres@/postgres?host={mortal_server.folder}"
    kiln = make_kiln(tmp_path / "kiln", url, qdrant=None)
    with watching(kiln, "--reconcile-seconds", "1") as watcher:
        edit(kiln, "before")
        assert watcher.next()["targets"]["database"]["updated"] == 1
        mortal_server.kill()
        edit(kiln, "while it is away")
        line = watcher.next()
        assert (line["exit_code"], line["paths"]) == (2, ["docs/BUILD_HISTORY.md"])
        assert watcher.quiet(1.5), "the same error is told once"
        edit(kiln, "while it is still away")
        mortal_server.restart()

        require_fresh_rows(kiln)
        assert watcher.next_where(lambda line: "error" not in line)["targets"]["database"]["updated"] == 1
        assert watcher.end()[0] == 0
