"""Large files are analysed elsewhere, with the same answer, and cannot end this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias

import psutil
import pytest

from sot_pipeline.code.analyze import analyze
from sot_pipeline.code.encode import encoded
from sot_pipeline.code.model import ParseStatus
from sot_pipeline.steps.code_apart import LARGEST_HERE, Analyst

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


def test_a_large_file_is_analysed_elsewhere_with_the_same_answer(analyst: Analyst, children: Children) -> None:
    assert len(LARGE) > LARGEST_HERE

    assert analyst.analyze("a.py", LARGE, "python") == encoded(analyze("a.py", LARGE, "python"))
    (child,) = children()
    analyst.analyze("b.py", LARGE + b"# more\n", "python")
    assert children() == [child], "one process for all"


def test_a_small_file_starts_no_process(analyst: Analyst, children: Children) -> None:
    found = analyst.analyze("a.py", b"x = 1\n", "python")

    assert found == encoded(analyze("a.py", b"x = 1\n", "python"))
    assert children() == []


def test_a_file_that_kills_its_parser_is_skipped_and_the_next_is_read(analyst: Analyst) -> None:
    found = analyst.analyze("a.json", JUMBLE, "json")

    assert found.parse_status is ParseStatus.SKIPPED
    assert found.status["total_lines"] == {"reason": "its parser died of it"}
    assert (found.size, found.content) == (len(JUMBLE), None)
    assert analyst.analyze("a.py", LARGE, "python").parse_status is ParseStatus.OK


def test_a_parser_that_takes_too_long_is_ended(children: Children) -> None:
    analyst = Analyst(max_seconds=0.001)
    found = analyst.analyze("a.py", LARGE, "python")

    assert found.status["total_lines"] == {"reason": "its parser took longer than 0.001 s"}
    assert children() == []


def test_a_process_that_was_killed_is_replaced(analyst: Analyst, children: Children) -> None:
    analyst.analyze("a.py", LARGE, "python")
    (child,) = children()
    child.send_signal(signal.SIGKILL)
    child.wait(5)

    assert analyst.analyze("a.py", LARGE, "python").status["total_lines"] == {"reason": "its parser died of it"}
    assert analyst.analyze("a.py", LARGE, "python").parse_status is ParseStatus.OK


def test_the_process_ends_with_ours_however_that_ends() -> None:
    program = (
        "import time; from sot_pipeline.steps.code_apart import Analyst\n"
        f"Analyst().analyze('a.py', b'x = 1\\n' * {LARGEST_HERE}, 'python'); print('ready', flush=True); time.sleep(60)"
    )
    ours = subprocess.Popen((sys.executable, "-c", program), stdout=subprocess.PIPE, text=True)
    assert ours.stdout
    assert ours.stdout.readline() == "ready\n"
    (child,) = psutil.Process(ours.pid).children()

    os.kill(ours.pid, signal.SIGKILL)
    ours.wait(5)
    ours.stdout.close()

    child.wait(5)
