"""Locks between processes: one file a subsystem, several taken together or not at all.

The operating system owns the lock (through filelock), so a holder that died holds nothing. Who
holds it is told by a small JSON file beside the lock, which is for people: it decides nothing.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from sot_pipeline.errors import LockNotAcquired

# Whoever takes several takes them in this order, so that two processes never wait for each other.
CANONICAL_ORDER = ("queue", "runs", "archive", "docs")


class MultiLock:
    """Context manager that holds the locks `names` of `folder`: all of them, or none.

    They are taken in order under one deadline, `wait_seconds` from entering, and released in
    reverse. Not re-entrant: entered twice, the second waits like anybody else's. Raises ValueError
    for unknown, repeated or out-of-order names, LockNotAcquired when the deadline passes.
    """

    def __init__(self, folder: Path, names: tuple[str, ...], *, wait_seconds: float) -> None:
        if list(names) != [name for name in CANONICAL_ORDER if name in names]:
            raise ValueError(f"locks {names!r} are not in the order {' < '.join(CANONICAL_ORDER)}")
        self._folder = folder
        self._names = names
        self._wait_seconds = wait_seconds
        self._held: ExitStack | None = None

    def __enter__(self) -> MultiLock:
        end = time.monotonic() + self._wait_seconds
        with ExitStack() as taken:
            for name in self._names:
                self._take(name, max(0.0, end - time.monotonic()), taken)
            self._held = taken.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held:
            self._held.close()
            self._held = None

    def _take(self, name: str, wait: float, taken: ExitStack) -> None:
        holder = self._folder / f"{name}.holder.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Not bound to the thread: a generator may be closed in another one than it began in.
            lock = FileLock(self._folder / f"{name}.lock", timeout=wait, thread_local=False)
            taken.enter_context(lock)
            taken.callback(holder.unlink, missing_ok=True)
            _write_holder(holder)
        except Timeout:
            raise self._held_by_another(name, holder) from None
        except OSError as error:
            raise LockNotAcquired(
                f"Lock '{name}' in {self._folder} cannot be taken ({error.strerror}).",
                remedy="Make the folder writable for the user who runs sot.",
            ) from None

    def _held_by_another(self, name: str, holder: Path) -> LockNotAcquired:
        who, remedy = _read_holder(holder)
        return LockNotAcquired(
            f"Lock '{name}' in {self._folder} is held by {who}; waited {self._wait_seconds:.3g} s.", remedy=remedy
        )


def _write_holder(path: Path) -> None:
    """Pid, host, program and time of this process; its arguments may hold secrets and are left out."""
    program = Path(sys.argv[0]).name if sys.argv else ""
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": program or "python",
        "since": datetime.now(UTC).isoformat(sep=" ", timespec="seconds"),
    }
    path.write_text(json.dumps(holder), encoding="utf-8")


def _read_holder(path: Path) -> tuple[str, str]:
    """Who holds the lock, and what to do about it."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        who = f"'{holder['command']}' (process {holder['pid']} on {holder['host']}) since {holder['since']}"
        here = holder["host"] == socket.gethostname()
    except (OSError, ValueError, KeyError, TypeError):
        return "another process", "Wait until it has finished and run the same command again."
    end = f"'kill {holder['pid']}' frees the lock" if here else f"end it on {holder['host']}"
    return who, f"Wait until it has finished and run the same command again; if it hangs, {end}."
