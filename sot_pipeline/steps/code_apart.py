"""Large source files are analysed in a process of their own: a parser in C can die of what it reads.

Small ones are not: what makes parsers die grows with the file, and a process costs its start. The
process is started for the first large file, stays for the next ones, and ends with ours.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from sot_pipeline.code.analyze import analyze, skipped
from sot_pipeline.code.encode import Encoded, encoded
from sot_pipeline.code.model import ParseStatus
from sot_pipeline.code.text import text_of

# The smallest text known to overflow a parser's stack has 84 kB (JSON, of brackets and quotes that never close).
LARGEST_HERE = 32 * 1024
# The slowest megabyte of code seen takes a second and 400 MB.
MAX_SECONDS = 20.0
MAX_MEMORY_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    line: Connection

    def end(self) -> None:
        """Kill it; nothing it holds is worth waiting for."""
        self.line.close()
        self.process.kill()
        self.process.wait()


class Analyst:
    """Analyses files of any bytes and survives them. To be used by any thread, one after the other."""

    def __init__(self, max_seconds: float = MAX_SECONDS) -> None:
        self._max_seconds = max_seconds
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def analyze(self, path: str, data: bytes, language: str) -> Encoded:
        """`code.analyze.analyze`; a file that its parser dies of, or takes too long for, is skipped and says so."""
        if len(data) <= LARGEST_HERE:
            return encoded(analyze(path, data, language))
        with self._lock:
            found = self._ask(path, data, language)
        if not isinstance(found, Encoded):
            return encoded(skipped(path, data, language, found))
        # Its text stayed here.
        is_read = found.parse_status is not ParseStatus.SKIPPED
        return replace(found, content=text_of(data, language).content) if is_read else found

    def close(self) -> None:
        """End the process, if there is one."""
        if self._child:
            self._child.end()
            self._child = None

    def _ask(self, path: str, data: bytes, language: str) -> Encoded | str:
        """The analysis, or why there is none."""
        try:
            child = self._child = self._child or _start()
            child.line.send((path, data, language))
            if child.line.poll(self._max_seconds):
                found: Encoded = child.line.recv()
                return found
            reason = f"its parser took longer than {self._max_seconds:g} s"
        except (EOFError, OSError):
            reason = "its parser died of it"
        self.close()
        return reason


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
