from __future__ import annotations

import math

import pytest

from sot_pipeline.errors import EXIT_DEADLINE, DeadlineExceeded
from sot_pipeline.runtime.deadline import Deadline


class StoppedClock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_time_left_shrinks_to_nothing_and_no_further() -> None:
    clock = StoppedClock()
    deadline = Deadline(10, clock=clock)

    clock.seconds += 4
    before = deadline.remaining()
    clock.seconds += 40

    assert (before, deadline.remaining()) == (6.0, 0.0)


def test_passed_deadline_says_what_was_about_to_happen_and_how_to_go_on() -> None:
    clock = StoppedClock()
    deadline = Deadline(2.5, clock=clock)
    deadline.check("before the rows")
    clock.seconds += 2.5

    with pytest.raises(DeadlineExceeded, match=r"2\.5 s passed before the rows.*--max-seconds") as error:
        deadline.check("before the rows")

    assert error.value.exit_code == EXIT_DEADLINE


def test_network_call_gets_what_is_left_at_most() -> None:
    clock = StoppedClock()
    deadline = Deadline(10, clock=clock)
    clock.seconds += 7

    assert deadline.timeout(60) == 3.0
    assert deadline.timeout(1) == 1


def test_network_call_does_not_start_late() -> None:
    clock = StoppedClock()
    deadline = Deadline(10, clock=clock)
    clock.seconds += 10

    with pytest.raises(DeadlineExceeded):
        deadline.timeout(60)


def test_never_does_not_pass() -> None:
    deadline = Deadline.never()

    deadline.check("ever")

    assert deadline.remaining() == math.inf
    assert deadline.timeout(60) == 60
