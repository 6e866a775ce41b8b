"""One deadline object for a whole run. No signals, no threads: phases ask it how long is left."""

from __future__ import annotations

import time
from collections.abc import Callable

from sot_pipeline.errors import DeadlineExceeded


class Deadline:
    """A point on the monotonic clock, `seconds` after it was made; None means never."""

    def __init__(self, seconds: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.seconds = seconds
        self._end = None if seconds is None else clock() + seconds

    @classmethod
    def never(cls) -> Deadline:
        """A deadline that does not pass."""
        return cls(None)

    def remaining(self) -> float:
        """Seconds left, never negative; infinite without a limit."""
        return float("inf") if self._end is None else max(0.0, self._end - self._clock())

    def timeout(self, at_most: float) -> float:
        """Seconds a network call may take: `at_most`, cut to what is left.

        Raises DeadlineExceeded when nothing is left, so no call starts late.
        """
        left = self.remaining()
        if left <= 0:
            self.check("before a network call")
        return min(at_most, left)

    def check(self, phase: str) -> None:
        """Raises DeadlineExceeded when the time is over; `phase` says what was about to happen."""
        if self.remaining() <= 0:
            raise DeadlineExceeded(
                f"The deadline of {self.seconds:g} s passed {phase}.",
                remedy="What was committed stays; run the same command again to go on, or raise --max-seconds.",
            )
