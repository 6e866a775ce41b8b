"""`sot readme …`: the summary between the README's markers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sot_pipeline.cli.options import ConfigOption, ExecuteOption, ProjectsOption, projects_of, workspace_of
from sot_pipeline.cli.output import finish, say, say_problems

if TYPE_CHECKING:
    from sot_pipeline.refresh import Rewrites

app = typer.Typer(no_args_is_help=True, help="The README's summary and its markers.")


@app.command()
def init(execute: ExecuteOption = False, project: ProjectsOption = None, config: ConfigOption = None) -> None:
    """Put a pair of summary markers under the README's first heading, where there is none."""
    from sot_pipeline.refresh import add_markers

    _say(add_markers, "gets its markers", execute, project, config)


@app.command()
def refresh(execute: ExecuteOption = False, project: ProjectsOption = None, config: ConfigOption = None) -> None:
    """Make the summary true, without touching any other target."""
    from sot_pipeline.refresh import refresh_readmes

    _say(refresh_readmes, "gets a new summary", execute, project, config)


def _say(
    rewrite: Callable[..., Rewrites], words: str, execute: bool, project: list[str] | None, config: Path | None
) -> None:
    workspace = workspace_of(config)
    rewrites = rewrite(workspace, projects_of(workspace, project), execute=execute)
    for file in rewrites.changed:
        say(f"{file.project_id}  {file.path}  {words}{'' if execute else ' (with --execute)'}")
    if not rewrites.changed and not rewrites.problems:
        say("Nothing to change.")
    say_problems(rewrites.problems)
    finish(1 if rewrites.problems else 0)
