"""`sot ledgers …`: what may be rewritten in a ledger, its META and summary blocks."""

from __future__ import annotations

import typer

from sot_pipeline.cli.options import ConfigOption, ExecuteOption, ProjectsOption, projects_of, workspace_of
from sot_pipeline.cli.output import finish, say, say_problems

app = typer.Typer(no_args_is_help=True, help="META and summary blocks of the ledgers.")


@app.command()
def refresh(execute: ExecuteOption = False, project: ProjectsOption = None, config: ConfigOption = None) -> None:
    """Make META and summary blocks true; every other byte stays. A second run changes nothing."""
    from sot_pipeline.refresh import refresh_ledgers

    workspace = workspace_of(config)
    refreshed = refresh_ledgers(workspace, projects_of(workspace, project), execute=execute)
    verb = "refreshed" if execute else "would be refreshed (--execute writes)"
    for ledger in refreshed.changed:
        say(f"{ledger.project_id}  {ledger.path}  {verb}")
    if not refreshed.changed:
        say("Nothing to refresh: META and summary blocks are true.")
    say_problems(refreshed.problems)
    finish(1 if refreshed.problems else 0)
