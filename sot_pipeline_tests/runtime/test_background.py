"""Work in the background: under way, ended, failed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from sot_pipeline.errors import SotError
from sot_pipeline.runtime.background import Background, Ended
from sot_pipeline_tests.watch.watching import wait_until


def ends(background: Background[str], key: str, work: Callable[[], None]) -> Ended:
    """How the work ended; it is waited for."""
    found: list[Ended] = []
    wait_until(lambda: (ended := background.ended(key, work)) is not None and not found.append(ended))
    return found[0]


def test_short_work_has_ended_when_it_is_asked_for() -> None:
    done: list[int] = []

    assert Background[str]().ended("a", lambda: done.append(1)) == Ended()
    assert done == [1]


def test_long_work_is_under_way_until_it_ends_and_begins_once() -> None:
    may_end, begun = threading.Event(), list[int]()
    background = Background[str]()

    def work() -> None:
        begun.append(1)
        may_end.wait(30)

    assert background.ended("a", work) is None
    assert background.ended("a", work) is None
    may_end.set()

    assert ends(background, "a", work) == Ended()
    assert begun == [1]


def test_the_work_of_another_key_waits_for_its_turn() -> None:
    may_end, order = threading.Event(), list[str]()
    background = Background[str]()

    def first() -> None:
        may_end.wait(30)
        order.append("a")

    assert background.ended("a", first) is None
    assert background.ended("b", lambda: order.append("b")) is None
    may_end.set()

    assert ends(background, "b", lambda: None) == Ended()
    assert order == ["a", "b"]


def test_an_error_is_told_and_the_next_question_begins_anew() -> None:
    background = Background[str]()
    error = SotError("away")

    def fail() -> None:
        raise error

    assert background.ended("a", fail) == Ended(error)
    assert background.ended("a", lambda: None) == Ended()


def test_a_defect_is_raised_where_it_is_asked_for() -> None:
    def divide() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Background[str]().ended("a", divide)
