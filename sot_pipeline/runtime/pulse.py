"""Does the watch still see anything? A probe is written at an interval and has to come back as an event.

Pure: the time is passed in, and who writes the probe and sees it says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# A watch that was renewed and is silent again is on a file system that sends no events.
MISSES_BEFORE_POLLING = 2


@dataclass(slots=True)
class Pulse:
    """Seconds between two probes, and how long one may take to come back."""

    interval: float = 5.0
    patience: float = 2.0
    misses: int = 0
    _written_at: float = -math.inf
    _is_out: bool = False

    @property
    def is_polling(self) -> bool:
        """True where events cannot be relied on, so that one has to look."""
        return self.misses >= MISSES_BEFORE_POLLING

    def due_in(self, now: float) -> float:
        """Seconds until something has to be done: a probe to be written, or one to be missed."""
        pause = self.patience if self._is_out else self.interval
        return max(0.0, self._written_at + pause - now)

    def is_due(self, now: float) -> bool:
        """True where a probe should be written now."""
        return not self._is_out and now - self._written_at >= self.interval

    def written(self, now: float) -> None:
        """A probe was written."""
        self._written_at, self._is_out = now, True

    def seen(self) -> None:
        """The probe came back."""
        self.misses, self._is_out = 0, False

    def renewed(self) -> None:
        """The watch is a new one: what was written under the old one may be lost, so the next probe is due."""
        self._written_at, self._is_out = -math.inf, False

    def missed(self, now: float) -> bool:
        """True, once for each probe, where it did not come back in time."""
        if not self._is_out or now - self._written_at < self.patience:
            return False
        self.misses, self._is_out = self.misses + 1, False
        return True
