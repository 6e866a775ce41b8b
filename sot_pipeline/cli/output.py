"""How commands speak: JSON or text on stdout, everything else on stderr, errors with an exit code."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import typer

from sot_pipeline.errors import SotError
from sot_pipeline.outcome import VectorsOutcome
from sot_pipeline.plan import Counts, Json, Problem, Severity
from sot_pipeline.runtime.progress import Progress, silent
from sot_pipeline.runtime.visible import visible

# How a change table marks what happens to a line.
MARKS = {"insert": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red")}

# Stands for the escape character in styles of ours. No ledger holds a NUL byte, so none can style.
_STYLED = re.compile(r"\0(\[[0-9;]*m)")


def style(text: str, *, fg: str | None = None, bold: bool | None = None, dim: bool | None = None) -> str:
    """`text` in a colour or weight, for `say` and `note`."""
    return typer.style(visible(text), fg=fg, bold=bold, dim=dim).replace("\x1b", "\0")


def _shown(text: str) -> str:
    """`text` as a terminal may get it: our styles work, every other control character is written out."""
    parts = _STYLED.split(text)
    return "".join(f"\x1b{part}" if at % 2 else visible(part) for at, part in enumerate(parts))


def say(text: str = "") -> None:
    """A line of the answer, on stdout; what a terminal would obey is written out."""
    typer.echo(_shown(text))


def note(text: str) -> None:
    """A line about the run, on stderr, as `say` does."""
    typer.echo(_shown(text), err=True)


def say_json(document: Mapping[str, Json]) -> None:
    """The one JSON document of a command."""
    say(json.dumps(document, ensure_ascii=False, indent=2))


def finish(exit_code: int) -> None:
    """End the command with `exit_code`."""
    if exit_code:
        raise typer.Exit(exit_code)


def error_document(error: SotError) -> dict[str, Json]:
    """What `--json` says where a command could not give its own document."""
    return {"error": error.message, "remedy": error.remedy or None, "exit_code": error.exit_code}


def explain(error: SotError) -> None:
    """An error for a person: what happened and, on the next line, what to do."""
    note(style("error: ", fg="red", bold=True) + error.message)
    if error.remedy:
        note(style("  try: ", fg="yellow") + error.remedy)


def say_targets(targets: Mapping[str, str | None]) -> None:
    """The resolved targets, redacted, on stderr: what this run reads and writes."""
    for name, target in targets.items():
        note(style(f"{name:<10}", dim=True) + (target or "disabled"))


def say_problems(problems: Iterable[Problem]) -> None:
    """One line a problem: severity, place, check and message."""
    for problem in problems:
        color = "red" if problem.severity is Severity.ERROR else "yellow"
        place = f"{problem.path}:{problem.line}" if problem.line else problem.path
        say(f"  {style(problem.severity, fg=color)} {place} [{problem.check}] {problem.message}")


def counts_of(counts: Counts, executed: bool) -> str:
    """`3 inserted, 7 unchanged`, or what would be."""
    verb = "" if executed else "would be "
    words = [f"{count:,} {verb}{name}" for name, count in counts._asdict().items() if name != "unchanged" and count]
    return ", ".join([*words, f"{counts.unchanged:,} unchanged"])


def points_of(points: VectorsOutcome, executed: bool) -> str:
    """What was done to points, or would be, and where their vectors are from."""
    return f"{counts_of(points.counts, executed)}; {points.embedded:,} embedded, {points.cached:,} from the cache"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 row`, `2 rows`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress]:
    """A bar on stderr for phases that take over a second; on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.MofNCompleteColumn())
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as display:
        tasks: dict[str, bars.TaskID] = {}

        def show(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = display.add_task(phase, total=total)
            display.update(tasks[phase], completed=done, total=total)

        yield show
