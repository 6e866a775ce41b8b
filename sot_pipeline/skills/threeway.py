"""Two versions of one skill become one: its folder, its SKILL.md, its other files. Pure.

How two versions of a SKILL.md become one is `merge.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Generic, NamedTuple, TypeVar

from sot_pipeline.skills.match import Triple
from sot_pipeline.skills.merge import FieldConflict, Merged, Take, merge_documents
from sot_pipeline.skills.model import DOCUMENT, File, Skill

Value = TypeVar("Value")

# Names of conflicts that are none of a field or a file.
WHOLE = "skill"
PATH = "skill_path"


@dataclass(frozen=True, slots=True)
class MergedSkill:
    """What both sides are to hold (None: nothing, it was deleted); with conflicts it means nothing.

    `overruled` are conflicts that a decision ended.
    """

    skill: Skill | None
    conflicts: tuple[FieldConflict, ...] = ()
    overruled: tuple[FieldConflict, ...] = ()


def merge_skill(triple: Triple, take: Take | None = None, document: bytes | None = None) -> MergedSkill:
    """What a skill becomes. A change on one side holds; the same change on both is none.

    Where both changed the same thing it is a conflict, unless `take` says whose holds; `document` is
    the SKILL.md that somebody made of both. Raises SkillUnreadable for a SKILL.md that cannot be read.
    """
    base, ours, theirs = triple.base, triple.ours, triple.theirs
    if document is None or ours is None or theirs is None:
        whole = _three_way(base, ours, theirs, take if ours is None or theirs is None else None)
        if whole.decided:
            return MergedSkill(whole.value)
    if ours is None or theirs is None:
        whole_conflict = FieldConflict(WHOLE, *map(_path_of, (base, ours, theirs)))
        return MergedSkill(None, (whole_conflict, *edited_files(triple)))
    path = _three_way(_path_of(base), ours.path, theirs.path, take)
    conflicts = [] if path.decided else [FieldConflict(PATH, _path_of(base), ours.path, theirs.path)]
    overruled: list[FieldConflict] = []
    files: dict[str, File] = {}
    for name in sorted(ours.files.keys() | theirs.files.keys()):
        versions = _Versions(base.files.get(name) if base else None, ours.files.get(name), theirs.files.get(name))
        merged = _merged_file(name, versions, take, document if name == DOCUMENT else None)
        conflicts += merged.conflicts
        overruled += merged.overruled
        if merged.file:
            files[name] = merged.file
    return MergedSkill(None if conflicts else Skill(path.value or "", files), tuple(conflicts), tuple(overruled))


def with_leftovers(merged: MergedSkill, left: Mapping[str, File]) -> MergedSkill:
    """`merged` with the files `left` that are nobody's so far and lie where it is to be: then they are its."""
    if merged.skill is None or merged.conflicts:
        return merged
    files = merged.skill.files
    in_the_way = [name for name in sorted(left) if files.get(name, left[name]) != left[name]]
    if in_the_way:
        conflicts = (_file_conflict(name, _Versions(None, left[name], files[name])) for name in in_the_way)
        return MergedSkill(None, tuple(conflicts))
    return replace(merged, skill=replace(merged.skill, files={**left, **files}))


def edited_files(triple: Triple) -> Sequence[FieldConflict]:
    """Conflicts for all attached files that only one side has as they are: what is lost where the other one holds."""
    base, ours, theirs = (skill.files if skill else {} for skill in (triple.base, triple.ours, triple.theirs))
    versions = {
        name: _Versions(base.get(name), ours.get(name), theirs.get(name))
        for name in sorted({*ours, *theirs} - {DOCUMENT})
    }
    return tuple(_file_conflict(name, each) for name, each in versions.items() if each.is_edited)


def _path_of(skill: Skill | None) -> str | None:
    return skill.path if skill else None


class _Versions(NamedTuple):
    base: File | None
    ours: File | None
    theirs: File | None

    @property
    def is_edited(self) -> bool:
        """True where a side has something that is nowhere else."""
        base, ours, theirs = self
        return (ours is not None and ours not in (base, theirs)) or (theirs is not None and theirs not in (base, ours))


@dataclass(frozen=True, slots=True)
class _Choice(Generic[Value]):
    """Which of two values holds, where that is decided."""

    value: Value | None
    decided: bool = True


def _three_way(base: Value | None, ours: Value | None, theirs: Value | None, take: Take | None) -> _Choice[Value]:
    if ours == theirs or theirs == base or take is Take.OURS:
        return _Choice(ours)
    if ours == base or take is Take.THEIRS:
        return _Choice(theirs)
    return _Choice(None, decided=False)


class _MergedFile(NamedTuple):
    file: File | None
    conflicts: Sequence[FieldConflict] = ()
    overruled: Sequence[FieldConflict] = ()


def _merged_file(name: str, versions: _Versions, take: Take | None, document: bytes | None) -> _MergedFile:
    """One file of both; which content and whether it can be executed are two questions."""
    base, ours, theirs = versions
    if ours is None or theirs is None:
        either = _three_way(base, ours, theirs, take)
        return _MergedFile(either.value, () if either.decided else (_file_conflict(name, versions),))
    executable = _three_way(base.executable if base else None, ours.executable, theirs.executable, take)
    whose = None if name == DOCUMENT else take
    content = _three_way(base.content if base else None, ours.content, theirs.content, whose)
    found = Merged(content.value)
    if document is not None:
        found = Merged(document)
    elif name == DOCUMENT and not content.decided:
        found = merge_documents(base.content if base else b"", ours.content, theirs.content, take)
    conflicts = [*found.conflicts]
    if not executable.decided or (found.document is None and not conflicts):
        conflicts.append(_file_conflict(name, versions))
    return _MergedFile(File(found.document or b"", bool(executable.value)), conflicts, found.overruled)


def _file_conflict(name: str, versions: _Versions) -> FieldConflict:
    return FieldConflict(name, *(_told(file) for file in versions))


def _told(file: File | None) -> str | None:
    """A file in a conflict, for people: its text where it is one that a database holds."""
    if file is None:
        return None
    if b"\0" not in file.content:
        with contextlib.suppress(UnicodeDecodeError):
            return file.content.decode()
    return f"<{len(file.content)} bytes, SHA-256 {sha256(file.content).hexdigest()}>"
