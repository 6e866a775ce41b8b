"""What a watcher says of itself in `.sot/watch/`: one file that others read to know whether it lives.

A watcher that runs and sees nothing is what people complain about, so it writes this only while
its own probe comes back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sot_pipeline.plan import Json
from sot_pipeline.runtime.process import Process, is_proven_dead

# Silence after which a watcher counts as dead, three probes long.
SILENT_AFTER_SECONDS = 15.0
# No batch takes longer; of a watcher on another host nobody could prove that it died at work.
LONGEST_WORK_SECONDS = 900.0
STATE_NAME = "state.json"


@dataclass(frozen=True, slots=True)
class WatcherState:
    """A watcher, times in seconds since 1970 (UTC). `trouble` is what failed last and was not mended since.

    `busy_since` is set while a batch is applied, which may take longer than a probe; `ended_at`
    where it was told to end.
    """

    process: Process
    started_at: float
    beat_at: float
    sources: tuple[str, ...]
    projects: tuple[str, ...]
    busy_since: float | None = None
    ended_at: float | None = None
    polling: bool = False
    trouble: str | None = None

    def is_alive(self, now: float) -> bool:
        """True where it runs and was heard of lately, or is at work."""
        if self.ended_at is not None or is_proven_dead(self.process):
            return False
        if self.busy_since is not None and now - self.busy_since <= LONGEST_WORK_SECONDS:
            return True
        return now - self.beat_at <= SILENT_AFTER_SECONDS

    def since(self, now: float) -> float:
        """Since when it has been alive, or dead."""
        return self.started_at if self.is_alive(now) else (self.ended_at or self.beat_at)

    def document(self, now: float) -> dict[str, Json]:
        """As `sot status --json` shows it."""
        return {
            "alive": self.is_alive(now),
            "since": datetime.fromtimestamp(self.since(now), UTC).isoformat(timespec="seconds"),
            "pid": self.process.pid,
            "host": self.process.host,
            "sources": list(self.sources),
            "projects": list(self.projects),
            "polling": self.polling,
            "trouble": self.trouble,
        }


def watch_folder(workspace_folder: Path) -> Path:
    """Where the watcher of a workspace keeps its state, its probe and its lock."""
    return workspace_folder / ".sot" / "watch"


def write_state(folder: Path, state: WatcherState) -> None:
    """Replace the file in one step. It is not made to survive a power cut: neither does the watcher."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{STATE_NAME}.new"
    draft.write_text(json.dumps(asdict(state)), encoding="utf-8")
    draft.replace(folder / STATE_NAME)


def read_state(folder: Path) -> WatcherState | None:
    """The last watcher's words; None where there never was one or nobody can read them."""
    try:
        return _state_from(json.loads((folder / STATE_NAME).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _state_from(fields: Mapping[str, object]) -> WatcherState:
    process = fields["process"]
    if not isinstance(process, dict):
        raise TypeError("no process")
    state = WatcherState(**{**fields, "process": Process(**process)})  # type: ignore[arg-type]  # our own words
    return replace(state, sources=tuple(state.sources), projects=tuple(state.projects))
