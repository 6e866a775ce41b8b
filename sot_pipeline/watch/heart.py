"""The watcher's sign of life: its probe, its state file, and the lock that lets only one live beside a `sot.toml`."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from sot_pipeline.errors import LockNotAcquired
from sot_pipeline.runtime.alive import WatcherState, read_state, write_state
from sot_pipeline.runtime.process import this_process
from sot_pipeline.runtime.pulse import Pulse

PROBE_NAME = "probe"
LOCK_NAME = "lock"


class Heart:
    """Writes the probe and the state in `folder`; `now` tells seconds since 1970."""

    def __init__(
        self,
        folder: Path,
        *,
        sources: tuple[str, ...],
        projects: tuple[str, ...],
        pulse: Pulse,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.pulse = pulse
        self._now = now
        self._state = WatcherState(this_process(), now(), now(), sources, projects)

    @property
    def probe(self) -> str:
        """Path of the probe, as its event names it."""
        return str(self.folder / PROBE_NAME)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only watcher of this workspace during the block. Raises LockNotAcquired where one runs."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LockNotAcquired(
                f"{self.folder} cannot be used ({error.strerror}).", remedy="Mend its permissions or free some space."
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = read_state(self.folder)
            raise LockNotAcquired(
                f"A watcher runs already in {self.folder.parent.parent} ({other.process if other else 'unknown'}).",
                remedy="One is enough for all projects of a sot.toml; end it first.",
            ) from None
        else:
            self._write()
            yield
            self._state = replace(self._state, ended_at=self._now(), busy_since=None)
            self._write()
        finally:
            os.close(descriptor)

    def beat(self, now: float) -> None:
        """Write the probe, at `now` of the pulse's clock."""
        with suppress(OSError):  # a full disk is no reason to end; silence is noticed
            self.folder.mkdir(parents=True, exist_ok=True)
            Path(self.probe).write_bytes(str(self._now()).encode())
        self.pulse.written(now)

    def seen(self) -> None:
        """The probe came back: say that we live."""
        self.pulse.seen()
        self.say()

    def say(self) -> None:
        """Note that we live; while polling, this is what a look at the files says."""
        self._state = replace(self._state, beat_at=self._now(), polling=self.pulse.is_polling)
        self._write()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """During the block silence is no sign of death."""
        self._state = replace(self._state, busy_since=self._now())
        self._write()
        yield
        self._state = replace(self._state, busy_since=None, beat_at=self._now())
        self._write()

    def trouble(self, message: str | None) -> None:
        """What failed, None where all is well again."""
        if message != self._state.trouble:
            self._state = replace(self._state, trouble=message)
            self._write()

    def _write(self) -> None:
        with suppress(OSError):
            write_state(self.folder, self._state)
