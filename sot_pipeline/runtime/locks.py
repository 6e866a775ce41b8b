"""Lock files between writers: one a subsystem, held by the operating system. For files; rows have leases.

A holder that dies frees its locks. Beside each lock file stands who holds it, for people only:
who may go on is decided by the lock alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from sot_pipeline.errors import LockNotAcquired
from sot_pipeline.runtime.order import note_released, note_taken, require_canonical, require_later
from sot_pipeline.runtime.process import command_words

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: process, host, the words of its command (no options), since when (ISO, UTC)."""

    pid: int
    host: str
    command: str
    since: str

    def __str__(self) -> str:
        return f"'{self.command}' (process {self.pid} on {self.host}) since {self.since}"


class MultiLock:
    """All of some locks, or none: a context manager, used once."""

    def __init__(self, folder: Path, names: Sequence[str], *, wait_seconds: float) -> None:
        """`names` in canonical order; `wait_seconds` for all of them together.

        Raises ValueError for names out of order, unknown or repeated.
        """
        require_canonical(names)
        self._folder = folder.absolute()
        self._names = tuple(names)
        self._wait_seconds = max(0.0, wait_seconds)
        self._locks: list[tuple[Path, FileLock]] = []

    def __enter__(self) -> MultiLock:
        """Raises LockNotAcquired (nothing is held then) and, for a wrong order, RuntimeError."""
        require_later(str(self._folder), self._names)
        end = time.monotonic() + self._wait_seconds
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name in self._names:
                self._acquire(name, max(0.0, end - time.monotonic()))
        except OSError as error:
            self._release()
            raise LockNotAcquired(
                f"Locks cannot be taken in {self._folder} ({error.strerror}).",
                remedy="Mend the permissions of the folder or free some space.",
            ) from None
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _acquire(self, name: str, seconds: float) -> None:
        path = self._path(name)
        # thread_local=False: whoever ends the block may release, whatever thread that is.
        lock = FileLock(path, timeout=seconds, poll_interval=_POLL_SECONDS, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            holder = read_holder(self._folder, name)
            raise LockNotAcquired(
                f"Lock '{name}' ({path}) is held by {holder or 'another process'}; waited {self._wait_seconds:g} s.",
                remedy="Wait until it is done or stop it, then run the same command again "
                "('sot sync' waits longer with --lock-wait SECONDS).",
            ) from None
        self._locks.append((path, lock))
        note_taken(str(self._folder), name)
        _holder_file(self._folder, name).write_text(json.dumps(asdict(_me())), encoding="utf-8")

    def _release(self) -> None:
        while self._locks:
            path, lock = self._locks.pop()
            with contextlib.suppress(OSError):  # only a courtesy to readers
                _holder_file(self._folder, path.stem).unlink()
            note_released(str(self._folder), path.stem)
            lock.release()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"


def read_holder(folder: Path, name: str) -> Holder | None:
    """Who says to hold lock `name`; None where nobody does or what stands there cannot be read.

    A holder that was killed still stands there, until the next one comes.
    """
    try:
        fields = json.loads(_holder_file(folder, name).read_bytes())
        return Holder(int(fields["pid"]), str(fields["host"]), str(fields["command"]), str(fields["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _holder_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def _me() -> Holder:
    return Holder(os.getpid(), socket.gethostname(), command_words(), datetime.now(UTC).isoformat(timespec="seconds"))
