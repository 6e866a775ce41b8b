"""Large files are analysed elsewhere, with the same answer, and cannot end this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeAlias

import psutil
import pytest

from sot_pipeline.code.analyze import analyze
from sot_pipeline.code.encode import Encoded, encoded
from sot_pipeline.code.model import ParseStatus
from sot_pipeline.steps import code_apart
from sot_pipeline.steps.code_apart import LARGEST_HERE, Analyst, ReadFile
from sot_pipeline.steps.code_sources import Content

Children: TypeAlias = Callable[[], list[psutil.Process]]

LARGE = b"def fire(cone):\n    return cone if cone else 1\n\n" * 1_000
# Tree-sitter's JSON grammar overflows its stack with this: found by fuzzing.
JUMBLE = "\n  null\"~s(\U0001f389/*\"\"\"\n''\n''\U0001f389\n  \nr#\"'''\u00e9".encode() * 2_000


def analysts() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "sot_pipeline.steps.code_apart" in one.cmdline()]


@pytest.fixture
def children() -> Children:
    """Asks for the processes that this test started; those of tests before it may still be there."""
    before = analysts()
    return lambda: [one for one in analysts() if one not in before]


@pytest.fixture
def analyst() -> Iterator[Analyst]:
    found = Analyst()
    yield found
    found.close()


def read(path: str, data: bytes, language: str = "python") -> ReadFile:
    return ReadFile(path, language, Content(data, len(data), "", datetime(2026, 1, 2, 3, 4, 5)))


def analyzed(analyst: Analyst, path: str, data: bytes, language: str) -> Encoded:
    ((_, found),) = analyst.analyze([read(path, data, language)])
    return found


def test_a_large_file_is_analysed_elsewhere_with_the_same_answer(analyst: Analyst, children: Children) -> None:
    assert len(LARGE) > LARGEST_HERE

    assert analyzed(analyst, "a.py", LARGE, "python") == encoded(analyze("a.py", LARGE, "python"))
    (child,) = children()
    analyzed(analyst, "b.py", LARGE + b"# more\n", "python")
    assert children() == [child], "one process for all"


def test_a_small_file_starts_no_process(analyst: Analyst, children: Children) -> None:
    found = analyzed(analyst, "a.py", b"x = 1\n", "python")

    assert found == encoded(analyze("a.py", b"x = 1\n", "python"))
    assert children() == []


def test_a_file_that_kills_its_parser_is_skipped_and_the_next_is_read(analyst: Analyst) -> None:
    found = analyzed(analyst, "a.json", JUMBLE, "json")

    assert found.parse_status is ParseStatus.SKIPPED
    assert found.status["total_lines"] == {"reason": "its parser died of it"}
    assert (found.size, found.content) == (len(JUMBLE), None)
    assert analyzed(analyst, "a.py", LARGE, "python").parse_status is ParseStatus.OK


def test_a_parser_that_takes_too_long_is_ended(children: Children) -> None:
    analyst = Analyst(max_seconds=0.001)
    found = analyzed(analyst, "a.py", LARGE, "python")

    assert found.status["total_lines"] == {"reason": "its parser took longer than 0.001 s"}
    assert children() == []


def test_a_process_that_was_killed_is_replaced(analyst: Analyst, children: Children) -> None:
    analyzed(analyst, "a.py", LARGE, "python")
    (child,) = children()
    child.send_signal(signal.SIGKILL)
    child.wait(5)

    assert analyzed(analyst, "a.py", LARGE, "python").parse_status is ParseStatus.OK
    assert len(children()) == 1


def test_a_process_killed_over_a_file_costs_that_file_alone(
    analyst: Analyst, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_apart, "_cores", lambda: 2)
    files = [read("a.py", LARGE * 10), read("b.py", LARGE), read("small.py", b"x = 1\n")]
    found = analyst.analyze(files)
    assert next(found)[0].path == "small.py"
    children()[0].send_signal(signal.SIGKILL)

    (_, lost), (other, kept) = found

    assert lost.status["total_lines"] == {"reason": "its parser died of it"}
    assert (other.path, kept.parse_status) == ("b.py", ParseStatus.OK)


@pytest.mark.parametrize(("cores", "order"), [(2, ["a.py", "b.py", "large.py"]), (1, ["large.py", "a.py", "b.py"])])
def test_small_files_do_not_wait_for_a_large_one_where_there_is_a_core_for_each(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch, cores: int, order: list[str]
) -> None:
    monkeypatch.setattr(code_apart, "_cores", lambda: cores)
    files = [read("large.py", LARGE * 10), read("a.py", b"x = 1\n"), read("b.py", b"y = 2\n")]

    assert [file.path for file, _ in analyst.analyze(files)] == order


def test_large_files_that_wait_are_few(analyst: Analyst, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_apart, "MAX_WAITING_BYTES", 2 * len(LARGE))
    taken: list[str] = []

    def files() -> Iterator[ReadFile]:
        for number in range(9):
            taken.append(f"{number}.py")
            yield read(taken[-1], LARGE)

    for count, (file, found) in enumerate(analyst.analyze(files()), start=1):
        assert (file.path, found) == (f"{count - 1}.py", encoded(analyze(file.path, LARGE, "python")))
        assert len(taken) <= count + 3


def test_a_process_whose_answer_nobody_waits_for_is_ended(
    analyst: Analyst, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_apart, "_cores", lambda: 2)
    found = analyst.analyze([read("large.py", LARGE), read("a.py", b"x = 1\n")])
    next(found)
    assert len(children()) == 1

    found.close()

    assert children() == []


def test_two_who_analyse_at_once_share_no_process(
    analyst: Analyst, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_apart, "_cores", lambda: 2)
    first = analyst.analyze([read("a.py", LARGE), read("small.py", b"x = 1\n")])
    next(first)

    assert analyzed(analyst, "b.py", LARGE, "python").path == "b.py"

    assert [file.path for file, _ in first] == ["a.py"]
    assert len(children()) == 2


def test_where_no_process_can_be_started_large_files_are_skipped_and_say_so(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    found = analyzed(analyst, "a.py", LARGE, "python")

    assert found.status["total_lines"] == {"reason": "no process could be started to parse it"}


def test_the_process_ends_with_ours_however_that_ends() -> None:
    program = (
        "import time; from sot_pipeline.steps.code_apart import Analyst\n"
        "from sot_pipeline_tests.steps.test_code_apart import LARGE, analyzed\n"
        "analyzed(Analyst(), 'a.py', LARGE, 'python'); print('ready', flush=True); time.sleep(60)"
    )
    ours = subprocess.Popen((sys.executable, "-c", program), stdout=subprocess.PIPE, text=True)
    assert ours.stdout
    assert ours.stdout.readline() == "ready\n"
    (child,) = psutil.Process(ours.pid).children()

    os.kill(ours.pid, signal.SIGKILL)
    ours.wait(5)
    ours.stdout.close()

    child.wait(5)
