"""`sot db …`: the schema of the database."""

from __future__ import annotations

import typer

from sot_pipeline.cli.options import DEFAULT_MAX_SECONDS, ConfigOption, DatabaseOption, workspace_of
from sot_pipeline.cli.output import say, say_targets
from sot_pipeline.runtime.deadline import Deadline

app = typer.Typer(no_args_is_help=True, help="Migrations of the database.")


@app.command()
def upgrade(database_url: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Bring the schema up to date; a sync that writes does this by itself."""
    from sot_pipeline.targets.database import Database

    workspace = workspace_of(config, database_url=database_url)
    say_targets({"database": workspace.targets["database"]})
    with Database(workspace.database_url) as database:
        before = database.revision()
        database.upgrade(Deadline(DEFAULT_MAX_SECONDS))
        after = database.revision()
    say(f"{before or 'empty'} → {after}" if before != after else f"{after} (up to date)")


@app.command()
def current(database_url: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Show the revision of the schema."""
    from sot_pipeline.targets.database import Database

    workspace = workspace_of(config, database_url=database_url)
    say_targets({"database": workspace.targets["database"]})
    with Database(workspace.database_url) as database:
        say(database.revision() or "empty: no table yet (sot db upgrade)")
