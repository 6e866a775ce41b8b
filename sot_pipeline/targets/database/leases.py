"""Reads and writes `sot_locks`, the table of leases. Portable SQL, run within a transaction.

Every decision is made in a statement, by the database's clock. What rows mean to whoever waits
or breaks is `runtime/leases.py`.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from sot_pipeline.runtime.leases import Claim, Grant, Lock, LockState, moment
from sot_pipeline.runtime.order import CANONICAL_ORDER
from sot_pipeline.runtime.process import Process
from sot_pipeline.targets.database.engine import Engine, Value

# The version of the schema that brought the table.
SINCE_REVISION = "0002"

_HOLDER = "owner, host, boot_id, pid, process_start, command, acquired_at, heartbeat_at, expires_at, progress"

# SQLite keeps what it is given, whatever the type: only a number equals itself plus zero.
_FENCE_IS_NUMBER = "l.fence + 0 = l.fence AND l.fence > 0"
_IS_FREE = "l.owner IS NULL AND l.acquired_at IS NULL AND l.heartbeat_at IS NULL AND l.expires_at IS NULL"
_IS_OVER = (
    "l.owner <> '' AND l.acquired_at + 0 = l.acquired_at AND l.heartbeat_at < l.expires_at AND l.expires_at <= {clock}"
)
_ACQUIRE = f"""
INSERT INTO sot_locks AS l (name, fence, {_HOLDER})
VALUES (?, 1, ?, ?, ?, ?, ?, ?, {{clock}}, {{clock}}, {{clock}} + ?, NULL)
ON CONFLICT (name) DO UPDATE SET
    fence = l.fence + 1, owner = excluded.owner, host = excluded.host, boot_id = excluded.boot_id,
    pid = excluded.pid, process_start = excluded.process_start, command = excluded.command,
    acquired_at = excluded.acquired_at, heartbeat_at = excluded.heartbeat_at, expires_at = excluded.expires_at,
    progress = excluded.progress
WHERE {_FENCE_IS_NUMBER} AND (({_IS_FREE}) OR ({_IS_OVER}) OR (l.owner = ? AND l.fence = ?))
RETURNING fence
"""
_IS_OURS = "name = ? AND owner = ? AND fence = ?"
_RENEW = f"""
UPDATE sot_locks SET heartbeat_at = {{clock}}, expires_at = {{clock}} + ?, progress = ?
WHERE {_IS_OURS} AND (expires_at > {{clock}} OR ?) RETURNING fence
"""
_CLEAR = (
    "owner = NULL, host = NULL, boot_id = NULL, pid = NULL, process_start = NULL, command = NULL, acquired_at = NULL, "
    "heartbeat_at = NULL, expires_at = NULL, progress = NULL"
)


def acquire(
    engine: Engine, names: Sequence[str], claim: Claim, dead: Collection[Grant], ttl: float
) -> tuple[Grant, ...] | None:
    """Take `names` in their order; None where one is held, and then the transaction must not commit."""
    grants = []
    process = claim.process
    for name in names:
        gone = next((grant for grant in dead if grant.name == name), Grant(name, "", 0))
        values: tuple[Value, ...] = (name, claim.owner, process.host, process.boot, process.pid, process.started)
        values += (claim.command, ttl, gone.owner, gone.fence)
        found = engine.query(_ACQUIRE.format(clock=engine.clock), values)
        if not found:
            return None
        grants.append(Grant(name, claim.owner, cast("int", found[0][0])))
    return tuple(grants)


def hold(engine: Engine, grants: Sequence[Grant]) -> bool:
    """Keep everybody from these leases until the transaction ends; False where one is not ours any more."""
    sql = f"SELECT 1 FROM sot_locks WHERE {_IS_OURS} AND expires_at > {engine.clock}{engine.row_lock}"
    return all(engine.query(sql, (grant.name, grant.owner, grant.fence)) for grant in grants)


def renew(engine: Engine, grants: Sequence[Grant], ttl: float, progress: str, *, held: bool = False) -> bool:
    """Let leases last `ttl` seconds from now; False where one is not ours any more or is over.

    The transaction must then not commit.
    One that is `held` by this transaction may be over by the clock: nobody could take it.
    """
    sql = _RENEW.format(clock=engine.clock)
    return all(
        engine.query(sql, (ttl, progress or None, grant.name, grant.owner, grant.fence, held)) for grant in grants
    )


def release(engine: Engine, grants: Sequence[Grant]) -> None:
    """Free those that are still ours: the row stays, with its fence.

    In the order in which they are taken: all become free at once, and rows locked in another order
    than other transactions lock them could wait for each other.
    """
    for grant in grants:
        engine.execute(f"UPDATE sot_locks SET {_CLEAR} WHERE {_IS_OURS}", (grant.name, grant.owner, grant.fence))


def free(engine: Engine, name: str) -> None:
    """Free a lock, whoever holds it. A fence that cannot be read becomes one above every count: the time."""
    fence = f"CASE WHEN {_FENCE_IS_NUMBER.replace('l.', '')} THEN fence ELSE CAST({engine.clock} AS BIGINT) END"
    engine.execute(f"UPDATE sot_locks SET fence = {fence}, {_CLEAR} WHERE name = ?", (name,))


def locks(engine: Engine, name: str | None = None, *, hold_rows: bool = False) -> tuple[Lock, ...]:
    """All rows, or that of `name`, in canonical order; with `hold_rows` nobody else changes them meanwhile."""
    suffix = engine.row_lock if hold_rows else ""
    sql = f"SELECT name, fence, {_HOLDER}, {engine.clock} FROM sot_locks WHERE name = ? OR ?{suffix}"
    found = [_lock(row) for row in engine.query(sql, (name or "", name is None))]
    return tuple(sorted(found, key=lambda lock: (lock.name not in CANONICAL_ORDER, _position(lock.name), lock.name)))


def never_taken(name: str) -> Lock:
    """What stands for a row that is not there."""
    return Lock(name, LockState.FREE, 0, "", None, "", None, None, None, None, None)


def why_lost(engine: Engine, grants: Sequence[Grant]) -> str:
    """What became of the first of these leases that is not ours any more."""
    for grant in grants:
        lock = next(iter(locks(engine, grant.name)), never_taken(grant.name))
        if lock.grant == grant and lock.state is LockState.EXPIRED:
            return f"'{lock.name}' ran out {moment(lock.expires_at)}"
        if lock.grant != grant:
            return f"'{lock.name}' is held by {lock.describe_holder()}" if lock.owner else f"'{lock.name}' was broken"
    return "a row of 'sot_locks' cannot be read"


def _position(name: str) -> int:
    return CANONICAL_ORDER.index(name) if name in CANONICAL_ORDER else 0


def _lock(row: Sequence[object]) -> Lock:
    name, fence, owner, host, boot, pid, started, command, acquired, heartbeat, expires, progress, now = row
    times = [float(one) if isinstance(one, int | float) else None for one in (acquired, heartbeat, expires)]
    acquired_at, heartbeat_at, expires_at = times
    left = None if expires_at is None else expires_at - cast("float", now)
    number = fence if isinstance(fence, int) and fence > 0 else 0
    return Lock(
        name=str(name),
        state=_state(number, owner, (acquired, heartbeat, expires), times, left),
        fence=number,
        owner=str(owner or ""),
        holder=_process(host, boot, pid, started),
        command=str(command or ""),
        acquired_at=acquired_at,
        heartbeat_at=heartbeat_at,
        expires_at=expires_at,
        left=left,
        progress=None if progress is None else str(progress),
    )


def _state(
    fence: int, owner: object, raw: tuple[object, ...], times: Sequence[float | None], left: float | None
) -> LockState:
    """What `_ACQUIRE` makes of the row."""
    if fence and owner is None and raw == (None, None, None):
        return LockState.FREE
    acquired, heartbeat, expires = times
    if not fence or not isinstance(owner, str) or not owner or acquired is None or heartbeat is None or expires is None:
        return LockState.UNREADABLE
    if heartbeat >= expires or left is None:
        return LockState.UNREADABLE
    return LockState.HELD if left > 0 else LockState.EXPIRED


def _process(host: object, boot: object, pid: object, started: object) -> Process | None:
    if isinstance(host, str) and isinstance(boot, str) and isinstance(pid, int) and isinstance(started, int):
        return Process(host, boot, pid, started)
    return None
