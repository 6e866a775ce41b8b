"""`sot watch` as a real process on real files: whatever happens to them, the rows are those of a fresh sync."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sot_pipeline_tests.watch.watching import Watching, digest, fresh_digest, require_fresh_rows, wait_until, watching
from sot_pipeline_tests.workspaces import BUILDS, DECISIONS, README, Kiln, make_kiln

# The queue of inotify holds 16,384 events, unless the system says otherwise; a new file makes three.
FLOOD = 6_000


@pytest.fixture(scope="module")
def kiln(tmp_path_factory: pytest.TempPathFactory) -> Kiln:
    folder = tmp_path_factory.mktemp("watched")
    return make_kiln(folder / "kiln", f"sqlite:///{folder / 'sot.db'}", qdrant=None)


@pytest.fixture(scope="module")
def _watcher(kiln: Kiln) -> Iterator[Watching]:
    """One watcher for the tests of this module; each leaves the files whole."""
    with watching(kiln) as found:
        yield found


@pytest.fixture
def watcher(kiln: Kiln, _watcher: Watching) -> Watching:
    """The watcher, with the original files in agreement and nothing left to be said."""
    kiln.builds.write_text(BUILDS)
    kiln.decisions.write_text(DECISIONS)
    require_fresh_rows(kiln)
    while not _watcher.quiet(0.3):
        pass
    return _watcher


def edited(text: str, mark: object) -> str:
    return text.replace("the cones cracked above it", f"the cones cracked above it, {mark}")


def test_an_edit_is_applied_and_told_with_the_counts_of_a_sync(kiln: Kiln, watcher: Watching) -> None:
    kiln.builds.write_text(edited(BUILDS, "twice"))

    line = watcher.next()

    assert (line["project_id"], line["source"], line["paths"]) == ("kiln", "ledgers", ["docs/BUILD_HISTORY.md"])
    assert line["targets"]["database"] == {"inserted": 0, "updated": 1, "deleted": 0, "unchanged": 3}
    assert line["targets"]["vectors"] is None
    assert line["targets"]["readme"] == {"changed": False}
    assert isinstance(line["milliseconds"], int)
    assert digest(kiln) == fresh_digest(kiln)


def test_the_readme_follows_and_its_own_write_is_no_change(kiln: Kiln, watcher: Watching) -> None:
    kiln.builds.write_text(BUILDS + "\n### BUILD-4 | 2026-02-04 | Feature | Cooling curve\n\nSlowly.\n")

    assert watcher.next()["targets"]["readme"] == {"changed": True}
    assert watcher.quiet()
    assert kiln.readme.read_text() != README


def test_same_content_or_new_permissions_are_no_write(kiln: Kiln, watcher: Watching) -> None:
    kiln.builds.write_text(BUILDS)
    kiln.builds.chmod(0o600)
    os.utime(kiln.decisions)

    assert watcher.quiet()


def test_files_saved_by_rename_are_followed(kiln: Kiln, watcher: Watching) -> None:
    for mark in range(3):
        draft = kiln.builds.with_name(".BUILD_HISTORY.md.swp")
        draft.write_text(edited(BUILDS, mark))
        draft.replace(kiln.builds)
        assert watcher.next()["targets"]["database"]["updated"] == 1

    require_fresh_rows(kiln)


def test_a_deleted_ledger_is_quarantined_and_followed_again_when_it_is_back(kiln: Kiln, watcher: Watching) -> None:
    before = digest(kiln)
    kiln.builds.unlink()

    line = watcher.next()

    assert "The ledger is gone" in line["problems"][0]["message"]
    assert line["targets"]["database"]["deleted"] == 0
    assert digest(kiln) == before
    kiln.builds.write_text(edited(BUILDS, "back"))
    require_fresh_rows(kiln)


def test_a_ledger_renamed_away_and_back_is_followed(kiln: Kiln, watcher: Watching) -> None:
    away = kiln.builds.with_name("OLD.md")
    kiln.builds.rename(away)
    assert watcher.next()["problems"]
    away.write_text(edited(BUILDS, "away"))
    away.rename(kiln.builds)

    assert watcher.next()["targets"]["database"]["updated"] == 1
    require_fresh_rows(kiln)


def test_a_folder_renamed_away_and_back_is_followed(kiln: Kiln, watcher: Watching) -> None:
    docs = kiln.builds.parent
    docs.rename(kiln.folder / "papers")
    assert len(watcher.next()["problems"]) == 2
    (kiln.folder / "papers" / "BUILD_HISTORY.md").write_text(edited(BUILDS, "elsewhere"))
    (kiln.folder / "papers").rename(docs)
    require_fresh_rows(kiln)

    while not watcher.quiet(0.3):
        pass
    kiln.builds.write_text(edited(BUILDS, "after that"))
    assert watcher.next()["targets"]["database"]["updated"] == 1


def test_a_root_that_is_replaced_is_followed(kiln: Kiln, watcher: Watching, tmp_path: Path) -> None:
    docs = kiln.builds.parent
    shutil.copytree(docs, tmp_path / "docs")
    (tmp_path / "docs" / "BUILD_HISTORY.md").write_text(edited(BUILDS, "replaced"))
    shutil.rmtree(docs)
    shutil.move(tmp_path / "docs", docs)
    require_fresh_rows(kiln)

    while not watcher.quiet(0.3):
        pass
    kiln.builds.write_text(edited(BUILDS, "after that"))
    assert watcher.next()["targets"]["database"]["updated"] == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (BUILDS.encode("utf-16"), "The ledger is no text"),
        (b"\x00\xff\xfe" * 100, "The ledger is no text"),
        (b"x" * (2 * 1024 * 1024), "The ledger is larger than 1 MiB"),
    ],
    ids=["utf-16", "binary", "huge"],
)
def test_a_ledger_that_cannot_be_used_is_quarantined_and_the_other_goes_on(
    tmp_path: Path, sqlite_url: str, data: bytes, said: str
) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url, qdrant=None)
    kiln.config.write_text(kiln.config.read_text().replace("[workspace]\n", "[workspace]\nmax_ledger_mib = 1\n"))
    with watching(kiln) as watcher:
        kiln.builds.write_bytes(data)
        kiln.decisions.write_text(DECISIONS.replace("porcelain", "stoneware"))
        lines = [watcher.next()]
        while not watcher.lines.empty() or not any(line["problems"] for line in lines):
            lines.append(watcher.next())

        assert any(said in problem["message"] for line in lines for problem in line["problems"])
        wait_until(lambda: "stoneware" in _contents(kiln))
        assert {"BUILD-1", "BUILD-2", "BUILD-3"} <= kiln.rows().keys()
        kiln.builds.write_text(BUILDS)
        require_fresh_rows(kiln)


def _contents(kiln: Kiln) -> str:
    with kiln.database() as database:
        return " ".join(entry.content for entry in database.entries(database.fingerprints("kiln").keys()).values())


def test_a_loop_of_links_hurts_nobody(kiln: Kiln, watcher: Watching) -> None:
    loop = kiln.builds.parent / "loop"
    loop.symlink_to(kiln.folder)
    kiln.decisions.unlink()
    kiln.decisions.symlink_to(kiln.decisions.name)
    assert watcher.next()["problems"]
    kiln.decisions.unlink()
    kiln.decisions.write_text(DECISIONS.replace("porcelain", "raku"))
    require_fresh_rows(kiln)
    loop.unlink()


def test_a_linked_ledger_is_followed_where_it_really_is(kiln: Kiln, watcher: Watching) -> None:
    real = kiln.folder / "elsewhere" / "REAL.md"
    real.parent.mkdir()
    real.write_text(BUILDS)
    kiln.builds.unlink()
    kiln.builds.symlink_to(real)
    require_fresh_rows(kiln)
    while not watcher.quiet(0.3):
        pass
    real.write_text(edited(BUILDS, "through a link"))

    assert watcher.next()["targets"]["database"]["updated"] == 1
    kiln.builds.unlink()
    kiln.builds.write_text(BUILDS)
    shutil.rmtree(real.parent)
    require_fresh_rows(kiln)


def test_more_events_than_the_queue_holds_lose_nothing(kiln: Kiln, watcher: Watching) -> None:
    docs = kiln.builds.parent
    os.kill(watcher.process.pid, signal.SIGSTOP)
    try:
        for number in range(FLOOD):
            os.close(os.open(f"{docs}/note-{number}", os.O_CREAT | os.O_WRONLY))
        kiln.builds.write_text(edited(BUILDS, "in the flood"))
    finally:
        os.kill(watcher.process.pid, signal.SIGCONT)
    require_fresh_rows(kiln)

    for note in docs.glob("note-*"):
        note.unlink()


def test_a_name_that_is_no_text_stops_nothing(kiln: Kiln, watcher: Watching) -> None:
    strange = kiln.builds.parent / os.fsdecode(b"\xff\xfe.md")
    strange.touch()
    kiln.builds.write_text(edited(BUILDS, "beside a strange name"))
    require_fresh_rows(kiln)
    strange.unlink()
    kiln.builds.write_text(edited(BUILDS, "without it"))

    require_fresh_rows(kiln)


def test_a_continuous_writer_is_followed_while_it_writes(kiln: Kiln, watcher: Watching) -> None:
    end = time.monotonic() + 2.5
    with kiln.builds.open("a") as ledger:
        while time.monotonic() < end:
            ledger.write(f"Cone {time.monotonic()} bent.\n")
            ledger.flush()
            time.sleep(0.01)
    batches = watcher.lines.qsize()
    require_fresh_rows(kiln)

    assert batches >= 1


def test_status_tells_that_it_lives(kiln: Kiln, watcher: Watching) -> None:
    wait_until(lambda: _state(kiln)["beat_at"] > time.time() - 1.5)

    assert _state(kiln)["process"]["pid"] == watcher.process.pid
    assert _state(kiln)["polling"] is False


def _state(kiln: Kiln) -> dict[str, object]:
    found: dict[str, object] = json.loads((kiln.folder / ".sot" / "watch" / "state.json").read_text())
    return found
