"""Real folders, real events. They are hints: what is tested is that they come, or that the loss is told."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sot_pipeline.runtime.events import Events


@pytest.fixture
def events() -> Iterator[Events]:
    found = Events()
    yield found
    found.close()


def hinted(events: Events, path: Path, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if str(path) in events.wait(0.1).paths:
            return True
    return False


def test_a_write_in_a_watched_folder_is_hinted_at(tmp_path: Path, events: Events) -> None:
    events.watch({str(tmp_path)})
    (tmp_path / "a.md").write_text("a")

    assert hinted(events, tmp_path / "a.md")


def test_folders_below_a_watched_one_are_not_watched(tmp_path: Path, events: Events) -> None:
    below = tmp_path / "below"
    below.mkdir()
    events.watch({str(tmp_path)})
    (below / "a.md").write_text("a")
    (tmp_path / "b.md").write_text("b")

    found = events.wait(5.0).paths

    assert str(tmp_path / "b.md") in found
    assert str(below / "a.md") not in found


def test_a_folder_that_is_gone_keeps_no_other_from_being_watched(tmp_path: Path, events: Events) -> None:
    events.watch({str(tmp_path), str(tmp_path / "none")})
    (tmp_path / "a.md").write_text("a")

    assert hinted(events, tmp_path / "a.md")


def test_without_a_watch_every_wait_tells_of_a_loss(events: Events) -> None:
    assert events.wait(0.01).lost


def test_a_name_that_is_no_utf_8_is_a_loss_and_a_new_watch_works(tmp_path: Path, events: Events) -> None:
    events.watch({str(tmp_path)})
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.md")).write_text("a")

    assert events.wait(5.0).lost
    events.watch({str(tmp_path)})
    (tmp_path / "a.md").write_text("a")
    assert hinted(events, tmp_path / "a.md")
