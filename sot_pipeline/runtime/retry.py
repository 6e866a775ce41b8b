"""When what failed is tried again: a few times with growing pauses. Pure: the time is passed in."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

# Seconds before the first, second and third try. A busy database is free again by then; one that is
# away is not, and is left to whoever looks at everything from time to time.
PAUSES = (0.25, 0.5, 1.0)


class Retries(Generic[K]):
    """What failed, how often, and when it is tried again."""

    def __init__(self, pauses: tuple[float, ...] = PAUSES) -> None:
        self._pauses = pauses
        self._failures: dict[K, int] = {}
        self._at: dict[K, float] = {}

    def failed(self, key: K, now: float) -> bool:
        """Note a failure; True where all tries are used up, so that it has to be shown."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        if count >= len(self._pauses):
            self._at.pop(key, None)
            return True
        self._at[key] = now + self._pauses[count]
        return False

    def later(self, key: K, at: float) -> None:
        """Take it up again at this time; it did not fail."""
        self._at[key] = at

    def succeeded(self, key: K) -> None:
        """Forget its failures."""
        self._failures.pop(key, None)
        self._at.pop(key, None)

    @property
    def waiting(self) -> frozenset[K]:
        """What failed and will be tried again."""
        return frozenset(self._at)

    def take(self, now: float) -> frozenset[K]:
        """What is to be tried again now."""
        due = frozenset(key for key, at in self._at.items() if at <= now)
        for key in due:
            del self._at[key]
        return due

    def due_in(self, now: float) -> float:
        """Seconds until the next try; infinite where none is due."""
        return max(0.0, min(self._at.values(), default=math.inf) - now)
