"""When what changed is looked at: a timer for each path, as a state machine. Pure: the time is passed in.

Which paths there are and what is done with them is the watcher's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: how long a path must be quiet, how long its file must be unwritten, how long it waits at most."""

    debounce: float = 0.05
    busy: float = 0.02
    max_wait: float = 1.0

    @classmethod
    def of_debounce(cls, seconds: float) -> Timing:
        """The timing for this debounce; who asks for a long one waits as long under a continuous writer."""
        return cls(debounce=seconds, max_wait=max(cls().max_wait, 2 * seconds))


@dataclass(slots=True)
class _Timer:
    first: float
    last: float


class Schedule(Generic[K]):
    """Paths that changed and are waited with until they are quiet. None is dropped: it waits or is taken."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._timers: dict[K, _Timer] = {}

    def hint(self, path: K, now: float) -> None:
        """`path` may have changed."""
        timer = self._timers.setdefault(path, _Timer(now, now))
        timer.last = now

    @property
    def waiting(self) -> frozenset[K]:
        """What was hinted at and not taken yet."""
        return frozenset(self._timers)

    def due_in(self, now: float) -> float:
        """Seconds until `take` may have something; infinite where nothing waits."""
        return max(0.0, min(map(self._due_at, self._timers.values()), default=math.inf) - now)

    def take(self, now: float, age: Callable[[K], float]) -> frozenset[K]:
        """All that is quiet together, and what has waited for the longest time allowed.

        `age` tells how many seconds ago a file was written, infinite where nobody knows. Somebody
        still writes to one that is younger than `busy`, whatever hints there were: it waits on.
        """
        due = [path for path, timer in self._timers.items() if self._due_at(timer) <= now]
        return frozenset(path for path in due if self._ended(path, now, age))

    def _ended(self, path: K, now: float, age: Callable[[K], float]) -> bool:
        timer = self._timers[path]
        if now < timer.first + self._timing.max_wait:
            # Either sign: the clock of a file server need not be ours.
            left = self._timing.busy - abs(age(path))
            if left > 0:
                timer.last = now - self._timing.debounce + left
                return False
        del self._timers[path]
        return True

    def _due_at(self, timer: _Timer) -> float:
        return min(timer.last + self._timing.debounce, timer.first + self._timing.max_wait)
