"""What is measured: a subject that brings its targets into agreement with one ledger.

A subject lives in a process of its own, so that its memory is its own, and is warm: it has done
the same work on a small ledger before the clock first runs. Which subjects there are and which
scenarios they run is decided elsewhere.
"""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a subject finds its ledger and keeps what it derives. `vectors`: points as well as rows."""

    ledger: Path
    folder: Path
    database_url: str
    vectors: bool
    dimension: int


@dataclass(frozen=True, slots=True)
class Held:
    """Entry id → `fingerprint` of what a target holds: of the entry's text, and of the embedded text."""

    rows: Mapping[str, str]
    points: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: wall seconds, of which in which phase, texts embedded, peak resident memory in MB.

    `cpu_seconds` are those of the subject's process, all threads, without a database server's.
    """

    seconds: float
    cpu_seconds: float
    phases: Mapping[str, float]
    embedded: int
    peak_mb: float


class Subject(Protocol):
    """Something that can be measured."""

    def sync(self) -> None:
        """The work under the clock."""

    def embedded(self) -> int:
        """Texts embedded since the subject was made."""

    def phases(self) -> dict[str, float]:
        """Seconds by phase, of the last `sync`."""

    def held(self) -> Held:
        """What the targets hold, read from them."""

    def close(self) -> None:
        """Close connections and files."""


Maker = Callable[[Setting], Subject]


def fingerprint(text: str) -> str:
    """SHA-256 (hex) of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


class Apart:
    """A subject in a process of its own, warmed up on `rehearsal` before it opens `setting`."""

    def __init__(self, make: Maker, setting: Setting, rehearsal: Setting) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, setting, rehearsal))
        self._process.start()
        theirs.close()

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.join()

    def sync(self) -> Measured:
        """Run the work once and measure it."""
        measured = self._ask("sync")
        assert isinstance(measured, Measured)
        return measured

    def held(self) -> Held:
        """What the targets hold now."""
        held = self._ask("held")
        assert isinstance(held, Held)
        return held

    def _ask(self, what: str) -> object:
        self._connection.send(what)
        return self._connection.recv()


def _serve(connection: Connection, make: Maker, setting: Setting, rehearsal: Setting) -> None:
    warm = make(rehearsal)
    warm.sync()
    warm.sync()
    warm.close()
    subject = make(setting)
    try:
        while True:
            connection.send(_measure(subject) if connection.recv() == "sync" else subject.held())
    except EOFError:
        subject.close()


def _measure(subject: Subject) -> Measured:
    before = subject.embedded()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here (proc(5))
    cpu = time.process_time()
    started = time.perf_counter()
    subject.sync()
    seconds = time.perf_counter() - started
    cpu = time.process_time() - cpu
    return Measured(seconds, cpu, subject.phases(), subject.embedded() - before, _peak_mb())


def _peak_mb() -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
