"""Conflicts between files and rows, found by a sync and decided by people.

Rows are kept, as a backup of all versions.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple, replace
from typing import cast

from sot_pipeline.targets.database.engine import Engine, Row, Value
from sot_pipeline.targets.database.rows import moment
from sot_pipeline.targets.database.skill_model import Conflict, StoredConflict

# In the order of `Conflict`.
_COLUMNS = "uid, skill_path, field, base, ours, theirs, base_bytes, ours_bytes, theirs_bytes"
_OPEN = "project_id = ? AND resolved_at IS NULL"
# Why a conflict ended that nobody decided.
AGREED = "agreed"


def conflicts(engine: Engine, project_id: str, *, open_only: bool) -> list[StoredConflict]:
    """See `SkillStore.conflicts`."""
    sql = (
        f"SELECT id, found_at, resolved_at, resolution, chosen_bytes, {_COLUMNS} FROM skill_conflicts "
        f"WHERE {_OPEN if open_only else 'project_id = ?'}"
    )
    rows = engine.query(sql, (project_id,))
    return [_stored(row) for row in sorted(rows, key=lambda row: (row[6], row[7], row[0]))]


def _stored(row: Row) -> StoredConflict:
    found, resolved, resolution, data = row[1:5]
    return StoredConflict(
        _conflict(row[5:]),
        moment(found),
        None if resolved is None else moment(resolved),
        cast("str | None", resolution),
        cast("bytes | None", data),
    )


def _conflict(row: Row) -> Conflict:
    return Conflict(*cast("tuple[str, str, str, str | None, str | None, str | None]", row[:6]), *_bytes(row[6:]))


def _bytes(row: Row) -> tuple[bytes | None, bytes | None, bytes | None]:
    return cast("tuple[bytes | None, bytes | None, bytes | None]", row)


def record(engine: Engine, project_id: str, found: Sequence[Conflict], now: str) -> int:
    """See `SkillStore.record_conflicts`."""
    wanted = {(each.uid, each.path, each.field): _storable(each) for each in found}
    # A skill that only the files have is known by its path.
    about = {(uid, "" if uid else path) for uid, path, _ in wanted}
    present: dict[tuple[str, str, str], tuple[int, Conflict]] = {}
    for number, *rest in engine.query(f"SELECT id, {_COLUMNS} FROM skill_conflicts WHERE {_OPEN}", (project_id,)):
        conflict = _conflict(tuple(rest))
        if (conflict.uid, "" if conflict.uid else conflict.path) in about:
            present[conflict.uid, conflict.path, conflict.field] = cast("int", number), conflict
    ended = [(now, AGREED, number) for key, (number, _) in present.items() if key not in wanted]
    new = [each for key, each in wanted.items() if key not in present]
    changed = [(each, present[key][0]) for key, each in wanted.items() if key in present and present[key][1] != each]
    engine.execute_many("UPDATE skill_conflicts SET resolved_at = ?, resolution = ? WHERE id = ?", ended)
    engine.execute_many(
        f"UPDATE skill_conflicts SET {' = ?, '.join(_COLUMNS.split(', '))} = ?, found_at = ?, resolution = NULL, "
        "chosen_bytes = NULL WHERE id = ?",
        [(*_values(each), now, number) for each, number in changed],
    )
    if new:
        columns = ("project_id", *_COLUMNS.split(", "), "found_at")
        engine.insert("skill_conflicts", columns, [(project_id, *_values(each), now) for each in new])
    return len(ended) + len(new) + len(changed)


def _values(conflict: Conflict) -> tuple[Value, ...]:
    return cast("tuple[Value, ...]", astuple(conflict))


def _storable(conflict: Conflict) -> Conflict:
    """The same with texts that both databases hold; they are for people, the bytes are exact."""
    return replace(
        conflict,
        path=_shown(conflict.path) or "",
        field=_shown(conflict.field) or "",
        base=_shown(conflict.base),
        ours=_shown(conflict.ours),
        theirs=_shown(conflict.theirs),
    )


def _shown(text: str | None) -> str | None:
    return None if text is None else text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def decide(engine: Engine, project_id: str, path: str, field: str | None, take: str, chosen: bytes | None) -> int:
    """See `SkillStore.resolve_conflict`."""
    where, parameters = f"{_OPEN} AND skill_path = ?", list[Value]((project_id, path))
    if field is not None:
        where, parameters = f"{where} AND field = ?", [*parameters, field]
    found = engine.query(f"SELECT id FROM skill_conflicts WHERE {where}", parameters)
    engine.execute(
        f"UPDATE skill_conflicts SET resolution = ?, chosen_bytes = ? WHERE {where}", (take, chosen, *parameters)
    )
    return len(found)


def close(
    engine: Engine, project_id: str, uids: Collection[str], paths: Collection[str], resolution: str, now: str
) -> None:
    """See `SkillStore.close_conflicts`."""
    has_uid, known = engine.among("uid", sorted(uids))
    has_path, unknown = engine.among("skill_path", sorted(paths))
    engine.execute(
        "UPDATE skill_conflicts SET resolved_at = ?, resolution = coalesce(resolution, ?) "
        f"WHERE {_OPEN} AND ({has_uid} AND uid <> '' OR {has_path} AND uid = '')",
        (now, resolution, project_id, known, unknown),
    )
