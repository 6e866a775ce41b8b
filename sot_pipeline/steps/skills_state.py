"""What files, database and base hold of a project's skills, brought to the values that are compared. Writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sot_pipeline.errors import EditRefused, SkillUnreadable
from sot_pipeline.skills.edit import render
from sot_pipeline.skills.files import FoundSkills, read_skill, read_skills, usable_path
from sot_pipeline.skills.front_matter import fields_of, split
from sot_pipeline.skills.match import Triple, triples
from sot_pipeline.skills.merge import FieldConflict
from sot_pipeline.skills.model import DOCUMENT, File, Move, Skill
from sot_pipeline.targets.database.skill_model import Base, StoredSkill, Version
from sot_pipeline.targets.database.skill_store import SkillStore

# A skill that does not say its status is one that is used.
DEFAULT_STATUS = "active"


@dataclass(frozen=True, slots=True)
class SkillsState:
    """All skills of a project, as three states each.

    `settled` are those that nobody changed since they were agreed on, by uid. `quarantined` leads
    from a path to the reason why that skill is left alone, and `frozen` are its states. `unrendered`
    are rows of which no document can be made, by uid. `agreed` counts what was agreed on at all.
    """

    found: tuple[Triple, ...]
    settled: Mapping[str, Skill]
    frozen: tuple[Triple, ...]
    quarantined: Mapping[str, str]
    unrendered: Mapping[str, FieldConflict]
    versions: Mapping[str, Version]
    agreed: int


def look(store: SkillStore, root: Path, *, into_empty: bool = False) -> SkillsState:
    """Read both sides, the database's unchanged rows and what was agreed on about them excepted.

    With `into_empty`, a side of files that has nothing at all is one that is yet to be filled, and not
    one that lost everything. Raises FileUnusable for a root that cannot be listed, and what the
    database raises.
    """
    files = as_if_moved(read_skills(root), root, store.moves())
    base, versions = store.base(), store.versions()
    if into_empty and not files.skills and not files.quarantined:
        base = {}
    settled = {uid: files.skills[known.path] for uid, known in base.items() if _is_settled(uid, known, files, versions)}
    left = [uid for uid in base.keys() | versions.keys() if uid not in settled]
    settled_paths = {skill.path for skill in settled.values()}
    readable = {path: skill for path, skill in files.skills.items() if path not in settled_paths}
    quarantined = dict(files.quarantined)
    for path, skill in readable.items():
        if reason := _unreadable(skill):
            quarantined[path] = reason
    rows, unrendered = _rendered(store.read(left), quarantined)
    agreed = {uid: skill for uid, skill in store.base_files(left).items() if uid in base}
    frozen: list[Triple] = []
    found: list[Triple] = []
    for triple in triples(agreed, readable, rows, name_of):
        (frozen if _is_quarantined(triple, quarantined) else found).append(triple)
    return SkillsState(
        tuple(found), settled, tuple(frozen), dict(sorted(quarantined.items())), unrendered, versions, len(base)
    )


def as_if_moved(files: FoundSkills, root: Path, moves: Collection[Move]) -> FoundSkills:
    """`files` as they are once moves that were cut short are finished."""
    skills = dict(files.skills)
    arrived: dict[str, Skill] = {}
    for move in moves:
        collected = read_skill(root, move.temporary)
        if collected is None:
            waiting = skills.get(move.source)
            if waiting is None or waiting.folder_hash != move.folder_hash:
                continue
            collected = skills.pop(move.source)
        if move.target is not None:
            arrived[move.target] = Skill(move.target, collected.files)
    return FoundSkills({**skills, **arrived}, files.quarantined)


def _is_settled(uid: str, known: Base, files: FoundSkills, versions: Mapping[str, Version]) -> bool:
    skill = files.skills.get(known.path)
    return (
        skill is not None
        and versions.get(uid) == Version(known.path, known.row_version)
        and skill.folder_hash == known.folder_hash
    )


def _unreadable(skill: Skill) -> str | None:
    try:
        fields_of(split(skill.document).template)
    except SkillUnreadable as error:
        return f"line {error.line}: {error.message}"
    return None


def _rendered(
    stored: Collection[StoredSkill], quarantined: dict[str, str]
) -> tuple[dict[str, Skill], dict[str, FieldConflict]]:
    """Rows as skills, by uid, and those whose edit cannot be made in the file; unusable ones are quarantined.

    A row of which no document can be made stands for itself without one.
    """
    rows: dict[str, Skill] = {}
    unrendered: dict[str, FieldConflict] = {}
    for each in stored:
        rows[each.uid] = Skill(each.path, each.files)
        if reason := each.problem or _unusable(each):
            quarantined.setdefault(each.path, f"its row ({each.uid}) cannot be used: {reason}")
            continue
        try:
            document = render(each.template, each.fields, each.body)
        except SkillUnreadable as error:
            quarantined.setdefault(each.path, f"its row ({each.uid}) cannot be used: {error.message}")
        except EditRefused as error:
            unrendered[each.uid] = FieldConflict(error.key, None, None, error.message)
        else:
            rows[each.uid] = Skill(each.path, {**each.files, DOCUMENT: File(document, each.executable)})
    return rows, unrendered


def _unusable(stored: StoredSkill) -> str | None:
    if reason := usable_path(stored.path):
        return f"skill_path '{stored.path}' is no folder below the skills root: {reason}"
    for name in stored.files:
        if reason := usable_path(name) or ("it is the folder itself" if name == "." else None):
            return f"the file '{name}' cannot be below its folder: {reason}"
    return None


def name_of(skill: Skill) -> str | None:
    """The name in the front matter; None where it says none or cannot be read."""
    try:
        return fields_of(split(skill.document).template).texts.get("name")
    except (SkillUnreadable, KeyError):
        return None


def status_of(skill: Skill) -> str:
    """The status in the front matter; that of a skill in use where it says none or cannot be read."""
    try:
        return fields_of(split(skill.document).template).texts.get("status", DEFAULT_STATUS)
    except (SkillUnreadable, KeyError):
        return DEFAULT_STATUS


def paths_of(triple: Triple) -> Iterator[str]:
    """Where the skill is, on any side."""
    return (skill.path for skill in (triple.base, triple.ours, triple.theirs) if skill)


def _is_quarantined(triple: Triple, quarantined: Mapping[str, str]) -> bool:
    """Whether something about this skill is not known: one that is missing may be in a folder that cannot be listed."""
    if any(path in quarantined for path in paths_of(triple)):
        return True
    return triple.ours is None and any(
        "/".join(path.split("/")[:depth]) in quarantined
        for path in paths_of(triple)
        for depth in range(1, path.count("/") + 1)
    )
