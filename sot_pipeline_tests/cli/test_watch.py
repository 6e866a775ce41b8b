"""`sot watch` as a person sees it, and what `sot status` says of it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.workspaces import BUILDS, Kiln, make_kiln


@pytest.fixture
def sot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.fixture
def kiln(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Kiln:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url, qdrant=None)
    monkeypatch.chdir(kiln.folder)
    monkeypatch.setenv("DATABASE_URL", kiln.environment["DATABASE_URL"])
    return kiln


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Do `work` while the block runs, then interrupt it."""

    def run() -> None:
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()


def test_batches_are_lines_for_people_and_an_interrupt_is_exit_0(kiln: Kiln, sot: Command) -> None:
    def work() -> None:
        wait_for_rows(kiln, 4)
        kiln.builds.write_text(BUILDS.replace("| Setup |", "| Setup | | |") + "\n### BUILD-4 | Cooling\n\nSlowly.\n")
        wait_for_rows(kiln, 5)
        time.sleep(0.2)

    with meanwhile(work):
        answer = sot("watch")

    assert answer.code == 0
    first, second = [line for line in answer.out.splitlines() if "docs/BUILD_HISTORY.md" in line and " ms" in line]
    assert "database +4; readme updated" in first
    assert "docs/BUILD_HISTORY.md  database +1" in second
    assert "Watching 1 project" in answer.err


def wait_for_rows(kiln: Kiln, count: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if (Path(str(kiln.environment["DATABASE_URL"]).removeprefix("sqlite:///"))).exists():
            with kiln.database() as database:
                if len(database.fingerprints("kiln")) == count:
                    return
        time.sleep(0.02)
    raise AssertionError(f"never {count} rows")


def test_status_tells_that_no_watcher_ever_ran_that_one_runs_and_that_it_ended(kiln: Kiln, sot: Command) -> None:
    assert sot("status", "--json").json()["watcher"] is None
    assert "watcher  never started" in sot("status").out
    seen: list[dict[str, object]] = []

    def work() -> None:
        wait_for_rows(kiln, 4)
        seen.append(json.loads((kiln.folder / ".sot" / "watch" / "state.json").read_text()))

    with meanwhile(work):
        assert sot("watch", "--json").code == 0

    assert seen[0]["ended_at"] is None
    assert "watcher  dead since" in sot("status").out
    watcher = sot("status", "--json").json()["watcher"]
    assert (watcher["alive"], watcher["pid"], watcher["sources"]) == (False, os.getpid(), ["ledgers"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sources", "ledgers,dreams"), "Unknown source 'dreams'. --sources knows: ledgers, code, skills."),
        (
            ("--tables", "dreams"),
            "Unknown table 'dreams'. --tables knows: sot_entries, code_files, codebase_metadata, skills.",
        ),
    ],
)
def test_what_is_not_known_is_exit_2_and_what_is_known_is_named(
    kiln: Kiln, sot: Command, arguments: tuple[str, str], said: str
) -> None:
    answer = sot("watch", "--json", *arguments)

    document = answer.json()
    assert (answer.code, f"{document['error']} {document['remedy']}") == (2, said)
