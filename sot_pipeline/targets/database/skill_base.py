"""What files and rows last agreed on, byte for byte, and what remains of skills that both deleted."""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import cast

from sot_pipeline.skills.model import File, Skill
from sot_pipeline.targets.database.engine import Engine, Target, Value
from sot_pipeline.targets.database.rows import moment
from sot_pipeline.targets.database.skill_model import Base, Tombstone
from sot_pipeline.targets.database.skill_rows import EXECUTABLE, mode_of

_KEY = ("project_id", "uid")
_BASE = Target("skill_base", (*_KEY, "skill_path", "row_version", "folder_hash"), _KEY)
_FILES = Target("skill_base_file", (*_KEY, "path", "content", "sha256", "mode"), (*_KEY, "path"))
_TOMBSTONES = Target("skill_tombstones", (*_KEY, "skill_path", "deleted_at", "side"), _KEY)


def chosen(engine: Engine, project_id: str, uids: Collection[str] | None) -> tuple[str, list[Value]]:
    """A condition for the rows of these skills of a project, or of all, and its parameters."""
    if uids is None:
        return "project_id = ?", [project_id]
    condition, values = engine.among("uid", sorted(uids))
    return f"project_id = ? AND {condition}", [project_id, values]


def bases(engine: Engine, project_id: str) -> dict[str, Base]:
    """See `SkillStore.base`."""
    sql = "SELECT uid, skill_path, row_version, folder_hash FROM skill_base WHERE project_id = ?"
    rows = cast("list[tuple[str, str, int, str]]", engine.query(sql, (project_id,)))
    return {uid: Base(path, version, folder_hash) for uid, path, version, folder_hash in rows}


def skills(engine: Engine, project_id: str, uids: Collection[str] | None) -> dict[str, Skill]:
    """See `SkillStore.base_files`."""
    where, parameters = chosen(engine, project_id, uids)
    paths = _paths(engine, where, parameters)
    files: dict[str, dict[str, File]] = {uid: {} for uid in paths}
    sql = f"SELECT uid, path, content, mode FROM skill_base_file WHERE {where} ORDER BY path"
    for uid, path, content, mode in cast("list[tuple[str, str, bytes, int]]", engine.query(sql, parameters)):
        if uid in files:
            files[uid][path] = File(content, executable=mode == EXECUTABLE)
    return {uid: Skill(path, files[uid]) for uid, path in paths.items()}


def _paths(engine: Engine, where: str, parameters: Sequence[Value]) -> dict[str, str]:
    sql = f"SELECT uid, skill_path FROM skill_base WHERE {where}"
    return dict(cast("list[tuple[str, str]]", engine.query(sql, parameters)))


def agree(engine: Engine, project_id: str, agreed: Mapping[str, tuple[Skill, int]]) -> None:
    """See `SkillStore.set_base`; of the files only what differs is written."""
    where, parameters = chosen(engine, project_id, agreed)
    sql = f"SELECT uid, path, sha256, mode FROM skill_base_file WHERE {where}"
    present = {row[:2]: row[2:] for row in engine.query(sql, parameters)}
    wanted = {
        (uid, path): (project_id, uid, path, file.content, sha256(file.content).hexdigest(), mode_of(file))
        for uid, (skill, _) in agreed.items()
        for path, file in skill.files.items()
    }
    engine.execute_many(
        "DELETE FROM skill_base_file WHERE project_id = ? AND uid = ? AND path = ?",
        [(project_id, *cast("tuple[str, str]", key)) for key in present if key not in wanted],
    )
    changed = [row for key, row in wanted.items() if present.get(key) != row[4:]]
    if changed:
        engine.merge(_FILES, changed)
    rows = [(project_id, uid, skill.path, version, skill.folder_hash) for uid, (skill, version) in agreed.items()]
    engine.merge(_BASE, rows)
    engine.execute(f"DELETE FROM skill_tombstones WHERE {where}", parameters)
    engine.execute(
        "UPDATE skills SET content_hash = (SELECT b.folder_hash FROM skill_base AS b "
        "WHERE (b.project_id, b.uid, b.row_version) = (skills.project_id, skills.uid, skills.row_version)) "
        f"WHERE {where} AND content_hash IS NULL",
        parameters,
    )


def follow(engine: Engine, project_id: str, arrived: Mapping[str, str]) -> None:
    """Note new folders (uid → path) of what was agreed on."""
    engine.execute_many(
        "UPDATE skill_base SET skill_path = ? WHERE project_id = ? AND uid = ?",
        [(path, project_id, uid) for uid, path in arrived.items()],
    )


def bury(engine: Engine, project_id: str, uids: Collection[str], side: str, now: str) -> None:
    """See `SkillStore.drop_base`."""
    where, parameters = chosen(engine, project_id, uids)
    paths = _paths(engine, where, parameters)
    engine.merge(_TOMBSTONES, [(project_id, uid, path, now, side) for uid, path in paths.items()])
    forget(engine, project_id, uids)


def forget(engine: Engine, project_id: str, uids: Collection[str]) -> None:
    """Let nothing have been agreed on about these skills."""
    where, parameters = chosen(engine, project_id, uids)
    for table in ("skill_base_file", "skill_base"):
        engine.execute(f"DELETE FROM {table} WHERE {where}", parameters)


def tombstones(engine: Engine, project_id: str) -> dict[str, Tombstone]:
    """See `SkillStore.tombstones`."""
    sql = "SELECT uid, skill_path, deleted_at, side FROM skill_tombstones WHERE project_id = ?"
    return {
        cast("str", uid): Tombstone(cast("str", path), moment(deleted), cast("str", side))
        for uid, path, deleted, side in engine.query(sql, (project_id,))
    }
