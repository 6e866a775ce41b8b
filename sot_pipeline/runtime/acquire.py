"""Takes leases, all or none under one deadline, and gives them back.

Waiting reads only. A holder that is proven dead is not waited for; one elsewhere is, until its
lease is over.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sot_pipeline.errors import DeadlineExceeded, LockNotAcquired, SotError
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.held import HeldLeases, steady_clock
from sot_pipeline.runtime.leases import TIMES, Claim, Connect, Grant, LeaseTable, LeaseTimes, Lock
from sot_pipeline.runtime.order import note_released, note_taken, require_canonical, require_later
from sot_pipeline.runtime.process import command_words, this_process

# Pauses between two looks at a held lease grow from the first to the second.
_SHORTEST_PAUSE = 0.005
_LONGEST_PAUSE = 0.05
# What one try may take where the database is busy with somebody else: never much longer than the
# wait it is part of, for a database that fell silent must not keep a run beyond its deadline.
_TRY_SECONDS = 5.0
_SHORTEST_TRY_SECONDS = 1.0
# What one try to give back may take, when all work is done or the time is over. A database that fell
# silent ends this with the first or second; one that is only busy is worth all of them.
_RELEASE_SECONDS = 1.0
_RELEASE_TRIES = 10


@contextmanager
def leased(
    table: LeaseTable,
    connect: Connect,
    names: Sequence[str],
    *,
    wait_seconds: float,
    times: LeaseTimes = TIMES,
    clock: Callable[[], float] = steady_clock,
) -> Iterator[HeldLeases]:
    """All of some leases during the block, or LockNotAcquired after `wait_seconds`.

    `connect` opens the connection of the heartbeat, `clock` tells the holder how long ago the last
    one was. Names that are not in canonical order are a ValueError, those that do not come after
    all that this thread holds a RuntimeError.
    """
    require_canonical(names)
    require_later(table.place, names)
    grants, since = _acquire(table, names, wait_seconds, times.ttl, clock)
    held = HeldLeases(grants, connect, times, since=since, clock=clock)
    for name in names:
        note_taken(table.place, name)
    held.start()
    try:
        yield held
    finally:
        held.stop()
        for name in reversed(names):
            note_released(table.place, name)
        _give_back(table, held.grants)


def _give_back(table: LeaseTable, grants: Sequence[Grant]) -> None:
    """Free the leases, with patience for a busy database: the next one would have to wait for their end.

    In a database that cannot be reached they run out, or are taken over from the dead.
    """
    for _ in range(_RELEASE_TRIES):
        try:
            table.release_leases(grants, Deadline(_RELEASE_SECONDS))
        except (LockNotAcquired, DeadlineExceeded):
            continue
        except SotError:
            pass
        return


def _acquire(
    table: LeaseTable, names: Sequence[str], wait_seconds: float, ttl: float, clock: Callable[[], float]
) -> tuple[tuple[Grant, ...], float]:
    """The leases, and the time of `clock` before they were taken."""
    claim = _claim()
    end = time.monotonic() + wait_seconds
    dead: tuple[Grant, ...] = ()
    while True:
        since = clock()
        grants = _try(table, names, claim, dead, ttl, end)
        if grants is not None:
            return grants, since
        dead = _wait_until_free(table, names, end, wait_seconds, tried=dead)


def _claim() -> Claim:
    process = this_process()
    return Claim(f"{process.host}:{process.pid}:{os.urandom(8).hex()}", process, command_words())


def _try(
    table: LeaseTable, names: Sequence[str], claim: Claim, dead: Sequence[Grant], ttl: float, end: float
) -> tuple[Grant, ...] | None:
    try:
        return table.acquire_leases(names, claim, dead=dead, ttl=ttl, deadline=_patience(end))
    except (LockNotAcquired, DeadlineExceeded):
        return None  # a transaction of the holder, or of anybody else, is in the way


def _patience(end: float) -> Deadline:
    """How long one question to the database may take in a wait until `end`."""
    return Deadline(min(_TRY_SECONDS, max(_SHORTEST_TRY_SECONDS, end - time.monotonic())))


def _wait_until_free(
    table: LeaseTable, names: Sequence[str], end: float, waited: float, *, tried: tuple[Grant, ...]
) -> tuple[Grant, ...]:
    """The leases among `names` whose holders are dead, as soon as no other is in the way.

    The dead are not waited for, so they are worth a try that is not among the `tried` even when
    the time is over.
    """
    pause = _SHORTEST_PAUSE
    while True:
        locks = [lock for lock in table.locks(_patience(end)) if lock.name in names]
        dead = tuple(lock.grant for lock in locks if lock.is_taken and lock.holder_is_dead)
        blocking = [lock for lock in locks if lock.is_taken and lock.grant not in dead]
        left = end - time.monotonic()
        if not blocking and (left > 0 or set(dead) - set(tried)):
            return dead
        if left <= 0:
            raise _not_acquired(table, blocking or [lock for lock in locks if lock.owner], waited)
        # No two waiters should look in step.
        time.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311
        pause = min(2 * pause, _LONGEST_PAUSE)


def _not_acquired(table: LeaseTable, locks: Sequence[Lock], waited: float) -> LockNotAcquired:
    if not locks:
        return LockNotAcquired(
            f"The leases in {table.place} could not be taken; waited {waited:g} s.",
            remedy="Another process is writing to the database; wait for it to end, then run again.",
        )
    lock = locks[0]
    return LockNotAcquired(
        f"Lock '{lock.name}' in {table.place} is held by {lock.describe_holder()}; waited {waited:g} s.",
        remedy="Wait until it is done or stop it, then run the same command again "
        "('sot sync' waits longer with --lock-wait SECONDS). "
        f"If it is gone for good: {lock.break_command()}",
    )
