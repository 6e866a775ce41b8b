"""One watcher for a workspace, put together: its heart and its sources."""

from __future__ import annotations

from collections.abc import Callable

from sot_pipeline.runtime.alive import watch_folder
from sot_pipeline.runtime.pulse import Pulse
from sot_pipeline.runtime.stop import Stop
from sot_pipeline.watch.applied import Applied
from sot_pipeline.watch.heart import Heart
from sot_pipeline.watch.source import Source
from sot_pipeline.watch.watcher import Settings, Watcher
from sot_pipeline.workspace import Project, Workspace


def watch_files(
    workspace: Workspace,
    projects: tuple[Project, ...],
    sources: tuple[Source, ...],
    settings: Settings,
    tell: Callable[[Applied], None],
    stop: Stop,
) -> None:
    """Watch until `stop` is asked. Raises LockNotAcquired where another watcher runs for this workspace."""
    heart = Heart(
        watch_folder(workspace.folder),
        sources=tuple(source.name for source in sources),
        projects=tuple(project.id for project in projects),
        pulse=Pulse(),
    )
    Watcher(projects, sources, heart, tell, stop, settings).run()
