"""Large source files are analysed in a process of their own: a parser in C can die of what it reads.

Small ones are not: what makes parsers die grows with the file, and a process costs its start. The
process is started for the first large file, stays for the next ones, and ends with ours. While it
has a file, the small ones are analysed here: an index of many files takes two cores.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from sot_pipeline.code.analyze import analyze, skipped
from sot_pipeline.code.encode import Encoded, encoded
from sot_pipeline.code.model import ParseStatus
from sot_pipeline.code.text import text_of

if TYPE_CHECKING:
    from sot_pipeline.steps.code_sources import Content

# The smallest text known to overflow a parser's stack has 84 kB (JSON, of brackets and quotes that never close).
LARGEST_HERE = 32 * 1024
# Large files that were read and wait for the process; bounds memory.
MAX_WAITING_BYTES = 4 * 1024 * 1024
# The slowest megabyte of code seen takes a second and 400 MB.
MAX_SECONDS = 20.0
MAX_MEMORY_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A source file that was read: the path of its rows, its language and what stands in it."""

    path: str
    language: str
    content: Content

    @property
    def data(self) -> bytes:
        """What is analysed; of a file that is too large for that, its head."""
        return self.content.head


class Analyst:
    """Analyses files of any bytes and survives them. To be used by any thread; each has a process of its own."""

    def __init__(self, max_seconds: float = MAX_SECONDS) -> None:
        self._max_seconds = max_seconds
        self._idle: list[_Child] = []

    def analyze(self, files: Iterable[ReadFile]) -> Iterator[tuple[ReadFile, Encoded]]:
        """Each of `files` with its analysis (`code.analyze.analyze`), as they become ready: small ones first.

        A file that its parser dies of, or takes too long for, is skipped and says so. No more than
        MAX_WAITING_BYTES of `files` are held.
        """
        # On one core two processes would only be in each other's way.
        room = MAX_WAITING_BYTES if _cores() > 1 else 0
        with _Queue(self._idle, self._max_seconds, room) as large:
            for file in files:
                if len(file.data) <= LARGEST_HERE:
                    yield file, encoded(analyze(file.path, file.data, file.language))
                else:
                    large.put(file)
                while large.is_full or large.is_answered:
                    yield large.answer()
            while large.waiting:
                yield large.answer()

    def close(self) -> None:
        """End the processes there are."""
        while self._idle:
            self._idle.pop().end()


@dataclass(frozen=True, slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    line: Connection

    def end(self) -> None:
        """Kill it; nothing it holds is worth waiting for."""
        self.line.close()
        self.process.kill()
        self.process.wait()


class _Queue:
    """Large files, first in, first out; a process has the first one. It is taken from the idle ones, and returned."""

    def __init__(self, idle: list[_Child], max_seconds: float, room: int) -> None:
        self._idle = idle
        self._max_seconds = max_seconds
        self._room = room
        self._child: _Child | None = None
        self._asked_at = 0.0
        self.waiting: deque[ReadFile] = deque()

    def __enter__(self) -> _Queue:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child and self.waiting:
            self._child.end()  # nobody will hear its answer
        elif self._child:
            self._idle.append(self._child)

    @property
    def is_full(self) -> bool:
        return sum(len(file.data) for file in self.waiting) > self._room

    @property
    def is_answered(self) -> bool:
        """True where `answer` need not wait."""
        return bool(self.waiting) and (self._child is None or self._child.line.poll(0))

    def put(self, file: ReadFile) -> None:
        self.waiting.append(file)
        if len(self.waiting) == 1:
            self._ask()

    def answer(self) -> tuple[ReadFile, Encoded]:
        """The first file and its analysis; the process has the next one then."""
        found = self._hear()
        file = self.waiting.popleft()
        if self.waiting:
            self._ask()
        if not isinstance(found, Encoded):
            return file, encoded(skipped(file.path, file.data, file.language, found))
        # Its text stayed here.
        is_read = found.parse_status is not ParseStatus.SKIPPED
        return file, replace(found, content=text_of(file.data, file.language).content) if is_read else found

    def _ask(self) -> None:
        """Hand the first file to the process."""
        try:
            self._child = self._handed(self.waiting[0])
        except OSError:  # the system starts no process now
            self._child = None
        self._asked_at = time.monotonic()

    def _handed(self, file: ReadFile) -> _Child:
        """The process that has `file` now: a new one where the last one died meanwhile."""
        question = (file.path, file.data, file.language)
        child = self._child or _idle_one(self._idle) or _start()
        try:
            child.line.send(question)
        except OSError:
            child.end()
            child = _start()
            child.line.send(question)
        return child

    def _hear(self) -> Encoded | str:
        """The analysis of the first file, or why there is none."""
        if self._child is None:
            return "no process could be started to parse it"
        try:
            if self._child.line.poll(max(0.0, self._asked_at + self._max_seconds - time.monotonic())):
                found: Encoded = self._child.line.recv()
                return found
            reason = f"its parser took longer than {self._max_seconds:g} s"
        except (EOFError, OSError):
            reason = "its parser died of it"
        self._child.end()
        self._child = None
        return reason


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _idle_one(idle: list[_Child]) -> _Child | None:
    try:
        return idle.pop()
    except IndexError:  # none, or another thread was faster
        return None


def _start() -> _Child:
    ours, theirs = Pipe()
    # -P: a file of the current folder is no module of ours. A session of its own: Ctrl-C is for us.
    command = (sys.executable, "-P", "-m", __name__, str(theirs.fileno()))
    with theirs:
        process = subprocess.Popen(  # noqa: S603  # our own command, no shell
            command,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return _Child(process, ours)


def main() -> None:
    """Answer until the other end is closed; no more memory than allowed, and no core file."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(int(sys.argv[1])) as line:
        while True:
            try:
                path, data, language = line.recv()
            except EOFError:
                return
            line.send(replace(encoded(analyze(path, data, language)), content=None))


if __name__ == "__main__":
    main()
