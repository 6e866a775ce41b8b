"""The command `sot`: registers the nouns and turns errors into exit codes."""

from __future__ import annotations

import atexit
import gc
import sys

import typer

from sot_pipeline.cli import (
    code,
    db,
    init,
    ledgers,
    locks,
    readme,
    search,
    show,
    skills,
    status,
    sync,
    ui,
    verify,
    watch,
)
from sot_pipeline.cli.output import error_document, explain, say_json
from sot_pipeline.errors import SotError

app = typer.Typer(
    name="sot",
    help="Keeps markdown ledgers and everything derived from them in agreement.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would double the time of `sot --help`
)
app.command()(init.init)
app.command()(init.demo)
app.command()(sync.sync)
app.command()(sync.plan)
app.command()(verify.verify)
app.command()(status.status)
app.command()(watch.watch)
app.command()(search.search)
app.command()(show.show)
app.add_typer(ledgers.app, name="ledgers")
app.add_typer(readme.app, name="readme")
app.add_typer(skills.app, name="skills")
app.add_typer(code.app, name="code")
app.add_typer(locks.app, name="locks")
app.add_typer(db.app, name="db")
app.command()(ui.ui)


def main() -> None:
    """Entry point: run the command, exit with its code, never with a traceback for an expected error."""
    gc.disable()  # a command is over before cycles add up, and a collection among 10,000 entries takes 50 ms
    atexit.register(gc.freeze)  # as does the one that Python ends with, for what the system frees anyway
    try:
        app()
    except SotError as error:
        if "--json" in sys.argv[1:]:
            say_json(error_document(error))
        explain(error)
        sys.exit(error.exit_code)
    finally:
        gc.enable()
