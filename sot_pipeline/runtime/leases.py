"""Leases as values: what a lock in the database says, when it may be taken or broken, and its times.

A lease is a lock with an end. Whoever takes one gets a fence, a number that only grows, and every
write shows it. No SQL here (`targets/database/leases.py`) and no waiting (`acquire.py`); keeping
a lease alive is `held.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from shlex import quote
from typing import Protocol

from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.process import Process, is_proven_dead


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How long things take, in seconds.

    ttl: a lease ends so long after its last heartbeat.
    heartbeat: time between two heartbeats.
    margin: without a heartbeat the holder stops itself so long before its lease ends.
    grace: a lease has to be over for so long before it is broken by hand.
    stall: without progress for so long, heartbeats stop. Longer than the longest silence of a
        healthy run: one batch of embeddings from a service that keeps asking to come back later.
    """

    ttl: float = 60.0
    heartbeat: float = 15.0
    margin: float = 20.0
    grace: float = 30.0
    stall: float = 600.0


TIMES = LeaseTimes()


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for leases: `owner` is another one each time, `command` is for people."""

    owner: str
    process: Process
    command: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease as its holder knows it."""

    name: str
    owner: str
    fence: int


class LockState(StrEnum):
    """What a row of `sot_locks` means. An expired lease can be taken, an unreadable one counts as held."""

    FREE = "free"
    HELD = "held"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Lock:
    """A row of `sot_locks` at one moment of the database's clock.

    Times are seconds since 1970; `left` is what was left of the lease then, negative where it is
    over. `owner` is "", `fence` 0, `holder` and a time None where the row does not (readably) say.
    """

    name: str
    state: LockState
    fence: int
    owner: str
    holder: Process | None
    command: str
    acquired_at: float | None
    heartbeat_at: float | None
    expires_at: float | None
    left: float | None
    progress: str | None

    @property
    def grant(self) -> Grant:
        """The lease that its holder has."""
        return Grant(self.name, self.owner, self.fence)

    @property
    def is_taken(self) -> bool:
        """True where another process has to wait."""
        return self.state in {LockState.HELD, LockState.UNREADABLE}

    @property
    def holder_is_dead(self) -> bool:
        """True where the holder was on this host and certainly runs no more."""
        return self.state is not LockState.UNREADABLE and self.holder is not None and is_proven_dead(self.holder)

    def describe_holder(self) -> str:
        """Who holds it, since when, and what it did last."""
        if self.state is LockState.UNREADABLE:
            return "a row of 'sot_locks' that cannot be read, which counts as held"
        told = f"'{self.command}' ({self.holder or 'unknown process'}) since {moment(self.acquired_at)}"
        return f"{told}, last heartbeat {moment(self.heartbeat_at)}" + (f", {self.progress}" if self.progress else "")

    def break_command(self) -> str:
        """The command that breaks exactly this lock."""
        command = f"sot locks break {self.name} --expect-owner {quote(self.owner)} --expect-fence {self.fence}"
        return f"{command} --force" if self.state is LockState.UNREADABLE else command


def moment(seconds: float | None) -> str:
    """ISO date and time in UTC, to the second."""
    if seconds is None:
        return "unknown"
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return "unknown"


def why_not_break(lock: Lock, *, owner: str, fence: int, grace: float, force: bool) -> str | None:
    """Why `lock` must not be broken by somebody who expects `owner` and `fence`; None where it may."""
    if lock.state is LockState.FREE:
        return "nobody holds it"
    if (lock.owner, lock.fence) != (owner, fence):
        return f"it is held by owner '{lock.owner}' with fence {lock.fence}, not by '{owner}' with fence {fence}"
    if force or lock.holder_is_dead:
        return None
    if lock.left is None or lock.state is LockState.UNREADABLE:
        return "its row cannot be read, so nobody can say whether it is over"
    if lock.left > 0:
        return f"its lease runs for {lock.left:.0f} s more"
    if -lock.left < grace:
        return f"its lease is over for {-lock.left:.0f} s, which is less than the grace time of {grace:g} s"
    return None


class LeaseTable(Protocol):
    """Where leases are kept: the database. Its clock decides; errors are those of `Database`."""

    @property
    def place(self) -> str:
        """The database, without a password."""
        ...

    def acquire_leases(
        self, names: Sequence[str], claim: Claim, *, dead: Collection[Grant], ttl: float, deadline: Deadline
    ) -> tuple[Grant, ...] | None:
        """Take all of `names`, or none (None): what is free, over, or held by one of the `dead`."""
        ...

    def renew_leases(self, grants: Sequence[Grant], *, ttl: float, progress: str, deadline: Deadline) -> bool:
        """Let the leases last `ttl` seconds from now; False, and nothing done, where one is not ours any more."""
        ...

    def release_leases(self, grants: Sequence[Grant], deadline: Deadline) -> None:
        """Give back those that are still ours."""
        ...

    def locks(self, deadline: Deadline) -> tuple[Lock, ...]:
        """All rows as they are now; reads only."""
        ...


class Connect(Protocol):
    """Opens a connection of its own to the table, for another thread."""

    def __call__(self) -> AbstractContextManager[LeaseTable]:
        """The table, closed at the end of the block."""
        ...
