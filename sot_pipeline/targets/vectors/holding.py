"""Our own lock around an embedded shard, and who holds it.

Only the lock files of one collection; the locks of a whole run are elsewhere.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from sot_pipeline.errors import DeadlineExceeded, VectorStoreUnavailable
from sot_pipeline.runtime.deadline import Deadline

# Longest wait for another process: it holds a shard for a read or a batch of writes at a time.
LOCK_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.01


@contextmanager
def holding(lock: Path, deadline: Deadline) -> Iterator[None]:
    """Hold `lock` within the block; the system frees it when the process dies.

    Waits for `LOCK_WAIT_SECONDS` or the deadline, whichever is sooner, then raises
    VectorStoreUnavailable or DeadlineExceeded that names the holder.
    """
    wait = min(LOCK_WAIT_SECONDS, deadline.remaining())
    holder = lock.with_name(f"{lock.name}.holder")
    file_lock = FileLock(lock, timeout=wait, poll_interval=_POLL_SECONDS)
    try:
        file_lock.acquire()
        holder.write_text(_me(), encoding="utf-8")
    except Timeout:
        kind = DeadlineExceeded if deadline.remaining() <= 0 else VectorStoreUnavailable
        raise kind(
            f"The vector collection is in use by {_named_in(holder)} ({lock}; waited {wait:.1f} s).",
            remedy="Wait until it is done, or stop it, and run the same command again.",
        ) from None
    except OSError as error:
        file_lock.release()
        raise VectorStoreUnavailable(
            f"The vector collection cannot be locked: {lock}: {error.strerror}.",
            remedy="Mend the permissions of its folder, or free some space.",
        ) from error
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        file_lock.release()


def _me() -> str:
    return f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _named_in(holder: Path) -> str:
    try:
        return holder.read_text(encoding="utf-8", errors="replace") or "another process"
    except OSError:
        return "another process"
