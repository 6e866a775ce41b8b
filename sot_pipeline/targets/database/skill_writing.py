"""Writes skills in a transaction that is open: only over rows that are still those that were read.

Whoever else writes to the tables is kept from the rows that are looked at until the transaction ends.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import cast

from sot_pipeline.targets.database.engine import Engine, Row, Value
from sot_pipeline.targets.database.skill_model import StoredSkill, Version, Written
from sot_pipeline.targets.database.skill_rows import (
    FILES,
    LISTS,
    MEMBER_COLUMNS,
    SKILLS,
    file_values,
    member_values,
    skill_values,
    unstorable,
    version_of,
)


def apply(
    engine: Engine,
    project_id: str,
    inserts: Sequence[StoredSkill],
    updates: Sequence[StoredSkill],
    deletes: Mapping[str, int],
) -> Written:
    """See `SkillStore.apply`."""
    refused = {skill.uid: flaw for skill in (*inserts, *updates) if (flaw := unstorable(skill))}
    asked = [skill.uid for skill in (*inserts, *updates) if skill.uid not in refused]
    _drop_orphans(engine, project_id)
    here = _held(engine, project_id, {*asked, *deletes})
    gone = {uid for uid, expected in deletes.items() if uid in here and here[uid].row_version == expected}
    expected = {skill.uid: skill for skill in inserts if skill.uid not in here}
    expected |= {skill.uid: skill for skill in updates if _is_as_read(skill, here)}
    fitting = {uid: skill for uid, skill in expected.items() if uid not in refused}
    writable = _on_free_paths(fitting, _owners(engine, project_id, fitting.values()), gone)
    _delete(engine, project_id, gone)
    _write(engine, project_id, list(writable.values()), here)
    left = deletes.keys() & here.keys() - gone
    return Written(
        versions={uid: found.row_version for uid, found in _held(engine, project_id, writable).items()},
        deleted=frozenset(deletes.keys() - left),
        moved=frozenset({uid for uid in asked if uid not in writable} | left),
        refused=refused,
    )


def _is_as_read(skill: StoredSkill, here: Mapping[str, Version]) -> bool:
    return skill.uid in here and here[skill.uid].row_version == skill.row_version


def _held(engine: Engine, project_id: str, uids: Collection[str]) -> dict[str, Version]:
    """Those of `uids` that there are; nobody else can change them any more."""
    condition, values = engine.among("uid", sorted(uids))
    sql = f"SELECT uid, skill_path, row_version FROM skills WHERE project_id = ? AND {condition} ORDER BY uid"
    with engine.tolerant():
        rows = engine.query(sql + engine.row_lock, (project_id, values))
    return {cast("str", uid): Version(str(path or ""), version_of(version)) for uid, path, version in rows}


def _owners(engine: Engine, project_id: str, skills: Collection[StoredSkill]) -> dict[str, str]:
    """Path → uid of the row that has it now, of the paths that these skills are to have."""
    condition, values = engine.among("skill_path", sorted({skill.path for skill in skills}))
    sql = f"SELECT skill_path, uid FROM skills WHERE project_id = ? AND {condition}"
    return dict(cast("list[tuple[str, str]]", engine.query(sql, (project_id, values))))


def _on_free_paths(
    skills: Mapping[str, StoredSkill], owners: Mapping[str, str], gone: Collection[str]
) -> dict[str, StoredSkill]:
    """Those of `skills` whose path nobody has, or only a row that leaves it in the same batch."""
    left = dict(skills)
    while True:
        # Who has a path and keeps it goes before who wants it; else the first that wants it.
        holders: dict[str, str] = {}
        for uid, skill in sorted(left.items(), key=lambda item: owners.get(item[1].path) != item[0]):
            owner = owners.get(skill.path)
            stays = owner is not None and owner not in gone and owner not in left
            holders.setdefault(skill.path, cast("str", owner) if stays else uid)
        kept = {uid: skill for uid, skill in left.items() if holders[skill.path] == uid}
        if len(kept) == len(left):
            return kept
        left = kept


def _delete(engine: Engine, project_id: str, uids: Collection[str]) -> None:
    if uids:
        condition, values = engine.among("uid", sorted(uids))
        engine.execute(f"DELETE FROM skills WHERE project_id = ? AND {condition}", (project_id, values))


def _write(engine: Engine, project_id: str, skills: Sequence[StoredSkill], here: Mapping[str, Version]) -> None:
    """Members first: those of a new skill find no row yet whose version they would have to change."""
    if not skills:
        return
    known = [skill.uid for skill in skills if skill.uid in here]
    condition, values = engine.among("uid", known)
    if any(here[skill.uid].path != skill.path for skill in skills if skill.uid in here):
        # Two skills that swap paths would each be in the other's way.
        engine.execute(
            f"UPDATE skills SET skill_path = NULL WHERE project_id = ? AND {condition}", (project_id, values)
        )
    for key, table in LISTS.items():
        members = {skill.uid: member_values(project_id, key, skill) for skill in skills}
        _write_list(engine, project_id, table, members, known)
    _write_files(engine, project_id, skills, known)
    engine.merge(SKILLS, [skill_values(project_id, skill) for skill in skills])


def _write_list(
    engine: Engine, project_id: str, table: str, wanted: Mapping[str, list[tuple[Value, ...]]], known: Sequence[str]
) -> None:
    """Write the members of every skill that has others now."""
    present: defaultdict[object, list[Row]] = defaultdict(list)
    condition, values = engine.among("uid", known)
    columns = ", ".join(MEMBER_COLUMNS)
    sql = f"SELECT {columns} FROM {table} WHERE project_id = ? AND {condition} ORDER BY position"
    with engine.tolerant():
        for row in engine.query(sql, (project_id, values)) if known else ():
            present[row[1]].append(row)
    stale = [uid for uid in known if present[uid] and present[uid] != wanted[uid]]
    if stale:
        condition, values = engine.among("uid", stale)
        engine.execute(f"DELETE FROM {table} WHERE project_id = ? AND {condition}", (project_id, values))
    members = [row for uid, rows in wanted.items() if present[uid] != rows for row in rows]
    if members:
        engine.insert(table, MEMBER_COLUMNS, members)


def _write_files(engine: Engine, project_id: str, skills: Sequence[StoredSkill], known: Sequence[str]) -> None:
    """Only what differs: a file may be large, and mostly it is not the one that changed."""
    wanted = {
        (skill.uid, path): file_values(project_id, skill.uid, path, file)
        for skill in skills
        for path, file in skill.files.items()
    }
    condition, values = engine.among("uid", known)
    sql = f"SELECT uid, path, sha256, mode FROM skill_files WHERE project_id = ? AND {condition}"
    with engine.tolerant():
        present = {row[:2]: row[2:] for row in engine.query(sql, (project_id, values))} if known else {}
    engine.execute_many(
        "DELETE FROM skill_files WHERE project_id = ? AND uid = ? AND path = ?",
        [(project_id, *cast("tuple[str, str]", key)) for key in present if key not in wanted],
    )
    changed = [row for key, row in wanted.items() if present.get(key) != (row[4], row[6])]
    if changed:
        engine.merge(FILES, changed)


def _drop_orphans(engine: Engine, project_id: str) -> None:
    """Rows of no skill, which a program without foreign keys may leave in SQLite: a new skill must not inherit them."""
    for table in (*LISTS.values(), FILES.table):
        engine.execute(
            f"DELETE FROM {table} WHERE project_id = ? AND NOT EXISTS "
            f"(SELECT 1 FROM skills AS s WHERE s.project_id = {table}.project_id AND s.uid = {table}.uid)",
            (project_id,),
        )
