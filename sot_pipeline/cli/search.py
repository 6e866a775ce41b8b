"""`sot search`: which entries answer a question, where they stand, and whether that is still true."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sot_pipeline.cli.options import (
    DEFAULT_MAX_SECONDS,
    ConfigOption,
    DatabaseOption,
    JsonOption,
    ProjectsOption,
    QdrantOption,
    SecondsOption,
    projects_of,
    workspace_of,
)
from sot_pipeline.cli.output import note, say, say_json, say_targets, style
from sot_pipeline.errors import UsageError
from sot_pipeline.plan import Severity
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.search.answer import SearchAnswer, SearchHit, SearchMode, answer_document

if TYPE_CHECKING:
    from sot_pipeline.search.search import Searching
    from sot_pipeline.workspace import Workspace

QueryArgument = Annotated[
    list[str] | None, typer.Argument(metavar="QUERY", help="What to look for; everything in it is text.")
]
TypesOption = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="FILE_TYPE", help="Only this kind of ledger, or skill, or code; repeatable."),
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Entries at most.")]
ModeOption = Annotated[
    SearchMode, typer.Option("--mode", help="Words, meaning or both; without Qdrant hybrid is keyword.")
]
BatchOption = Annotated[
    str | None, typer.Option("--batch", metavar="FILE", help="One query a line (-: stdin), one JSON document a line.")
]
RefreshOption = Annotated[bool, typer.Option("--refresh", help="First sync the projects whose files have moved on.")]
PATHS_SHOWN = 10


def search(
    query: QueryArgument = None,
    project: ProjectsOption = None,
    file_type: TypesOption = None,
    limit: LimitOption = 10,
    mode: ModeOption = SearchMode.HYBRID,
    batch: BatchOption = None,
    refresh: RefreshOption = False,
    database_url: DatabaseOption = None,
    qdrant_host: QdrantOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find entries by their words, their meaning or both."""
    from sot_pipeline.search.search import open_search

    queries = _queries(query, batch)
    deadline = Deadline(max_seconds)
    workspace = workspace_of(config, database_url=database_url, qdrant_host=qdrant_host)
    projects = projects_of(workspace, project)
    with open_search(workspace, projects, mode=mode, file_types=file_type or (), deadline=deadline) as searching:
        for line in searching.notes:
            note(style("note: ", fg="cyan") + line)
        if refresh:
            _catch_up(workspace, searching)
        for answer in searching.answers(queries, limit=limit):
            if batch is not None:
                say(jsonlib.dumps(answer_document(answer), ensure_ascii=False))
            elif json:
                say_json(answer_document(answer))
            else:
                _say_answer(answer, searching, workspace)


def _queries(words: list[str] | None, batch: str | None) -> list[str]:
    if batch is None:
        return [" ".join(words or ())]
    if words:
        raise UsageError("--batch takes its queries from the file.", remedy="Leave QUERY out.")
    try:
        text = sys.stdin.read() if batch == "-" else Path(batch).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{batch}: cannot be read ({error}).", remedy="Name a UTF-8 file, one query a line.") from None
    queries = text.removesuffix("\n").split("\n")
    for number, query in enumerate(queries, start=1):
        if not query.strip():
            raise UsageError(f"{batch}:{number}: no query on this line.", remedy="Write one query on each line.")
    return queries


def _catch_up(workspace: Workspace, searching: Searching) -> None:
    from sot_pipeline.search.catch_up import sync_lagging

    for problem in sync_lagging(workspace, searching):
        if problem.severity is Severity.ERROR:
            place = f"{problem.path}:{problem.line}" if problem.line else problem.path
            note(f"{style('error: ', fg='red')}{place} {problem.message}")


def _say_answer(answer: SearchAnswer, searching: Searching, workspace: Workspace) -> None:
    several = len(searching.projects) > 1
    for hit in answer.results:
        _say_hit(hit, several=several)
    if not answer.results:
        say("Nothing found.")
        say_targets({name: target for name, target in workspace.targets.items() if name != "embedding"})
    if answer.behind:
        paths = [f"{lag.project_id}:{lag.path}" if several else lag.path for lag in answer.behind]
        more = f" and {len(paths) - PATHS_SHOWN:,} more" if len(paths) > PATHS_SHOWN else ""
        note(style("behind: ", fg="yellow") + f"{', '.join(paths[:PATHS_SHOWN])}{more} moved on since the last sync.")
        note(style("  try: ", fg="yellow") + f"{_remedy(searching, workspace)} (or this search with --refresh)")


def _remedy(searching: Searching, workspace: Workspace) -> str:
    ledgers = [f"sot sync {'--full' if workspace.qdrant else '--db-only'} --execute"] * bool(searching.file_types)
    skills = ["sot skills sync --execute"] * bool(searching.skilled)
    return ", ".join([*ledgers, *skills, *["sot code index --execute"] * bool(searching.code)])


def _say_hit(hit: SearchHit, *, several: bool) -> None:
    project = f"{hit.key.project_id}  " if several else ""
    place = f"{hit.path}:{hit.line}" if hit.line else hit.path
    stale = "" if hit.fresh else style("  stale", fg="yellow")
    entry = style(hit.key.entry_id, bold=True)
    say(f"{project}{entry}  {place}  {hit.score:.2f}  {hit.title}{stale}")
    if hit.snippet:
        say(f"    {style(hit.snippet, dim=True)}")
