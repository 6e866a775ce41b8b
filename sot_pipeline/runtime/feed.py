"""A child process that is fed lines and answers each with one of its own; whoever offers a line never waits for it.

A line that was not answered is offered again to the next child: each arrives at least once, or it
is said that it did not.
"""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sot_pipeline.errors import SotError

# What may wait while a child starts or is slow; one that is dead for good does not take all memory.
LONGEST_QUEUE = 1_000
# Pauses before a line is offered to a new child, in seconds.
PAUSES = (0.5, 2.0, 8.0)
# What the child may take for what is left when we end.
GRACE_SECONDS = 3.0


class Feed:
    """Starts the child that `start` gives at the first line, and a new one where it died.

    `complain` is told, in a thread of ours, about what could not be delivered.
    """

    def __init__(self, start: Callable[[], subprocess.Popen[str]], complain: Callable[[str], None]) -> None:
        self._start = start
        self._complain = complain
        self._lines: queue.Queue[str | None] = queue.Queue(LONGEST_QUEUE)
        self._process: subprocess.Popen[str] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="sot-feed", daemon=True)
        self._thread.start()

    def offer(self, line: str) -> None:
        """Send `line`, which has no line end, as soon as the child is ready for it."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._complain("A batch was not reported: the reporter is far behind.")

    def close(self) -> None:
        """End the child, after what it still does within the grace time."""
        self._closing.set()
        with suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(GRACE_SECONDS)
        if (child := self._process) is not None and self._thread.is_alive():
            child.kill()
            self._thread.join(GRACE_SECONDS)

    def _feed(self) -> None:
        while (line := self._lines.get()) is not None:
            if not any(self._delivered(line, pause) for pause in (0.0, *PAUSES)):
                self._complain("A batch was not reported: the reporter ended without an answer.")
                if self._closing.is_set():
                    break
        self._end()

    def _delivered(self, line: str, pause: float) -> bool:
        if self._closing.wait(pause) and pause:
            return False
        try:
            if self._process is None:
                self._process = self._start()
            child = self._process
            if child.stdin is None or child.stdout is None:
                raise ValueError("the child has no pipes")
            child.stdin.write(f"{line}\n")
            child.stdin.flush()
            if child.stdout.readline():
                return True
        except SotError as error:
            self._complain(str(error))
        except OSError:
            pass  # its end of the pipe is closed
        self._end()
        return False

    def _end(self) -> None:
        child, self._process = self._process, None
        if child is not None:
            child.kill()
            child.communicate()


def child_process(command: Sequence[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """A child with pipes for `Feed`. A session of its own, so that Ctrl-C reaches us alone."""
    return subprocess.Popen(  # noqa: S603  # our own command, no shell
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
