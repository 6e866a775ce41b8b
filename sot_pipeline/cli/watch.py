"""`sot watch`: stays, and keeps everything in agreement with the files as they change."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from datetime import datetime
from json import dumps
from typing import TYPE_CHECKING, Annotated

import typer

from sot_pipeline.cli.documents import watch_document
from sot_pipeline.cli.options import ConfigOption, ProjectsOption, projects_of, workspace_of
from sot_pipeline.cli.output import explain, note, plural, say, say_problems, say_targets, style

if TYPE_CHECKING:
    from sot_pipeline.watch.applied import Applied

Sources = Annotated[
    str | None,
    typer.Option(
        "--sources",
        metavar="NAMES",
        help="What to watch, commas between: ledgers, code, skills.",
        show_default="all that a project has",
    ),
]
Tables = Annotated[
    str | None,
    typer.Option(
        "--tables",
        metavar="NAMES",
        help="Only these tables, no points and no README: sot_entries, code_files, codebase_metadata, skills.",
    ),
]
Debounce = Annotated[
    int, typer.Option("--debounce-ms", min=1, max=60_000, help="How long a file must be quiet before it is read.")
]
Reconcile = Annotated[
    float, typer.Option("--reconcile-seconds", min=0.1, help="Look at every file so often, whatever events say.")
]
Lines = Annotated[bool, typer.Option("--json", help="One JSON line for each applied batch, nothing else on stdout.")]


def watch(
    sources: Sources = None,
    project: ProjectsOption = None,
    tables: Tables = None,
    debounce_ms: Debounce = 50,
    reconcile_seconds: Reconcile = 15.0,
    json: Lines = False,
    config: ConfigOption = None,
) -> None:
    """Catch up with the files, then apply every change within a moment; Ctrl-C ends it."""
    from sot_pipeline.runtime.stop import Stop

    gc.enable()  # this command is not over soon
    stop = Stop()
    with stop.on_signals():  # also while the rest is imported
        from sot_pipeline.runtime.schedule import Timing
        from sot_pipeline.watch.reporting import reporting
        from sot_pipeline.watch.resident import watch_files
        from sot_pipeline.watch.sources import open_sources
        from sot_pipeline.watch.watcher import Settings

        workspace = workspace_of(config, require_roots=False)
        projects = projects_of(workspace, project)
        watched = open_sources(workspace, projects, sources, tables)
        settings = Settings(Timing.of_debounce(debounce_ms / 1000), reconcile_seconds)
        say_targets(workspace.targets)
        with reporting(workspace, note) as report:
            note(f"Watching {plural(len(projects), 'project')}; Ctrl-C ends it.")
            watch_files(workspace, projects, watched, settings, _teller(json, report), stop)


def _teller(as_json: bool, report: Callable[[str], None]) -> Callable[[Applied], None]:
    """What says a batch, to the terminal or as a line, and hands the line to `report`."""

    def tell(applied: Applied) -> None:
        line = dumps(watch_document(applied), ensure_ascii=False)
        if as_json:
            say(line)
        else:
            _say_applied(applied)
        report(line)

    return tell


def _say_applied(applied: Applied) -> None:
    result = applied.result
    paths = ", ".join(applied.paths[:3]) + (f" and {len(applied.paths) - 3} more" if len(applied.paths) > 3 else "")
    now = style(datetime.now().astimezone().strftime("%H:%M:%S"), dim=True)
    counts = "; ".join(f"{name} {_counts(found)}" for name, found in result.targets.items() if isinstance(found, dict))
    name = style(applied.project_id, bold=True)
    say(f"{now} {name}  {paths or 'nothing new'}  {counts}  {applied.milliseconds} ms")
    say_problems(result.problems)
    if result.error:
        explain(result.error)


def _counts(found: Mapping[str, object]) -> str:
    if "changed" in found:
        return "updated" if found["changed"] else "unchanged"
    marks = {"inserted": "+", "updated": "~", "deleted": "-"}
    return " ".join(f"{mark}{found[name]}" for name, mark in marks.items() if found[name]) or "unchanged"
