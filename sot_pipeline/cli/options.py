"""Flags that several commands share, and what they resolve to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sot_pipeline.workspace import Project, Workspace

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="PATH", help="Another sot.toml than the nearest one.")
]
ProjectsOption = Annotated[
    list[str] | None, typer.Option("--project", metavar="ID", help="Only this project; repeatable.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else there.")]
ExecuteOption = Annotated[bool, typer.Option("--execute", help="Write; without it the command only looks.")]
DatabaseOption = Annotated[
    str | None, typer.Option("--database-url", metavar="URL", help="Another database than configured.")
]
QdrantOption = Annotated[
    str | None, typer.Option("--qdrant-host", metavar="URL|PATH", help="Another Qdrant than configured.")
]
RebuildOption = Annotated[bool, typer.Option("--rebuild", help="Fill a new collection of points and swap it in.")]
SecondsOption = Annotated[
    float, typer.Option("--max-seconds", min=0.001, help="Deadline of the whole run, network calls included.")
]
LockWaitOption = Annotated[float, typer.Option("--lock-wait", min=0.0, help="Seconds to wait for another writer.")]
DEFAULT_MAX_SECONDS = 120.0


def workspace_of(
    config: Path | None, *, database_url: str | None = None, qdrant_host: str | None = None, require_roots: bool = True
) -> Workspace:
    """The workspace as flags, environment and file say."""
    from sot_pipeline.workspace import Overrides, load_workspace  # pydantic: `sot --help` need not wait for it

    overrides = Overrides(database_url=database_url, qdrant=qdrant_host)
    return load_workspace(config, overrides=overrides, require_roots=require_roots)


def projects_of(workspace: Workspace, ids: list[str] | None) -> tuple[Project, ...]:
    """The projects named by `--project`, all without."""
    return workspace.select(tuple(ids or ()))
