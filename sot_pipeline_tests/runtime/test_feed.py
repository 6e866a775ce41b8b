"""Lines for a real child process: answered, offered again where it died, given up aloud."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sot_pipeline.errors import ConfigError
from sot_pipeline.runtime import feed as feeds
from sot_pipeline.runtime.feed import Feed, child_process

# Notes every line, and dies unanswered at the first that says so.
CHILD = """
import os, pathlib, sys
for line in sys.stdin:
    with open("seen", "a") as seen:
        seen.write(line)
    died = pathlib.Path("died")
    if "die" in line and not died.exists():
        died.touch()
        os._exit(1)
    print("ok", flush=True)
"""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "PAUSES", (0.01, 0.02))


def starter(folder: Path, code: str = CHILD) -> Callable[[], subprocess.Popen[str]]:
    return lambda: child_process((sys.executable, "-c", code), folder, dict(os.environ))


def seen(folder: Path, count: int) -> list[str]:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if (folder / "seen").exists() and len(lines := (folder / "seen").read_text().split()) >= count:
            return lines
        time.sleep(0.01)
    raise AssertionError("lines did not arrive")


def test_a_line_whose_child_died_is_offered_to_the_next(tmp_path: Path) -> None:
    complaints: list[str] = []
    feed = Feed(starter(tmp_path), complaints.append)
    for line in ("one", "die", "three"):
        feed.offer(line)

    assert seen(tmp_path, 4) == ["one", "die", "die", "three"]
    feed.close()
    assert complaints == []


def test_a_child_that_never_answers_is_given_up_aloud(tmp_path: Path) -> None:
    complaints: list[str] = []
    feed = Feed(starter(tmp_path, "raise SystemExit(1)"), complaints.append)
    feed.offer("one")
    end = time.monotonic() + 10
    while not complaints and time.monotonic() < end:
        time.sleep(0.01)
    feed.close()

    assert complaints == ["A batch was not reported: the reporter ended without an answer."]


def test_a_child_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    complaints: list[str] = []

    def start() -> subprocess.Popen[str]:
        raise ConfigError("Dagster cannot use its folder.", remedy="Mend dagster.yaml.")

    feed = Feed(start, complaints.append)
    feed.offer("one")
    time.sleep(0.1)
    feed.close()

    assert complaints[0] == "Dagster cannot use its folder. Mend dagster.yaml."


def test_who_offers_does_not_wait_and_what_is_too_much_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "LONGEST_QUEUE", 2)
    monkeypatch.setattr(feeds, "GRACE_SECONDS", 0.1)
    complaints: list[str] = []
    feed = Feed(starter(tmp_path, "import time; time.sleep(60)"), complaints.append)
    started = time.monotonic()
    for number in range(5):
        feed.offer(str(number))

    assert time.monotonic() - started < 0.5
    feed.close()
    assert complaints[0] == "A batch was not reported: the reporter is far behind."
    assert complaints[-1] == "A batch was not reported: the reporter ended without an answer."
