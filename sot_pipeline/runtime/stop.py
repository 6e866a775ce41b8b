"""The wish of a person or a service manager that a resident process ends: SIGINT or SIGTERM."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# What a piece of work that is under way may still take.
GRACE_SECONDS = 5.0


class Stop:
    """Whether to stop, and a clock for deadlines that ends the work that is under way."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at = math.inf

    @property
    def asked(self) -> bool:
        """True once somebody asked."""
        return self._asked_at < math.inf

    def ask(self) -> None:
        """Ask; a second time changes nothing."""
        self._asked_at = min(self._asked_at, self._clock())

    def clock(self) -> float:
        """Seconds, as `clock` tells them; the end of time when the grace time is over."""
        now = self._clock()
        return math.inf if now - self._asked_at > GRACE_SECONDS else now

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """During the block SIGINT and SIGTERM ask. For the main thread."""

        def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the shape of a handler
            self.ask()

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
