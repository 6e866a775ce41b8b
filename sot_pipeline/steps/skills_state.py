"""What files, database and base hold of a project's skills, brought to the values that are compared. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sot_pipeline.errors import EditRefused, SkillUnreadable
from sot_pipeline.skills.edit import render
from sot_pipeline.skills.files import FoundSkills, nearest, read_folder, read_skills, usable_path
from sot_pipeline.skills.front_matter import fields_of, split
from sot_pipeline.skills.match import Triple, triples
from sot_pipeline.skills.merge import FieldConflict
from sot_pipeline.skills.model import DOCUMENT, File, Skill
from sot_pipeline.steps.skills_moves import as_if_moved
from sot_pipeline.targets.database.skill_model import Base, StoredSkill, Version
from sot_pipeline.targets.database.skill_store import SkillStore

# A skill that does not say its status is one that is used.
DEFAULT_STATUS = "active"


@dataclass(frozen=True, slots=True)
class SkillsState:
    """All skills of a project, as three states each.

    `settled` are those that nobody changed since they were agreed on, by uid. `quarantined` leads
    from a path to the reason why that skill is left alone, and `frozen` are its states. `unrendered`
    are rows of which no document can be made, by uid. `agreed` counts what was agreed on at all;
    `temporaries` are paths that a killed writer of ours left behind, `leftovers` the files, by name, that
    no skill has and that lie in a folder to which a skill comes.
    """

    found: tuple[Triple, ...]
    settled: Mapping[str, Skill]
    frozen: tuple[Triple, ...]
    quarantined: Mapping[str, str]
    unrendered: Mapping[str, FieldConflict]
    versions: Mapping[str, Version]
    agreed: int
    temporaries: tuple[str, ...]
    leftovers: Mapping[str, Mapping[str, File]]


def look(store: SkillStore, root: Path, *, into_empty: bool = False) -> SkillsState:
    """Read both sides, the database's unchanged rows and what was agreed on about them excepted.

    With `into_empty`, a side of files that has nothing at all is one that is yet to be filled, and not
    one that lost everything. Raises FileUnusable for a root that cannot be listed, and what the
    database raises.
    """
    files, arrived = as_if_moved(read_skills(root), root, store.moves())
    versions = store.versions()
    base = {uid: known._replace(path=arrived.get(uid, known.path)) for uid, known in store.base().items()}
    if into_empty and not files.skills and not files.quarantined:
        base = {uid: known for uid, known in base.items() if uid not in versions}  # deleted on both sides
    settled = {uid: files.skills[known.path] for uid, known in base.items() if _is_settled(uid, known, files, versions)}
    left = [uid for uid in base.keys() | versions.keys() if uid not in settled]
    settled_paths = {skill.path for skill in settled.values()}
    readable = {path: skill for path, skill in files.skills.items() if path not in settled_paths}
    quarantined = dict(files.quarantined)
    for path, skill in readable.items():
        if reason := _unreadable(skill):
            quarantined[path] = reason
    rows, unrendered = _rendered(store.read(left), quarantined)
    agreed = {uid: Skill(base[uid].path, skill.files) for uid, skill in store.base_files(left).items() if uid in base}
    frozen: list[Triple] = []
    found: list[Triple] = []
    for triple in triples(agreed, readable, rows, name_of):
        (frozen if _is_quarantined(triple, quarantined) else found).append(triple)
    return SkillsState(
        *(tuple(found), settled, tuple(frozen), dict(sorted(quarantined.items())), unrendered, versions, len(base)),
        files.temporaries,
        _leftovers(root, files, found),
    )


def _leftovers(root: Path, files: FoundSkills, found: Collection[Triple]) -> dict[str, dict[str, File]]:
    coming = {
        each.theirs.path for each in found if each.theirs and (each.ours is None or each.ours.path != each.theirs.path)
    } - files.skills.keys()
    left: dict[str, dict[str, File]] = {path: {} for path in coming}
    for path in coming:
        for name, file in read_folder(root, path).items():
            if nearest(path, name, coming) == path:
                left[path][name] = file
    return left


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
            unrendered[each.uid] = FieldConflict(error.key, None, None, f"{error.message}\n{_told(each)}")
        else:
            rows[each.uid] = Skill(each.path, {**each.files, DOCUMENT: File(document, each.executable)})
    return rows, unrendered


def _told(stored: StoredSkill) -> str:
    """All that a row says, as JSON: no file shows it, and it may be overruled."""
    fields = stored.fields
    values = {"columns": {**fields.texts, **fields.numbers}, "lists": fields.lists, "extra": fields.extra}
    return json.dumps({**values, "body": stored.body}, ensure_ascii=False)


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
    """Whether something about this skill is not known, or it leads to where nobody may write.

    One that is missing may be in a folder that cannot be listed, or is a link.
    """
    paths = set(paths_of(triple))
    elsewhere = paths - {triple.ours.path} if triple.ours else paths
    above = {"/".join(path.split("/")[:depth]) for path in elsewhere for depth in range(1, path.count("/") + 1)}
    return not quarantined.keys().isdisjoint(paths | above)
