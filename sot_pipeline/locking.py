"""The locks of a writer: lock files for what lies beside `sot.toml`, leases for what is in the database.

Files first: processes on this machine queue there, which the system ends at once with a process,
and only one of them asks the database. How each kind works is `runtime/`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sot_pipeline.runtime.acquire import leased
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.held import HeldLeases
from sot_pipeline.runtime.locks import MultiLock
from sot_pipeline.targets.database import Database
from sot_pipeline.workspace import Workspace

WRITE_LOCKS = ("archive", "docs")
READ_LOCKS = ("docs",)


def lock_folder(workspace: Workspace) -> Path:
    """Where the lock files of a workspace are."""
    return workspace.folder / ".sot" / "locks"


@contextmanager
def locked(
    workspace: Workspace, names: Sequence[str], database: Database | None, deadline: Deadline, *, wait_seconds: float
) -> Iterator[HeldLeases | None]:
    """All of `names` (in canonical order) during the block: files and, with a database, leases.

    The database must be `workspace`'s; it gets its tables first, and during the block it refuses
    every write once a lease is lost. Raises LockNotAcquired after `wait_seconds` for all together.
    """
    wait = min(wait_seconds, deadline.remaining())
    end = time.monotonic() + wait
    with MultiLock(lock_folder(workspace), names, wait_seconds=wait):
        if database is None:
            yield None
            return
        database.upgrade(deadline)
        left = max(0.0, end - time.monotonic())
        with (
            leased(database, lambda: Database(workspace.database_url), names, wait_seconds=left) as held,
            database.fenced(held),
        ):
            yield held
