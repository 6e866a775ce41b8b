"""Reads and writes `sync_activity` and `readme_sync`. Portable SQL."""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from typing import cast

from sot_pipeline.plan import Counts, hash_text
from sot_pipeline.targets.database.engine import Engine, Row, Value
from sot_pipeline.targets.database.model import Activity, LoggedActivity, ReadmeSync
from sot_pipeline.targets.database.rows import moment

_COLUMNS = (
    "project_id, sync_type, entries_synced, status, error_message, created_at, inserted, updated, deleted, unchanged, "
    "duration_seconds"
)


def record(engine: Engine, project_id: str, activity: Activity, now: str) -> None:
    """Append one row to `sync_activity`."""
    engine.execute(
        f"INSERT INTO sync_activity ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            project_id,
            activity.sync_type,
            activity.entries_synced,
            activity.status,
            activity.error_message,
            now,
            *activity.counts,
            activity.duration_seconds,
        ),
    )


def recent(engine: Engine, project_id: str | None, sync_types: tuple[str, ...], limit: int) -> list[LoggedActivity]:
    """The newest rows first; None stands for all projects, no `sync_types` for all of them."""
    conditions, parameters = ["true"], list[Value]()
    if project_id is not None:
        conditions.append("project_id = ?")
        parameters.append(project_id)
    if sync_types:
        condition, values = engine.among("sync_type", sync_types)
        conditions.append(condition)
        parameters.append(values)
    where = " AND ".join(conditions)
    sql = f"SELECT {_COLUMNS} FROM sync_activity WHERE {where} ORDER BY id DESC LIMIT ?"
    return [_logged(row) for row in engine.query(sql, (*parameters, limit))]


def _logged(row: Row) -> LoggedActivity:
    project_id, sync_type, entries, status, message, created, *counts, seconds = row
    activity = Activity(
        cast("str", sync_type),
        cast("int", entries),
        cast("str", status),
        cast("str | None", message),
        Counts(*cast("list[int]", counts)),
        cast("float", seconds),
    )
    return LoggedActivity(cast("str", project_id), activity, moment(created))


def record_readme(engine: Engine, project_id: str, summary: str, now: str) -> None:
    """Note that the README says `summary`."""
    engine.execute(
        "INSERT INTO readme_sync (project_id, last_synced_at, last_update_summary, content_hash) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (project_id) DO UPDATE SET last_synced_at = excluded.last_synced_at, "
        "last_update_summary = excluded.last_update_summary, content_hash = excluded.content_hash",
        (project_id, now, summary, hash_text(summary)),
    )


def readme(engine: Engine, project_id: str) -> ReadmeSync | None:
    """What the README was last made to say, None where it never was."""
    sql = "SELECT last_synced_at, last_update_summary, content_hash FROM readme_sync WHERE project_id = ?"
    for synced_at, summary, content_hash in engine.query(sql, (project_id,)):
        return ReadmeSync(project_id, moment(synced_at), cast("str", summary), cast("str", content_hash))
    return None
