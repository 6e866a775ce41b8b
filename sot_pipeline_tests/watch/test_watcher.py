"""The watcher in this process: what it does where no events come, and that it comes out of silence."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sot_pipeline.errors import LockNotAcquired
from sot_pipeline.runtime.alive import WatcherState, read_state
from sot_pipeline.runtime.events import Events, Hints
from sot_pipeline.runtime.pulse import Pulse
from sot_pipeline.runtime.retry import PAUSES
from sot_pipeline.runtime.stop import Stop
from sot_pipeline.watch.applied import Applied
from sot_pipeline.watch.heart import Heart
from sot_pipeline.watch.sources import open_sources
from sot_pipeline.watch.watcher import Settings, Watcher
from sot_pipeline_tests.watch.watching import require_fresh_rows, wait_until
from sot_pipeline_tests.workspaces import BUILDS, Kiln, make_kiln


class StubDeafEvents(Events):
    """A file system that sends no events, as those on a network do for what others write."""

    def __init__(self) -> None:
        super().__init__()
        self.watches = 0

    def watch(self, folders: Collection[str]) -> None:  # noqa: ARG002  # it would not hear of them
        self.watches += 1

    def wait(self, seconds: float) -> Hints:
        threading.Event().wait(seconds)
        return Hints()


@pytest.fixture
def kiln(tmp_path: Path, sqlite_url: str) -> Kiln:
    return make_kiln(tmp_path / "kiln", sqlite_url, qdrant=None)


@contextmanager
def running(kiln: Kiln, events: Events, patience: float = 0.2, reconcile: float = 60.0) -> Iterator[list[Applied]]:
    """A watcher in a thread, with a quick pulse, once it has caught up."""
    workspace = kiln.workspace()
    told: list[Applied] = []
    heart = Heart(
        kiln.folder / ".sot" / "watch",
        sources=("ledgers",),
        projects=("kiln",),
        pulse=Pulse(interval=0.3, patience=patience),
    )
    stop = Stop()
    sources = open_sources(workspace, workspace.projects, "ledgers")
    watcher = Watcher(workspace.projects, sources, heart, told.append, stop, Settings(reconcile=reconcile), events)
    thread = threading.Thread(target=watcher.run)
    thread.start()
    try:
        wait_until(lambda: bool(told))
        yield told
    finally:
        stop.ask()
        thread.join(10)
    assert not thread.is_alive()


def test_an_error_is_told_once_after_all_tries_and_gone_when_it_is_mended(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    kiln = make_kiln(tmp_path / "kiln", f"sqlite:///{folder}/sot.db", qdrant=None)
    started = time.monotonic()
    with running(kiln, Events(), reconcile=0.2) as told:
        assert time.monotonic() - started > sum(PAUSES)
        wait_until(lambda: state(kiln).trouble is not None)
        folder.mkdir(parents=True)
        wait_until(lambda: len(told) > 1)

        assert [applied.result.error is None for applied in told] == [False, True]
        wait_until(lambda: state(kiln).trouble is None)
        require_fresh_rows(kiln, 0.1)


def test_files_on_another_file_system_than_the_probe_are_polled(kiln: Kiln) -> None:
    """What the probe proves holds for its own file system only."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        assert Path(elsewhere).stat().st_dev != kiln.folder.stat().st_dev
        shutil.copytree(kiln.builds.parent, Path(elsewhere) / "docs")
        kiln.config.write_text(f'[[project]]\nid = "kiln"\nroot = "{elsewhere}"\n')
        with running(kiln, StubDeafEvents(), patience=60.0):
            ledger = Path(elsewhere) / "docs" / "BUILD_HISTORY.md"
            ledger.write_text(BUILDS.replace("median", "mean"))

            require_fresh_rows(kiln, 5)
            assert not state(kiln).polling


def state(kiln: Kiln) -> WatcherState:
    found = read_state(kiln.folder / ".sot" / "watch")
    assert found
    return found


def test_where_no_probe_comes_back_files_are_polled(kiln: Kiln) -> None:
    events = StubDeafEvents()
    with running(kiln, events):
        wait_until(lambda: state(kiln).polling, 5)
        kiln.builds.write_text(BUILDS.replace("median", "mean"))

        require_fresh_rows(kiln, 5)
        assert events.watches > 2, "silence renews the watch"
    assert state(kiln).ended_at


def test_a_silent_watch_is_renewed_and_lives_on(kiln: Kiln) -> None:
    """The folder of the probe is replaced, so that the old watch is deaf for it."""
    with running(kiln, Events()):
        folder = kiln.folder / ".sot" / "watch"
        folder.rename(folder.with_name("old"))
        wait_until(lambda: (folder / "state.json").exists(), 5)
        first = state(kiln).beat_at
        wait_until(lambda: state(kiln).beat_at > first, 5)

        assert not state(kiln).polling
        kiln.builds.write_text(BUILDS.replace("median", "mean"))
        require_fresh_rows(kiln, 5)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    heart = Heart(tmp_path / "file" / "watch", sources=(), projects=(), pulse=Pulse())

    with pytest.raises(LockNotAcquired, match="cannot be used"), heart.alone():
        raise AssertionError("not reached")
