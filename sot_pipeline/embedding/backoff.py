"""When to ask again: `Retry-After` as servers write it, and one back-off for all requests of a run.

Knows nothing of embeddings or of any client library.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sot_pipeline.errors import DeadlineExceeded, EmbeddingFailed
from sot_pipeline.runtime.deadline import Deadline

# Delays double from here, so five attempts spread over some eight seconds.
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 20.0
# A server that asks for more (a daily quota) is not waited for, even without a deadline.
LONGEST_RETRY_AFTER_SECONDS = 300.0


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds a server asks to wait, None where it does not say so in a way one can read.

    `retry-after-ms` (OpenAI's, milliseconds) wins over `Retry-After`, which is a number of seconds
    or a date (RFC 9110, 10.2.3). `headers` have names in any case; `now` is aware.
    """
    named = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(named[name]) * unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        when = parsedate_to_datetime(named["retry-after"])
    except (KeyError, ValueError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


class Backoff:
    """One pause for all requests of a run: what one of them is told, the others heed too."""

    def __init__(
        self,
        rng: random.Random,
        *,
        first_delay: float = FIRST_DELAY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rng = rng
        self._first_delay = first_delay
        self._clock = clock
        self._lock = threading.Lock()
        self._until = clock()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ends all waiting, now and later: the run is over."""
        self._stopped.set()

    def postpone(self, attempt: int, asked: float | None) -> None:
        """Let nobody ask before the pause after failed attempt number `attempt` (from 1) is over.

        `asked` is what the server wants, in seconds. Without it the pause doubles from attempt to
        attempt, with up to half of it taken off at random so that clients spread out. Raises
        EmbeddingFailed where the server asks for more than `LONGEST_RETRY_AFTER_SECONDS`.
        """
        if asked is None:
            longest = min(LONGEST_DELAY_SECONDS, self._first_delay * 2 ** (attempt - 1))
            asked = longest * (1 - self._rng.random() / 2)
        if asked > LONGEST_RETRY_AFTER_SECONDS:
            raise EmbeddingFailed(
                f"The embedding server asks to come back in {asked:.0f} s.",
                remedy="Its quota is used up; run again later, or raise the quota.",
            )
        with self._lock:
            self._until = max(self._until, self._clock() + asked)

    def wait(self, deadline: Deadline) -> None:
        """Wait until the pause is over.

        Raises DeadlineExceeded at once where the deadline passes sooner (more time would help),
        EmbeddingFailed after `stop`.
        """
        while (seconds := self._until - self._clock()) > 0 and not self._stopped.is_set():
            if seconds >= deadline.remaining():
                raise DeadlineExceeded(
                    f"The embedding server has to be left alone for {seconds:.1f} s, "
                    f"but the deadline passes in {deadline.remaining():.1f} s.",
                    remedy="What was embedded is kept; run the same command again later, or raise --max-seconds.",
                )
            self._stopped.wait(seconds)
        if self._stopped.is_set():
            raise EmbeddingFailed("Not asked, because another request of the run failed.")
