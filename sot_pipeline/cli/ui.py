"""`sot ui`: the Dagster UI and daemon for this workspace."""

from __future__ import annotations

from typing import Annotated

import typer

from sot_pipeline.cli.options import ConfigOption, workspace_of
from sot_pipeline.cli.output import finish, note, say_targets

Port = Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port of the UI on 127.0.0.1.")]


Watch = Annotated[bool, typer.Option("--watch", help="Start 'sot watch' beside them.")]


def ui(port: Port = 3000, watch: Watch = False, config: ConfigOption = None) -> None:
    """Start Dagster's webserver and daemon on loopback; Ctrl-C ends all."""
    from sot_pipeline.runtime.services import dagster_services, run_services, watch_service

    workspace = workspace_of(config)
    say_targets(workspace.targets)
    note(f"Dagster UI: http://127.0.0.1:{port}  (loopback only, no authentication; Ctrl-C ends it)")
    services = dagster_services(workspace, port=port)
    finish(run_services((*services, watch_service(workspace)) if watch else services))
