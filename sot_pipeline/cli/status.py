"""`sot status`: how things stand in each project."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING

from sot_pipeline.cli.options import (
    DEFAULT_MAX_SECONDS,
    ConfigOption,
    DatabaseOption,
    JsonOption,
    ProjectsOption,
    SecondsOption,
    projects_of,
    workspace_of,
)
from sot_pipeline.cli.output import note, plural, say, say_json, say_targets, style
from sot_pipeline.plan import Json
from sot_pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sot_pipeline.runtime.alive import WatcherState
    from sot_pipeline.status import CodeStatus, PointsStatus, ProjectStatus, SkillsStatus, SourceStatus
    from sot_pipeline.targets.database import LoggedActivity


def status(
    project: ProjectsOption = None,
    database_url: DatabaseOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show entries, last sync, its result and lag behind the files, by project and ledger; is a watcher alive?"""
    from sot_pipeline.runtime.alive import read_state, watch_folder
    from sot_pipeline.status import workspace_status

    workspace = workspace_of(config, database_url=database_url)
    say_targets(workspace.targets)
    found = workspace_status(workspace, projects_of(workspace, project), Deadline(max_seconds))
    watcher, now = read_state(watch_folder(workspace.folder)), time()
    if json:
        watched = watcher.document(now) if watcher else None
        say_json({"projects": [_document(each) for each in found], "watcher": watched})
        return
    for each in found:
        _say_project(each)
    say()
    say(f"watcher  {_watcher(watcher, now)}")


def _document(found: ProjectStatus) -> dict[str, Json]:
    return {
        "project_id": found.project_id,
        "lag": found.lag,
        "sources": [
            {
                "file_type": source.file_type,
                "path": source.path,
                "entries": source.entries,
                "rows": source.rows,
                "lag": source.lag,
                "skipped": source.skipped,
            }
            for source in found.sources
        ],
        "code": _code(found.code),
        "skills": asdict(found.skills) if found.skills else None,
        "last": {target: _activity(activity) for target, activity in found.last.items()},
    }


def _code(code: CodeStatus | None) -> Json:
    if code is None:
        return None
    return {
        "files": code.files,
        "rows": code.rows,
        "lag": code.lag,
        "partial": code.partial,
        "skipped": code.skipped,
        "left_out": dict(code.left_out),
        "points": asdict(code.points) if code.points else None,
    }


def _activity(logged: LoggedActivity | None) -> Json:
    if logged is None:
        return None
    done = logged.activity
    at = logged.created_at.isoformat(timespec="seconds")
    return {"at": at, "status": done.status, "error": done.error_message, **done.counts._asdict()}


def _say_project(found: ProjectStatus) -> None:
    say()
    say(style(found.project_id, bold=True))
    for source in found.sources:
        entries = plural(source.entries, "entry", "entries")
        say(f"  {source.file_type:<24} {source.path:<36} {entries:>14}  {_lag(source)}")
    if found.code:
        _say_code(found.code)
    if found.skills:
        _say_skills(found.skills)
    for target, activity in found.last.items():
        say(f"  last {target:<11} {_when(activity)}")
    if found.lag:
        note(style("  try: ", fg="yellow") + "sot plan, then sot sync --full --execute")
    if found.code and (found.code.lag or (found.code.points and found.code.points.lag)):
        note(style("  try: ", fg="yellow") + "sot code index --execute")
    if found.skills and (found.skills.lag or found.skills.conflicts):
        note(style("  try: ", fg="yellow") + "sot skills sync, then sot skills sync --execute")


def _say_code(code: CodeStatus) -> None:
    unread = f"{code.partial:,} read in part, {code.skipped:,} not read"
    say(f"  {'code':<24} {unread:<36} {plural(code.files, 'file'):>14}  {_lag_of(code.lag)}")
    if code.points:
        say(f"  {'points of code':<24} {_points(code.points)}")


def _say_skills(skills: SkillsStatus) -> None:
    states = (
        style(f"{plural(skills.lag, 'skill')} to sync", fg="yellow") if skills.lag else "",
        style(f"{skills.conflicts:,} in conflict", fg="red") if skills.conflicts else "",
        style(f"{skills.quarantined:,} left alone", fg="red") if skills.quarantined else "",
    )
    state = ", ".join(filter(None, states)) or _lag_of(0)
    beside = f"{plural(skills.rows, 'row')}, {plural(skills.warnings, 'warning')}"
    say(f"  {'skills':<24} {beside:<36} {plural(skills.files, 'folder'):>14}  {state}")


def _lag(source: SourceStatus) -> str:
    if source.skipped:
        return style(f"skipped: {source.skipped}", fg="red")
    return _lag_of(source.lag)


def _lag_of(rows: int) -> str:
    if rows:
        return style(f"{plural(rows, 'row')} behind", fg="yellow")
    return style("up to date", fg="green")


def _points(found: PointsStatus) -> str:
    if found.trouble:
        return style(f"not known: {found.trouble}", fg="red")
    lag = style(f"{plural(found.lag, 'file')} behind", fg="yellow") if found.lag else style("up to date", fg="green")
    return f"{'':<36} {plural(found.points, 'point'):>14}  {lag}"


def _watcher(watcher: WatcherState | None, now: float) -> str:
    if watcher is None:
        return style("never started (sot watch)", dim=True)
    since = datetime.fromtimestamp(watcher.since(now), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if not watcher.is_alive(now):
        return style(f"dead since {since}", fg="yellow" if watcher.ended_at else "red") + f" ({watcher.process})"
    polling = "; no events here, so it polls" if watcher.polling else ""
    trouble = f"; {style(watcher.trouble, fg='red')}" if watcher.trouble else ""
    return style(f"alive since {since}", fg="green") + f" ({watcher.process}{polling}){trouble}"


def _when(logged: LoggedActivity | None) -> str:
    if logged is None:
        return style("never", dim=True)
    at = logged.created_at.isoformat(sep=" ", timespec="seconds")
    error = f": {logged.activity.error_message}" if logged.activity.error_message else ""
    return f"{at} UTC  {logged.activity.status}{error}"
