from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sot_pipeline.runtime.alive import SILENT_AFTER_SECONDS, WatcherState, read_state, write_state
from sot_pipeline.runtime.process import this_process

NOW = 1_800_000_000.0


@pytest.fixture
def state() -> WatcherState:
    return WatcherState(this_process(), NOW - 60, NOW - 1, ("ledgers",), ("kiln",))


def test_state_survives_the_file(tmp_path: Path, state: WatcherState) -> None:
    write_state(tmp_path / "new", state)

    assert read_state(tmp_path / "new") == state


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"process": 1}', '{"process": {}}'])
def test_what_cannot_be_read_is_no_watcher(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)

    assert read_state(tmp_path) is None
    assert read_state(tmp_path / "missing") is None


def test_a_running_watcher_is_alive_since_it_started(state: WatcherState) -> None:
    assert state.is_alive(NOW)
    assert state.document(NOW)["since"] == "2027-01-15T07:59:00+00:00"


def test_a_running_watcher_that_sees_nothing_is_dead_since_it_last_did(state: WatcherState) -> None:
    later = NOW + SILENT_AFTER_SECONDS

    assert not state.is_alive(later)
    assert state.since(later) == state.beat_at
    assert replace(state, busy_since=NOW).is_alive(later)


def test_a_killed_watcher_is_dead_at_once(state: WatcherState) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = replace(state.process, pid=child.pid, started=0)

    assert replace(state, process=process).is_alive(NOW)
    child.kill()
    child.communicate()

    assert not replace(state, process=process, busy_since=NOW).is_alive(NOW)
    assert child.pid != os.getpid()


def test_a_watcher_that_was_ended_is_dead_since_then(state: WatcherState) -> None:
    ended = replace(state, ended_at=NOW - 0.5)

    assert (ended.is_alive(NOW), ended.since(NOW)) == (False, NOW - 0.5)
