"""`SkillTexts`: what of one project's skills is searched, in the full text and by meaning.

A skill is found by its name, its path and the texts of its row. Its rows of full text carry the row
version they were made from: a row that anybody changed since is seen without reading any text.
Who writes the rows of skills is `skill_writing.py`.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

from sot_pipeline.plan import SKILL, Plan, Record, RecordKey, hash_record
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.skills.model import DOCUMENT
from sot_pipeline.targets.database import full_text
from sot_pipeline.targets.database.database import Database
from sot_pipeline.targets.database.engine import Engine
from sot_pipeline.targets.database.skill_rows import LISTS, version_of

# Lists whose members say what a skill is about.
_TOPICS = ("keywords", "tags", "capabilities")


class SkillText(NamedTuple):
    """A skill that can be searched: hash of its text ("" where that is not yet indexed) and size in characters."""

    content_hash: str
    size: int


class _Row(NamedTuple):
    """What of a row of `skills` tells whether its text is indexed."""

    uid: str
    version: int
    size: int


@dataclass(frozen=True, slots=True)
class SkillTexts:
    """The texts of one project. Reads find nothing in a database without our tables; errors are those of `Database`."""

    database: Database
    project_id: str

    def listed(self) -> dict[str, SkillText]:
        """Path → text, of every row that has a path, in the order of the paths."""

        def read(engine: Engine) -> dict[str, SkillText]:
            indexed = _indexed(engine, self.project_id)
            return {
                path: SkillText(_hash_at(indexed.get(path, ""), row.version), row.size)
                for path, row in _rows(engine, self.project_id).items()
            }

        return self.database.read(read, {})

    def read(self, paths: Collection[str]) -> list[Record]:
        """The texts of the skills at these paths, in the order of the paths."""
        found = self.database.read(lambda engine: _read(engine, self.project_id, paths), list[tuple[int, Record]]())
        return [record for _, record in found]

    def hashes(self) -> dict[str, str]:
        """Path → hash of the text, as `listed` has it."""

        def read(engine: Engine) -> dict[str, str]:
            indexed = _indexed(engine, self.project_id)
            versions = _versions(engine, self.project_id)
            return {path: _hash_at(indexed.get(path, ""), version) for path, version in versions.items()}

        return self.database.read(read, {})

    def unagreed(self) -> frozenset[str]:
        """Paths of the rows that are not what was agreed on with the files, or are not there any more."""
        same = "(b.project_id, b.uid) = (s.project_id, s.uid)"
        sql = (
            f"SELECT s.skill_path FROM skills AS s LEFT JOIN skill_base AS b ON {same} "
            "WHERE s.project_id = ? AND s.skill_path <> '' AND (b.uid IS NULL OR b.skill_path <> s.skill_path "
            "OR b.row_version <> s.row_version) UNION ALL "
            f"SELECT b.skill_path FROM skill_base AS b LEFT JOIN skills AS s ON {same} "
            "WHERE b.project_id = ? AND s.uid IS NULL"
        )

        def read(engine: Engine) -> frozenset[str]:
            with engine.tolerant():
                return frozenset(_text(path) for (path,) in engine.query(sql, [self.project_id] * 2))

        return self.database.read(read, frozenset())

    def documents(self, paths: Collection[str]) -> dict[str, str]:
        """Path → SHA-256 (hex) of SKILL.md as it was agreed on, of those of `paths` on which anything was."""

        def read(engine: Engine) -> dict[str, str]:
            condition, values = engine.among("b.skill_path", tuple(paths))
            sql = (
                "SELECT b.skill_path, f.sha256 FROM skill_base AS b "
                "JOIN skill_base_file AS f ON (f.project_id, f.uid) = (b.project_id, b.uid) "
                f"WHERE b.project_id = ? AND f.path = ? AND {condition}"
            )
            return dict(cast("list[tuple[str, str]]", engine.query(sql, (self.project_id, DOCUMENT, values))))

        return self.database.read(read, {})

    def refresh(self, deadline: Deadline) -> None:
        """Index what is not indexed as it is; writes nothing where all is."""
        if not self.database.read(lambda engine: _is_current(engine, self.project_id), True):
            with self.database.changing(self.project_id, deadline) as (engine, _):
                refresh(engine, self.project_id)


def refresh(engine: Engine, project_id: str) -> None:
    """Make the full text that of the rows as they are in this transaction."""

    def plan() -> Plan[RecordKey, Record]:
        indexed, rows = _indexed(engine, project_id), _rows(engine, project_id)
        lagging = [path for path, row in rows.items() if not _hash_at(indexed.get(path, ""), row.version)]
        # The hash also says from which version of the row it is.
        records = (
            replace(record, content_hash=f"{record.content_hash}.{version}")
            for version, record in _read(engine, project_id, lagging)
        )
        gone = (RecordKey(project_id, SKILL, path) for path in indexed.keys() - rows.keys())
        return Plan(updates=tuple(records), deletes=tuple(sorted(gone)))

    full_text.write(engine, plan, sound=engine.full_text.is_ready())


def _is_current(engine: Engine, project_id: str) -> bool:
    indexed, rows = _indexed(engine, project_id), _versions(engine, project_id)
    return indexed.keys() == rows.keys() and all(_hash_at(indexed[path], version) for path, version in rows.items())


def _versions(engine: Engine, project_id: str) -> dict[str, int]:
    """Path → row version, of those that have a path: read from an index alone."""
    sql = "SELECT skill_path, row_version FROM skills WHERE project_id = ? AND skill_path <> ''"
    with engine.tolerant():
        return {_text(path): version_of(version) for path, version in engine.query(sql, (project_id,))}


def record_of(project_id: str, path: str, name: str, description: str, topics: Iterable[str], body: str) -> Record:
    """What is searched of a skill: its name as title; its description, what it is about, and its body."""
    key = RecordKey(project_id, SKILL, path)
    title = " ".join(name.split()) or path.rpartition("/")[2]  # a line
    parts = (description.strip(), ", ".join(dict.fromkeys(topics)), body.strip())
    content = "\n\n".join(part for part in parts if part)
    return Record(key, title, content, {}, None, hash_record(key, title, content, {}, None))


def _text(found: object) -> str:
    """A value of a column, whatever somebody put there, as a text that both databases hold."""
    text = found.decode(errors="replace") if isinstance(found, bytes) else "" if found is None else str(found)
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def _hash_at(indexed: str, version: int) -> str:
    """The hash of the text that was indexed, "" where that is of another version of the row."""
    content_hash, _, of_version = indexed.partition(".")
    return content_hash if of_version == str(version) else ""


def _indexed(engine: Engine, project_id: str) -> Mapping[str, str]:
    """Path → what its full text carries."""
    found = full_text.fingerprints(engine, project_id, SKILL)
    return {key.entry_id: mark for key, mark in found.items()}


def _rows(engine: Engine, project_id: str) -> dict[str, _Row]:
    """Path → row, of those that have a path."""
    sql = (
        "SELECT skill_path, uid, row_version, length(coalesce(body, '')) FROM skills "
        "WHERE project_id = ? AND skill_path <> '' ORDER BY skill_path"
    )
    with engine.tolerant():
        rows = engine.query(sql, (project_id,))
    return {
        _text(str(path)): _Row(str(uid), version_of(version), cast("int", size)) for path, uid, version, size in rows
    }


def _read(engine: Engine, project_id: str, paths: Collection[str]) -> list[tuple[int, Record]]:
    """Version and text of the rows at these paths, without those that have just gone."""
    rows = _rows(engine, project_id)
    condition, uids = engine.among("uid", [rows[path].uid for path in paths if path in rows])
    topics: defaultdict[object, list[str]] = defaultdict(list)
    lists = " UNION ALL ".join(
        f"SELECT uid, {number} AS list, position, value FROM {LISTS[key]} WHERE project_id = ? AND {condition}"
        for number, key in enumerate(_TOPICS)
    )
    texts = "SELECT uid, row_version, skill_path, name, description, body FROM skills"
    with engine.tolerant():
        order = "ORDER BY list, position IS NULL, position, value"
        for uid, value in engine.query(
            f"SELECT uid, value FROM ({lists}) AS m {order}", [project_id, uids] * len(_TOPICS)
        ):
            topics[uid].append(_text(value))
        found = engine.query(f"{texts} WHERE project_id = ? AND {condition} ORDER BY skill_path", (project_id, uids))
    return [
        (
            version_of(version),
            record_of(project_id, _text(path), _text(name), _text(description), topics[uid], _text(body)),
        )
        for uid, version, path, name, description, body in found
    ]
