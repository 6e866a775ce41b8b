"""A timer for each path: quiet before it is taken, never dropped, never kept waiting for ever."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.runtime.schedule import Schedule, Timing

TIMING = Timing(debounce=0.05, busy=0.02, max_wait=1.0)
TICK = 0.01


def written(age: float) -> Callable[[object], float]:
    """A file system on which every file was written so many seconds ago."""

    def age_of(path: object) -> float:
        return age

    return age_of


never_written = written(math.inf)


@dataclass
class History:
    """What was hinted at and taken, as the clock went on."""

    schedule: Schedule[str] = field(default_factory=lambda: Schedule(TIMING))
    first: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    taken: list[tuple[float, str, float, float]] = field(default_factory=list)

    def hint(self, path: str, now: float) -> None:
        self.schedule.hint(path, now)
        self.first.setdefault(path, now)
        self.last[path] = now

    def take(self, now: float, ages: dict[str, float]) -> None:
        for path in self.schedule.take(now, lambda path: ages.get(path, math.inf)):
            self.taken.append((now, path, now - self.first.pop(path), now - self.last.pop(path)))


# Each tick: the paths that change in it, and those whose file was written a moment ago without a hint.
ticks = st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.sets(st.sampled_from("abc"))), max_size=200)


@given(ticks)
def test_every_path_is_taken_once_it_was_quiet_or_has_waited_long_enough(
    changes: list[tuple[set[str], set[str]]],
) -> None:
    history = History()
    now = 0.0
    for hinted, written in changes:
        for path in hinted:
            history.hint(path, now)
        history.take(now, dict.fromkeys(written, 0.0))
        now += TICK
    for _ in range(math.ceil(TIMING.max_wait / TICK) + 1):
        history.take(now, {})
        now += TICK

    assert not history.first, "dropped"
    assert history.schedule.due_in(now) == math.inf
    for _, path, waited, quiet in history.taken:
        assert quiet >= TIMING.debounce - 1e-9 or waited >= TIMING.max_wait - 1e-9, path
        assert waited <= TIMING.max_wait + TICK + 1e-9, path


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=8))
def test_waiting_for_as_long_as_it_says_is_enough(delays: list[float]) -> None:
    schedule: Schedule[int] = Schedule(TIMING)
    for number, delay in enumerate(sorted(delays)):
        schedule.hint(number, delay)
    now, found = max(delays), set[int]()
    for _ in delays:
        if schedule.waiting:
            now += schedule.due_in(now) + 1e-9
            found |= schedule.take(now, never_written)

    assert found == set(range(len(delays)))
    assert now <= max(delays) + TIMING.debounce + 1e-6


def test_all_that_is_quiet_together_is_one_batch() -> None:
    schedule: Schedule[str] = Schedule(TIMING)
    for path in "abc":
        schedule.hint(path, 0.0)
    schedule.hint("c", 0.04)

    assert schedule.take(0.049, never_written) == frozenset()
    assert schedule.take(0.05, never_written) == {"a", "b"}
    assert schedule.take(0.09, never_written) == {"c"}


def test_a_file_that_is_still_written_waits_and_is_taken_later() -> None:
    schedule: Schedule[str] = Schedule(TIMING)
    schedule.hint("a", 0.0)

    assert schedule.take(0.05, written(0.005)) == frozenset()
    assert schedule.waiting == {"a"}
    assert math.isclose(schedule.due_in(0.05), 0.015)
    assert schedule.take(0.065, written(0.02)) == {"a"}


def test_a_file_server_whose_clock_is_ahead_does_not_keep_a_file_waiting() -> None:
    schedule: Schedule[str] = Schedule(TIMING)
    schedule.hint("a", 0.0)

    assert schedule.take(0.05, written(-3600.0)) == {"a"}


def test_a_continuous_writer_is_read_when_the_longest_wait_is_over() -> None:
    schedule: Schedule[str] = Schedule(TIMING)
    taken: list[float] = []
    for step in range(250):
        schedule.hint("log", step / 100)
        taken += [step / 100 for _ in schedule.take(step / 100, written(0.0))]

    assert taken == [1.0, 2.01]


def test_a_long_debounce_moves_the_longest_wait() -> None:
    assert Timing.of_debounce(0.05) == TIMING
    assert Timing.of_debounce(5.0).max_wait == 10.0
