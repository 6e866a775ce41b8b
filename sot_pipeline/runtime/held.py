"""Leases that this process holds: kept alive by a thread, given up by the holder itself when in doubt.

The database refuses whoever lost a lease. This side makes sure that work stops even where nothing
can be fenced (files, vectors): without a heartbeat the holder stops itself before its lease ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from sot_pipeline.errors import LeaseLost, SotError
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.leases import Connect, Grant, LeaseTable, LeaseTimes

# A beat that failed is tried again after this part of the time between beats, and may take as long.
_RETRY_PART = 1 / 5
_REMEDY = "What was committed stays; run the same command again."


def steady_clock() -> float:
    """Seconds that also pass while the machine sleeps, as they do for everybody else."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class HeldLeases:
    """Some leases from their acquisition, at `since` of `clock`, until `stop`."""

    def __init__(
        self,
        grants: tuple[Grant, ...],
        connect: Connect,
        times: LeaseTimes,
        *,
        since: float,
        clock: Callable[[], float] = steady_clock,
    ) -> None:
        self.grants = grants
        self.times = times
        self._connect = connect
        self._clock = clock
        self._renewed_at = since
        self._progressed_at = since
        self._progress = ""
        self._lost: str | None = None
        # Held by a write transaction, which keeps the leases from everybody and renews them itself.
        self._turn = threading.Lock()
        self._pinned = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="sot-heartbeat", daemon=True)

    @property
    def progress(self) -> str:
        """What was reported last, for people."""
        return self._progress

    def start(self) -> None:
        """Begin to send heartbeats; no connection is opened before the first is due."""
        self._thread.start()

    def stop(self) -> None:
        """End the heartbeats. The leases are as they are."""
        self._stopped.set()
        self._thread.join()

    def report(self, what: str) -> None:
        """Note progress, without which heartbeats end; raises LeaseLost as `check` does."""
        self.check()
        self._progress = what
        self._progressed_at = self._clock()

    def check(self) -> None:
        """Raises LeaseLost where the leases are lost or may end soon. Asks the clock, not the database."""
        silent = self._clock() - self._renewed_at
        if self._lost is None and not self._pinned and silent > self.times.ttl - self.times.margin:
            self._lost = f"there was no heartbeat for {silent:.0f} s"
        if self._lost is not None:
            raise self._error(self._lost)

    def lose(self, reason: str) -> LeaseLost:
        """The error to raise where the database says that a lease is not ours any more."""
        self._lost = reason
        return self._error(reason)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Around a write transaction: it holds the rows of the leases, so heartbeats have to wait.

        However long it takes, nobody can take the leases over meanwhile.
        """
        with self._turn:
            self.report(self._progress)
            self._pinned = True
            try:
                yield
            finally:
                self._pinned = False

    def is_due(self) -> bool:
        """True where a heartbeat is due, which a transaction then sends itself before it commits."""
        return self._clock() - self._renewed_at >= self.times.heartbeat

    def renewed(self, at: float) -> None:
        """The leases were renewed, `at` the time before that began."""
        self._renewed_at = at

    def now(self) -> float:
        """Seconds on this process's clock."""
        return self._clock()

    def _error(self, reason: str) -> LeaseLost:
        names = " and ".join(f"'{grant.name}'" for grant in self.grants)
        return LeaseLost(f"The lease of {names} was lost: {reason}. Nothing more was written.", remedy=_REMEDY)

    def _beat_on(self) -> None:
        with ExitStack() as stack:
            table: LeaseTable | None = None
            while not self._stopped.wait(self._pause()) and self._lost is None:
                if self._clock() - self._progressed_at > self.times.stall or not self._turn.acquire(blocking=False):
                    continue
                try:
                    table = table or stack.enter_context(self._connect())
                    self._beat(table)
                except SotError:
                    continue  # tried again, until `check` gives up
                finally:
                    self._turn.release()

    def _pause(self) -> float:
        due_in = self._renewed_at + self.times.heartbeat - self._clock()
        return max(due_in, self.times.heartbeat * _RETRY_PART)

    def _beat(self, table: LeaseTable) -> None:
        at = self._clock()
        deadline = Deadline(self.times.heartbeat * _RETRY_PART)
        if table.renew_leases(self.grants, ttl=self.times.ttl, progress=self._progress, deadline=deadline):
            self._renewed_at = at
        else:
            self._lost = "it ran out, was broken or was taken over"
