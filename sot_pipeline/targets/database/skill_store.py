"""`SkillStore`: one project's skills, what was last agreed on about them, and their conflicts.

Texts are stored as they come: making a document of a row, and comparing, is done by whoever calls.
What a row holds is `skill_rows.py`; the statements about the sync's own tables are in
`skill_base.py` and `skill_conflicts.py`, those that write skills in `skill_writing.py`.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.skills.model import Move, Skill
from sot_pipeline.targets.database import skill_base, skill_conflicts, skill_moves, skill_texts, skill_writing
from sot_pipeline.targets.database.database import Database
from sot_pipeline.targets.database.engine import Engine, Row, Value
from sot_pipeline.targets.database.skill_model import (
    Base,
    Batch,
    Conflict,
    StoredConflict,
    StoredSkill,
    Tombstone,
    Version,
    Written,
)
from sot_pipeline.targets.database.skill_rows import LISTS, READ_COLUMNS, stored_skill, version_of


@dataclass(frozen=True, slots=True)
class SkillStore:
    """The skills of one project.

    Reads find nothing in a database without our tables; errors are those of `Database`.
    """

    database: Database
    project_id: str

    # Skills

    def versions(self) -> dict[str, Version]:
        """By uid: path ("" for null) and row version, of every row.

        A version that is not the one of `base` is a change by somebody else: triggers see to it.
        """
        sql = "SELECT uid, skill_path, row_version FROM skills WHERE project_id = ?"

        def read(engine: Engine) -> dict[str, Version]:
            with engine.tolerant():
                rows = engine.query(sql, (self.project_id,))
            return {str(uid): Version(str(path or ""), version_of(version)) for uid, path, version in rows}

        return self.database.read(read, {})

    def read(self, uids: Collection[str] | None = None) -> list[StoredSkill]:
        """The skills with these uids, or all, ordered by path and uid; those that cannot be used say why."""

        def read(engine: Engine) -> list[StoredSkill]:
            with engine.tolerant():
                return _read(engine, self.project_id, uids)

        return self.database.read(read, [])

    def digest(self) -> str:
        """SHA-256 (hex) over all skills: equal ones give it in both databases, whatever their uids and versions."""
        found = sha256()
        for skill in self.read():
            found.update(repr(_canonical(skill)).encode(errors="backslashreplace"))
        return found.hexdigest()

    def apply(
        self,
        inserts: Sequence[StoredSkill],
        updates: Sequence[StoredSkill],
        deletes: Mapping[str, int],
        deadline: Deadline,
    ) -> Written:
        """Write skills and delete those of `deletes` (uid → row version), in one transaction.

        A row that does not have the expected row version any more is left alone and reported; so is
        one whose path belongs to another. Skills may swap paths. The uids of `inserts` are new.
        """
        with self.database.changing(self.project_id, deadline) as (engine, _):
            written = skill_writing.apply(engine, self.project_id, inserts, updates, deletes)
            skill_texts.refresh(engine, self.project_id)
        return written

    def commit(self, batch: Batch, deadline: Deadline) -> Written:
        """Write a batch in one transaction; of a skill whose row is not the expected one nothing is."""
        with self.database.changing(self.project_id, deadline) as (engine, now):
            written = skill_writing.apply(engine, self.project_id, batch.inserts, batch.updates, batch.deletes)
            failed = written.moved | written.refused.keys()
            versions = {**written.versions, **batch.seen}
            agreed = {uid: (skill, versions[uid]) for uid, skill in batch.agreed.items() if uid not in failed}
            skill_base.forget(engine, self.project_id, [uid for uid in batch.forgotten if uid not in failed])
            skill_base.agree(engine, self.project_id, agreed)
            for side in sorted(set(batch.buried.values())):
                gone = [uid for uid, each in batch.buried.items() if each == side and uid not in failed]
                skill_base.bury(engine, self.project_id, gone, side, now)
            skill_moves.note(engine, self.project_id, [move for move in batch.moves if move.uid not in failed])
            skill_moves.forget(engine, self.project_id, batch.finished)
            skill_base.follow(engine, self.project_id, batch.arrived)
            skill_texts.refresh(engine, self.project_id)
        return written

    def moves(self) -> list[Move]:
        """Moves of folders that were begun and maybe not finished."""
        return self.database.read(lambda engine: skill_moves.moves(engine, self.project_id), [])

    # What was agreed on

    def base(self) -> dict[str, Base]:
        """By uid: what was last agreed on, without its bytes."""
        return self.database.read(lambda engine: skill_base.bases(engine, self.project_id), {})

    def base_files(self, uids: Collection[str] | None = None) -> dict[str, Skill]:
        """By uid: the skill last agreed on, of these or of all."""
        return self.database.read(lambda engine: skill_base.skills(engine, self.project_id, uids), {})

    def set_base(self, agreed: Mapping[str, tuple[Skill, int]], deadline: Deadline) -> None:
        """Note that files and rows agree on these skills: uid → skill, and the row version it was seen with.

        Takes a tombstone away. A row that still has that version gets the folder's hash as content_hash.
        """
        if agreed:
            with self.database.changing(self.project_id, deadline) as (engine, _):
                skill_base.agree(engine, self.project_id, agreed)

    def drop_base(self, uids: Collection[str], side: str, deadline: Deadline) -> None:
        """Put tombstones where these skills were agreed on; `side` is where they were deleted first."""
        if uids:
            with self.database.changing(self.project_id, deadline) as (engine, now):
                skill_base.bury(engine, self.project_id, uids, side, now)

    def tombstones(self) -> dict[str, Tombstone]:
        """By uid: tombstone."""
        return self.database.read(lambda engine: skill_base.tombstones(engine, self.project_id), {})

    # Conflicts

    def conflicts(self, *, open_only: bool = True) -> list[StoredConflict]:
        """Conflicts in the order of path, field and time."""
        return self.database.read(
            lambda engine: skill_conflicts.conflicts(engine, self.project_id, open_only=open_only), []
        )

    def record_conflicts(self, found: Sequence[Conflict], deadline: Deadline) -> int:
        """Let exactly these be the open conflicts of the skills they are about; answers how many rows that took.

        One that is open already stays as it is, with its decision; where its versions are others by
        now they are written and the decision, made about the old ones, is taken back.
        """
        if not found:
            return 0
        with self.database.changing(self.project_id, deadline) as (engine, now):
            return skill_conflicts.record(engine, self.project_id, found, now)

    def resolve_conflict(
        self, path: str, take: str, deadline: Deadline, *, chosen: bytes | None = None, field: str | None = None
    ) -> int:
        """Decide the open conflicts of the skill at `path`, or that of one field; answers how many there were.

        `take` is "ours", "theirs" or "file" with the bytes `chosen`. They stay open until a sync has
        done it and calls `close_conflicts`.
        """
        with self.database.changing(self.project_id, deadline) as (engine, _):
            return skill_conflicts.decide(engine, self.project_id, path, field, take, chosen)

    def close_conflicts(
        self,
        uids: Collection[str],
        deadline: Deadline,
        *,
        paths: Collection[str] = (),
        resolution: str = skill_conflicts.AGREED,
    ) -> None:
        """End the open conflicts of these skills, and of those at `paths` that have no uid.

        Those that nobody decided get this `resolution`.
        """
        if uids or paths:
            with self.database.changing(self.project_id, deadline) as (engine, now):
                skill_conflicts.close(engine, self.project_id, uids, paths, resolution, now)


def _read(engine: Engine, project_id: str, uids: Collection[str] | None) -> list[StoredSkill]:
    where, parameters = skill_base.chosen(engine, project_id, uids)
    skills = engine.query(f"SELECT {READ_COLUMNS} FROM skills WHERE {where}", parameters)
    lists = _lists(engine, where, parameters)
    files: defaultdict[object, list[Row]] = defaultdict(list)
    sql = f"SELECT uid, path, content, mode FROM skill_files WHERE {where} ORDER BY path"
    for uid, *file in engine.query(sql, parameters):
        files[uid].append(tuple(file))
    found = [stored_skill(row, lists.get(row[0], {}), files.get(row[0], ())) for row in skills]
    return sorted(found, key=lambda skill: (skill.path, skill.uid))


def _lists(engine: Engine, where: str, parameters: Sequence[Value]) -> dict[object, dict[str, list[object]]]:
    """By uid: key → members in their order."""
    tables = " UNION ALL ".join(
        f"SELECT '{key}' AS key, uid, position, value FROM {table} WHERE {where}" for key, table in LISTS.items()
    )
    sql = f"SELECT key, uid, value FROM ({tables}) AS members ORDER BY position IS NULL, position, value"
    found: defaultdict[object, dict[str, list[object]]] = defaultdict(dict)
    for key, uid, value in engine.query(sql, [*parameters] * len(LISTS)):
        found[uid].setdefault(cast("str", key), []).append(value)
    return found


def _canonical(skill: StoredSkill) -> tuple[object, ...]:
    """Everything of a skill that both databases keep alike."""
    fields = skill.fields
    lists = {key: list(members) for key, members in fields.lists.items()}
    files = {path: (file.content.hex(), file.executable) for path, file in skill.files.items()}
    return (
        *(skill.path, skill.template.hex(), skill.body, skill.executable, skill.problem),
        *(sorted(each.items()) for each in (fields.texts, fields.numbers, lists, files)),
        dict(fields.extra),
    )
