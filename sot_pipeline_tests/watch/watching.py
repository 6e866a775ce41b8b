"""A real `sot watch` process and what it says, and the rows that a fresh sync of the same files gives."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sot_pipeline.errors import SotError
from sot_pipeline.outcome import Mode
from sot_pipeline_tests.skill_workspaces import Guild
from sot_pipeline_tests.workspaces import Kiln

SOT = str(Path(sys.executable).with_name("sot"))
PATIENCE_SECONDS = 30.0


@dataclass
class Watching:
    """A watcher under way; its lines are parsed as they come."""

    process: subprocess.Popen[str]
    lines: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def next(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The next line."""
        return self.lines.get(timeout=seconds)

    def next_where(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next line that is wanted; those before it are passed over."""
        while not wanted(line := self.next()):
            pass
        return line

    def quiet(self, seconds: float = 0.4) -> bool:
        """True where no line comes for so long."""
        try:
            self.lines.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and stderr after this signal."""
        self.process.send_signal(number)
        assert self.process.stderr
        err = self.process.stderr.read()
        return self.process.wait(PATIENCE_SECONDS), err


@contextmanager
def watching(
    kiln: Kiln | Guild, *arguments: str, environment: Mapping[str, str] | None = None, caught_up: bool = True
) -> Iterator[Watching]:
    """`sot watch --json` in the folder of `kiln`, once it has caught up."""
    process = subprocess.Popen(
        [SOT, "watch", "--json", *arguments],
        cwd=kiln.folder,
        env={**os.environ, **kiln.environment, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watcher = Watching(process)
    try:
        if caught_up:
            watcher.next()
        yield watcher
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_until(question: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, f"not so after {seconds} s"
        time.sleep(0.03)


def fresh_digest(kiln: Kiln) -> str:
    """Digest of the rows of a fresh sync of the files as they are now."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = replace(kiln, environment={"DATABASE_URL": f"sqlite:///{folder}/fresh.db"})
        fresh.synced(Mode.DB_ONLY)
        return digest(fresh)


def digest(kiln: Kiln) -> str:
    """Digest of the rows, "" where the database is away."""
    try:
        with kiln.database() as database:
            return database.digest("kiln")
    except SotError:
        return ""


def require_fresh_rows(kiln: Kiln, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until the rows are those of a fresh sync."""
    wanted = fresh_digest(kiln)
    wait_until(lambda: digest(kiln) == wanted, seconds)
