"""Folders of skills that are being moved: noted with the rows that want it, forgotten when it is done."""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from sot_pipeline.skills.model import Move
from sot_pipeline.targets.database.engine import Engine, Target

_MOVES = Target("skill_moves", ("project_id", "uid", "source", "target", "folder_hash"), ("project_id", "uid"))


def moves(engine: Engine, project_id: str) -> list[Move]:
    """See `SkillStore.moves`."""
    sql = "SELECT uid, source, target, folder_hash FROM skill_moves WHERE project_id = ? ORDER BY uid"
    rows = cast("list[tuple[str, str, str | None, str]]", engine.query(sql, (project_id,)))
    return [Move(*row) for row in rows]


def note(engine: Engine, project_id: str, wanted: Sequence[Move]) -> None:
    """Note moves that are about to be made."""
    if wanted:
        engine.merge(_MOVES, [(project_id, each.uid, each.source, each.target, each.folder_hash) for each in wanted])


def forget(engine: Engine, project_id: str, uids: Collection[str]) -> None:
    """Forget moves that were made, or given up."""
    condition, values = engine.among("uid", sorted(uids))
    engine.execute(f"DELETE FROM skill_moves WHERE project_id = ? AND {condition}", (project_id, values))
