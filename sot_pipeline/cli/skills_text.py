"""What `sot skills …` tells a person: what happened to which skill, and both sides of a conflict. Prints only."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sot_pipeline.cli.output import explain, note, plural, points_of, say, say_problems, style
from sot_pipeline.outcome import SkillChanges, SkillConflict, SkillsOutcome
from sot_pipeline.plan import Severity

if TYPE_CHECKING:
    from sot_pipeline.skill_decisions import OpenConflict
    from sot_pipeline.skills.reconcile import Direction
    from sot_pipeline.sync_skills import SkillsReport
    from sot_pipeline.targets.database.skill_model import Conflict

CHANGES_SHOWN = 40
CONFLICTS_SHOWN = 10
WARNINGS_SHOWN = 5
LINES_SHOWN = 12
# So much of a line of a conflict is shown, in characters.
_WIDTH = 160
# Finding the lines that differ takes the square of their number.
_LINES_COMPARED = 2_000
_WORDS = {
    "export": "skills, the database follows the files",
    "import": "skills, the files follow the database",
    "sync": "skills, files and database follow each other",
}
_RESOLVE = "sot skills resolve PATH --take ours|theirs|FILE"
_SIDES = (("ours", "files"), ("theirs", "database"))


def say_report(report: SkillsReport, direction: Direction) -> None:
    """What was, or would be, done to each project's skills, and what to do next."""
    for outcome in report.projects:
        if outcome.error and not (_touched(outcome.files) or _touched(outcome.database)):
            continue
        say()
        say(f"{style(outcome.project_id, bold=True)}  {style(_WORDS[direction], dim=True)}")
        _say_side("files", outcome.files, executed=report.executed)
        _say_side("database", outcome.database, executed=report.executed)
        if outcome.points:
            say(f"  {'points':<10} {points_of(outcome.points, report.executed)}")
        say(f"  {'unchanged':<10} {outcome.unchanged:,}")
        _say_all_conflicts(outcome.conflicts)
        _say_quarantined(outcome.quarantined)
        _say_problems(outcome)
    if report.error:
        explain(report.error)
    elif any(outcome.conflicts for outcome in report.projects):
        _say_how_to_decide(stored=report.executed)
    if not report.error and not report.executed:
        _say_what_execute_does(report, direction)


def say_conflicts(found: Sequence[OpenConflict], *, several: bool) -> None:
    """Conflicts that wait, with what is decided about them."""
    for each in found:
        say()
        if several:
            say(style(each.project_id, bold=True))
        _say_conflict(each.stored.conflict)
        if each.stored.resolution:
            say(f"    decided: {style(_side_of(each.stored.resolution), fg='green')}, by the next sync")
    if not found:
        say("No conflicts.")
    elif all(each.stored.resolution for each in found):
        note(style("  try: ", fg="yellow") + "sot skills sync --execute")
    else:
        note(style("  try: ", fg="yellow") + _RESOLVE)


def say_decided(decided: Sequence[OpenConflict], take: str) -> None:
    """What a resolution will do."""
    first = decided[0].stored
    what = take if first.resolution == "file" else _side_of(first.resolution or "")
    say(f"{first.conflict.path}: {what} holds in {plural(len(decided), 'conflict')}.")
    note(style("  try: ", fg="yellow") + "sot skills sync --execute")


def _side_of(resolution: str) -> str:
    return {"ours": "ours (files)", "theirs": "theirs (database)"}.get(resolution, "the SKILL.md that was given")


def _say_side(name: str, changes: SkillChanges | None, *, executed: bool) -> None:
    if changes is None:
        return
    say(f"  {name:<10} {_counted(changes, '' if executed else 'would be ') or 'nothing to write'}")
    lines = [
        *((style("+", fg="green"), path) for path in changes.created),
        *((style("~", fg="yellow"), path) for path in changes.updated),
        *((style("-", fg="red"), path) for path in changes.deleted),
        *((style("→", fg="cyan"), f"{before} → {after}") for before, after in changes.renamed),
    ]
    for mark, text in lines[:CHANGES_SHOWN]:
        say(f"    {mark} {_one_line(text)}")
    _say_more(len(lines) - CHANGES_SHOWN, "change")


def _counted(changes: SkillChanges, verb: str) -> str:
    counts = {
        "created": len(changes.created),
        "updated": len(changes.updated),
        "deleted": len(changes.deleted),
        "renamed": len(changes.renamed),
    }
    return ", ".join(f"{count:,} {verb}{word}" for word, count in counts.items() if count)


def _say_more(count: int, what: str) -> None:
    if count > 0:
        say(f"    … and {count:,} more {what}{'s' if count > 1 else ''}")


def _say_all_conflicts(conflicts: Sequence[SkillConflict]) -> None:
    if conflicts:
        skills = plural(len({conflict.path for conflict in conflicts}), "skill")
        say(f"  {'conflicts':<10} {style(f'{len(conflicts):,} in {skills}', fg='red')}")
    for conflict in conflicts[:CONFLICTS_SHOWN]:
        _say_conflict(conflict)
    _say_more(len(conflicts) - CONFLICTS_SHOWN, "conflict")


def _say_conflict(conflict: SkillConflict | Conflict) -> None:
    say(f"    {style('!', fg='red')} {style(_one_line(conflict.path), bold=True)}  {_one_line(conflict.field)}")
    if conflict.base is None and conflict.ours is None:
        # Not two edits, but one in the database that no SKILL.md can be made of.
        say(f"      {_one_line(conflict.theirs or '')}")
        return
    values = {"ours": conflict.ours, "theirs": conflict.theirs}
    if all(_is_short(value) for value in (conflict.base, *values.values())):
        say(f"      {'base':<18} {_value(conflict.base)}")
        for name, side in _SIDES:
            say(f"      {f'{name} ({side})':<18} {_value(values[name])}")
        return
    for name, side in _SIDES:
        say(f"      {name} ({side})")
        for line in _difference(conflict.base, values[name]):
            say(f"        {line}")


def _is_short(value: str | None) -> bool:
    return value is None or ("\n" not in value.rstrip("\n") and len(value) <= _WIDTH)


def _value(value: str | None) -> str:
    return style("not there", dim=True) if value is None else _one_line(value)


def _difference(base: str | None, value: str | None) -> Iterator[str]:
    """The lines in which `value` differs from `base`, the first of them."""
    if value is None:
        yield style("not there", dim=True)
        return
    before, after = ((text or "").splitlines() for text in (base, value))
    if len(before) + len(after) > _LINES_COMPARED:
        yield f"{plural(len(after), 'line')} instead of {len(before):,}"
        return
    # The first two lines name files.
    lines = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    colors = {"+": "green", "-": "red"}
    yield from (style(_one_line(line), fg=colors.get(line[:1])) for line in lines[:LINES_SHOWN])
    if len(lines) > LINES_SHOWN:
        yield f"… and {plural(len(lines) - LINES_SHOWN, 'line')} more"


def _one_line(text: str) -> str:
    """`text` on one line of bounded length; what a terminal would obey, `say` writes out."""
    line = text.rstrip("\n").replace("\n", "\\n")
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _say_quarantined(quarantined: Mapping[str, str]) -> None:
    if quarantined:
        say(f"  {'left alone':<10} {style(plural(len(quarantined), 'skill'), fg='red')}")
    for path, reason in list(quarantined.items())[:CHANGES_SHOWN]:
        say(f"    {style('?', fg='red')} {_one_line(path)}: {reason}")
    _say_more(len(quarantined) - CHANGES_SHOWN, "skill")
    if quarantined:
        note(style("  try: ", fg="yellow") + "mend what was left alone; both sides stay as they are until then")


def _say_problems(outcome: SkillsOutcome) -> None:
    say_problems(problem for problem in outcome.problems if problem.severity is Severity.ERROR)
    warnings = [problem for problem in outcome.problems if problem.severity is not Severity.ERROR]
    say_problems(warnings[:WARNINGS_SHOWN])
    _say_more(len(warnings) - WARNINGS_SHOWN, "warning")


def _say_how_to_decide(*, stored: bool) -> None:
    first = "" if stored else "sot skills sync --execute, which stores the conflicts, then "
    note(style("  try: ", fg="yellow") + first + _RESOLVE)


def _say_what_execute_does(report: SkillsReport, direction: Direction) -> None:
    # Of a project with a problem of severity error nothing is written: its plan was refused.
    planned = [each for each in report.projects if not _has_errors(each)]
    files = sum(_touched(outcome.files) for outcome in planned)
    rows = sum(_touched(outcome.database) for outcome in planned)
    if files or rows:
        say(f"\n--execute would write {plural(rows, 'skill')} in the database and {files:,} in the files.")
        note(style("  try: ", fg="yellow") + f"sot skills {direction} --execute")
    else:
        say("\n--execute would write nothing.")


def _has_errors(outcome: SkillsOutcome) -> bool:
    return any(problem.severity is Severity.ERROR for problem in outcome.problems)


def _touched(changes: SkillChanges | None) -> int:
    return sum(changes.counts) if changes else 0
