"""Which process holds something, told so that another process on the same host can prove it dead.

Proof needs the same kernel (boot id), the same numbering of processes (pid namespace) and the
same host name; whoever cannot prove waits.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
# Fields of /proc/<pid>/stat behind the name, which may hold anything (proc(5)): 3 is the state,
# 22 the start time.
_STATE, _START = 0, 19
_ENDED = {"Z", "X"}


@dataclass(frozen=True, slots=True)
class Process:
    """A process: `boot` names boot and pid namespace, `started` is in clock ticks since that boot.

    `boot` is "" and `started` 0 where the system does not tell.
    """

    host: str
    boot: str
    pid: int
    started: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Process:
    """The process that runs this."""
    found = _stat(os.getpid())
    return Process(socket.gethostname(), _boot(), os.getpid(), found[1] if found else 0)


def is_proven_dead(process: Process) -> bool:
    """True where `process` certainly runs no more: false for any other host, boot or container."""
    if not process.boot or process.pid <= 0 or (process.host, process.boot) != (socket.gethostname(), _boot()):
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # it exists, but belongs to somebody else; or the number means nothing
    found = _stat(process.pid)
    if found is None:
        return False
    state, started = found
    return state in _ENDED or (process.started > 0 and started != process.started)


def command_words() -> str:
    """How this process was called, without options: the value of one may be a password."""
    words = takewhile(lambda word: not word.startswith("-"), sys.argv[1:])
    return " ".join([Path(sys.argv[0]).name, *words])


def _boot() -> str:
    with suppress(OSError):
        return f"{_BOOT_ID.read_text(encoding='ascii').strip()} {_NAMESPACE.readlink()}"
    return ""


def _stat(pid: int) -> tuple[str, int] | None:
    """State and start time of a process, None where they cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return fields[_STATE].decode("ascii"), int(fields[_START])
    except (OSError, ValueError, IndexError):
        return None
