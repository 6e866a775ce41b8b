"""The watcher: hints come in, files are looked at, what differs is applied, and so on until it is told to stop.

Events are hints only. Whether something changed is found out by looking at the files, and one and
the same look serves hints, retries and the regular reconciliation. When things are due is decided
in `runtime` (schedule, retry, pulse), what a source is in `source.py`.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.events import Events, Hints
from sot_pipeline.runtime.retry import Retries
from sot_pipeline.runtime.schedule import Schedule, Timing
from sot_pipeline.runtime.stop import Stop
from sot_pipeline.runtime.tree import ProjectState, changed_paths
from sot_pipeline.watch.applied import Applied
from sot_pipeline.watch.heart import Heart
from sot_pipeline.watch.source import Change, Result, Scope, Source, folder_identity
from sot_pipeline.workspace import Project

# A signal has to wait for the end of a wait.
LONGEST_WAIT = 0.5
# So many hints at once are a checkout or a lost queue: looking at everything is cheaper and surer.
LARGE_BATCH = 1_000
POLL_SECONDS = 1.0
APPLY_SECONDS = 600.0
# What may wait until no file does waits no longer than this, or somebody who always writes would keep it for ever.
LONGEST_UNFINISHED = 5.0
# What goes on in the background is asked for again after this.
ASK_AGAIN_SECONDS = 0.25


class Unit(NamedTuple):
    """What is looked at and applied together: the files of one source in one project."""

    source: str
    project_id: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Times of a watcher; `reconcile` is the number of seconds after which everything is looked at anyway."""

    timing: Timing = field(default_factory=Timing)
    reconcile: float = 15.0


@dataclass(slots=True)
class _Known:
    """What the watcher knows of a unit: where its files are, the state that was applied last, the error that was told.

    After a failure nobody knows what was written, so that any state differs (`unsure`). A batch is
    told of when it is finished; until then it is `unfinished`, and told of earlier (`is_told`) only
    where that takes too long.
    """

    scope: Scope
    applied: ProjectState | None = None
    unsure: bool = True
    told: str | None = None
    unfinished: Applied | None = None
    since: float = 0.0
    is_told: bool = False


class Watcher:
    """Keeps `projects` in agreement with the files of `sources`; `tell` gets every batch that was applied."""

    def __init__(
        self,
        projects: Iterable[Project],
        sources: Iterable[Source],
        heart: Heart,
        tell: Callable[[Applied], None],
        stop: Stop,
        settings: Settings,
        events: Events | None = None,
    ) -> None:
        self._projects = {project.id: project for project in projects}
        self._sources = {source.name: source for source in sources}
        self._heart = heart
        self._tell = tell
        self._stop = stop
        self._settings = settings
        self._events = events or Events()
        self._schedule: Schedule[tuple[Unit, str]] = Schedule(settings.timing)
        self._retries: Retries[Unit] = Retries()
        self._finish_retries: Retries[Unit] = Retries()
        self._to_finish: dict[Unit, float] = {}  # since when, the oldest first
        self._known: dict[Unit, _Known] = {}
        self._looked_at = 0.0

    def run(self) -> None:
        """Catch up with the files, then follow them until `stop` is asked. Raises LockNotAcquired beside another."""
        with self._heart.alone():
            try:
                self._reconcile(renew=True)
                while not self._stop.asked:
                    self._round()
                self._tell_unfinished(self._known)
            finally:
                self._events.close()

    def _round(self) -> None:
        hints = self._events.wait(self._pause())
        now = time.monotonic()
        self._note(hints, now)
        ready = self._schedule.take(now, _age)
        hinted = {path for _, path in ready}
        renew = self._pulse(now) or hints.lost
        if renew or len(hints.paths) > LARGE_BATCH or now >= self._next_look():
            self._reconcile(hinted, renew=renew)
            return
        units = {unit for unit, _ in ready} | self._retries.take(now)
        if self._rescope(units):
            self._reconcile(hinted, renew=True)
        elif units:
            self._apply_changes(units, hinted)
        elif self._may_finish(now):
            self._finish(next(iter(self._to_finish)))

    def _pause(self) -> float:
        """How long to wait for hints, in seconds."""
        now = time.monotonic()
        if self._may_finish(now):
            return 0.0
        timers = (self._schedule, self._retries, self._finish_retries, self._heart.pulse)
        return min(LONGEST_WAIT, *(timer.due_in(now) for timer in timers))

    def _may_finish(self, now: float) -> bool:
        """True where something is to be finished, and either no file waits or it has waited long enough."""
        self._left_to_finish(self._finish_retries.take(now), now)
        oldest = min(self._to_finish.values(), default=math.inf)
        return oldest < now - LONGEST_UNFINISHED or (bool(self._to_finish) and not self._schedule.waiting)

    def _left_to_finish(self, units: Iterable[Unit], now: float) -> None:
        for unit in units:
            self._to_finish.setdefault(unit, now)

    def _next_look(self) -> float:
        """When everything is looked at again: soon where no events can be relied on."""
        return self._looked_at + (POLL_SECONDS if self._must_poll() else self._settings.reconcile)

    def _must_poll(self) -> bool:
        """True where the probe does not come back, or cannot speak for a folder of another file system."""
        here = folder_identity(str(self._heart.folder))
        devices = {device for known in self._known.values() for device, _ in known.scope.folders.values()}
        return self._heart.pulse.is_polling or (here is not None and bool(devices - {here[0]}))

    def _note(self, hints: Hints, now: float) -> None:
        if self._heart.probe in hints.paths:
            self._heart.seen()
        for path in hints.paths:
            for unit, known in self._known.items():
                if path in known.scope.paths:
                    self._schedule.hint((unit, path), now)

    def _pulse(self, now: float) -> bool:
        """See to the probe; True where it did not come back, so that the watch is renewed."""
        pulse = self._heart.pulse
        if pulse.is_due(now):
            self._heart.beat(now)
        return pulse.missed(now)

    def _reconcile(self, hinted: Collection[str] = (), *, renew: bool) -> None:
        """Look at everything, under a new watch where folders moved or the old one is in doubt (`renew`).

        What is being written at the moment, or has just failed, has its timer and is left to it.
        """
        self._looked_at = time.monotonic()
        units = [
            Unit(source.name, project.id)
            for source in self._sources.values()
            for project in self._projects.values()
            if source.has(project)
        ]
        if self._rescope(units) or renew:
            folders = {folder for known in self._known.values() for folder in known.scope.folders}
            self._events.watch(folders | {str(self._heart.folder)})
            self._heart.pulse.renewed()
        self._left_to_finish(filter(self._is_left, units), self._looked_at)
        timed = {unit for unit, _ in self._schedule.waiting} | self._retries.waiting
        self._apply_changes([unit for unit in units if unit not in timed], hinted)
        if self._heart.pulse.is_polling:
            self._heart.say()

    def _rescope(self, units: Iterable[Unit]) -> bool:
        """Find out where the files of `units` are now; True where other folders are to be watched than before."""
        moved = False
        for unit in units:
            scope = self._sources[unit.source].scope(self._projects[unit.project_id])
            known = self._known.setdefault(unit, _Known(scope))
            moved |= known.scope.folders != scope.folders
            known.scope = scope
        return moved

    def _apply_changes(self, units: Collection[Unit], hinted: Collection[str]) -> None:
        for name, source in self._sources.items():
            states = {unit: self._look(unit, hinted) for unit in units if unit.source == name}
            changed = {unit: state for unit, state in states.items() if self._differs(unit, state)}
            if changed and not self._stop.asked:
                self._apply(source, changed)

    def _look(self, unit: Unit, hinted: Collection[str]) -> ProjectState:
        project = self._projects[unit.project_id]
        return self._sources[unit.source].look(project, self._known[unit].applied, hinted)

    def _differs(self, unit: Unit, state: ProjectState) -> bool:
        """True where `state` has to be applied; else it is what was applied, with newer times of its files."""
        known = self._known[unit]
        if known.unsure or known.applied is None or known.applied.hash != state.hash:
            return True
        known.applied = state
        return False

    def _apply(self, source: Source, changed: Mapping[Unit, ProjectState]) -> None:
        started = time.perf_counter()
        with self._heart.at_work():
            changes = {unit.project_id: Change(self._known[unit].applied, state) for unit, state in changed.items()}
            results = source.apply(changes, self._deadline())
        milliseconds = _since(started)
        for unit, state in changed.items():
            self._settle(unit, state, results[unit.project_id], milliseconds)
        self._note_trouble()

    def _settle(self, unit: Unit, state: ProjectState, result: Result, milliseconds: int) -> None:
        """Remember what was applied, and tell of it once it is finished; of an error once its tries are used up."""
        known = self._known[unit]
        paths = changed_paths(known.applied, state)
        applied = Applied(unit.source, unit.project_id, paths, state.hash, milliseconds, result)
        known.unsure = result.error is not None
        if result.error:
            if self._retries.failed(unit, time.monotonic()) and known.told != result.error.message:
                known.told = result.error.message
                self._tell(applied)
            return
        known.applied = result.after or state
        self._retries.succeeded(unit)
        self._tell_unfinished((unit,))
        if result.unfinished:
            known.unfinished, known.is_told, known.since = applied, False, time.monotonic()
            self._left_to_finish((unit,), known.since)
        else:
            known.told = None
            self._tell(applied)

    def _finish(self, unit: Unit) -> None:
        """Do what could wait of a batch. Where all tries fail it is told of as it is, and stays unfinished."""
        del self._to_finish[unit]
        known = self._known[unit]
        if known.unfinished is None:
            return
        started = time.perf_counter()
        with self._heart.at_work():
            rest = self._sources[unit.source].finish(unit.project_id, self._deadline())
        begun = known.unfinished
        if rest.unfinished:
            self._wait_for(unit, begun)
            return
        milliseconds = begun.milliseconds + _since(started)
        done = replace(begun, milliseconds=milliseconds, result=begun.result.joined(rest))
        if rest.error is None:
            known.unfinished, known.told = None, None
            self._finish_retries.succeeded(unit)
            self._tell(done)
        elif self._finish_retries.failed(unit, time.monotonic()) and not known.is_told:
            self._tell(begun if known.told == rest.error.message else done)
            known.is_told, known.told = True, rest.error.message
        self._note_trouble()

    def _wait_for(self, unit: Unit, begun: Applied) -> None:
        """Ask again for what goes on in the background; where that takes long, tell of the batch as it is."""
        known, now = self._known[unit], time.monotonic()
        self._finish_retries.later(unit, now + ASK_AGAIN_SECONDS)
        if now - known.since > LONGEST_UNFINISHED and not known.is_told:
            self._tell(begun)
            known.is_told = True

    def _is_left(self, unit: Unit) -> bool:
        """True where a batch is unfinished and all tries to finish it were in vain."""
        return self._known[unit].unfinished is not None and unit not in self._finish_retries.waiting

    def _tell_unfinished(self, units: Iterable[Unit]) -> None:
        """Tell of batches as far as they got: what was left of them is part of the next."""
        for known in (self._known[unit] for unit in units):
            if known.unfinished and not known.is_told:
                self._tell(known.unfinished)
            known.unfinished = None

    def _note_trouble(self) -> None:
        self._heart.trouble(next((known.told for known in self._known.values() if known.told), None))

    def _deadline(self) -> Deadline:
        return Deadline(APPLY_SECONDS, clock=self._stop.clock)


def _since(started: float) -> int:
    """Milliseconds since `started` (`time.perf_counter`)."""
    return round((time.perf_counter() - started) * 1000)


def _age(key: tuple[Unit, str]) -> float:
    """Seconds since the file was written, infinite for one that is gone."""
    _, path = key
    try:
        return time.time() - os.stat(path).st_mtime  # noqa: PTH116  # text from the system, not a path of ours
    except OSError:
        return float("inf")
