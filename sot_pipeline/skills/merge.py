"""Two versions of a SKILL.md and the one they come from, merged: front matter by key, body by lines.

Values decide, not their layout: a side that only laid out its front matter anew has changed no key. What
cannot be merged is told as conflicts, one a key; nothing here ever writes markers into a document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias, cast

from sot_pipeline.errors import EditRefused, SkillUnreadable
from sot_pipeline.plan import Json, canonical_json
from sot_pipeline.skills.edit import render
from sot_pipeline.skills.front_matter import fields_from, fields_of, read_template, split, values_of
from sot_pipeline.skills.lines import merge_lines
from sot_pipeline.skills.values import Value, same, same_values

BODY = "body"
FRONT_MATTER = "front_matter"


class Take(StrEnum):
    """Whose version holds where both changed the same."""

    OURS = "ours"
    THEIRS = "theirs"


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """One field that both sides changed differently: its three values as text, None where it is not there.

    `field` is the key of the front matter, with its subkeys behind dots (`metadata.author`), or "body".
    """

    field: str
    base: str | None
    ours: str | None
    theirs: str | None


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged document, or the conflicts that are in the way; `overruled` says what is in neither."""

    document: bytes | None
    conflicts: tuple[FieldConflict, ...] = ()
    overruled: tuple[FieldConflict, ...] = ()


def merge_documents(base: bytes, ours: bytes, theirs: bytes, take: Take | None = None) -> Merged:
    """`ours` with the changes that `theirs` made to `base`.

    Where one side changed nothing, the result is the other's bytes. Lists are merged as sets: in the
    order of ours, what theirs added behind. With `take` there are no conflicts: that side's field
    holds. Raises SkillUnreadable where any of the three cannot be read and is needed.
    """
    if base == theirs or ours == theirs:
        return Merged(ours)
    if base == ours:
        return Merged(theirs)
    before, mine, yours = split(base), split(ours), split(theirs)
    chosen = mine if take is Take.OURS else yours
    body = merge_lines(before.body, mine.body, yours.body)
    if body is None and take:
        body = chosen.body
    in_body = FieldConflict(BODY, before.body, mine.body, yours.body)
    header = _merge_headers(before.template, mine.template, yours.template, take)
    if body is None or header.document is None:
        return Merged(None, header.conflicts if body is not None else (*header.conflicts, in_body))
    try:
        document = render(header.document, fields_of(header.document), body)
        return Merged(document, overruled=header.overruled)
    except EditRefused:  # the result has no front matter, and its body begins like one
        return Merged(ours if take is Take.OURS else theirs) if take else Merged(None, (in_body,))


def _merge_headers(base: bytes, ours: bytes, theirs: bytes, take: Take | None) -> Merged:
    """The front matter of the result, as `document`."""
    if base == theirs or ours == theirs:
        return Merged(ours)
    if base == ours:
        return Merged(theirs)
    before, mine, yours = (values_of(read_template(template)) for template in (base, ours, theirs))
    values, conflicts = _merge_mappings("", before, mine, yours, take)
    if conflicts:
        return Merged(None, tuple(conflicts))
    # Where lines merge to the same values, what theirs did to comments and layout is kept as well.
    lines = merge_lines(base.decode(), ours.decode(), theirs.decode())
    if lines is not None and _says(lines.encode(), values):
        return Merged(lines.encode())
    try:
        # The keys of theirs are in it, but not what they did to comments and layout.
        layout = FieldConflict(FRONT_MATTER, base.decode(), ours.decode(), theirs.decode())
        return Merged(split(render(ours, fields_from(values), "")).template, overruled=(layout,))
    except EditRefused as refused:
        if take:
            return Merged(ours if take is Take.OURS else theirs)
        key = refused.key
        three = (_text(version.get(key, _ABSENT)) for version in (before, mine, yours))
        return Merged(None, (FieldConflict(key, *three),))


def _says(template: bytes, values: Mapping[str, Value]) -> bool:
    """True where `template` is a whole front matter with these values."""
    try:
        found = split(template)
    except SkillUnreadable:
        return False
    return not found.body and same_values(values_of(read_template(found.template)), values)


class _Absent(Enum):
    ABSENT = "absent"


_ABSENT = _Absent.ABSENT
_Maybe: TypeAlias = "Value | _Absent"


def _merge_mappings(
    path: str, base: Mapping[str, Value], ours: Mapping[str, Value], theirs: Mapping[str, Value], take: Take | None
) -> tuple[dict[str, Value], list[FieldConflict]]:
    """Merged key by key, in the order of ours, what only theirs has behind; `path` stands before the keys."""
    values: dict[str, Value] = {}
    conflicts: list[FieldConflict] = []
    for key in dict.fromkeys((*ours, *theirs)):
        versions = (base.get(key, _ABSENT), ours.get(key, _ABSENT), theirs.get(key, _ABSENT))
        merged, found = _merge_values(path + key, *versions, take)
        conflicts += found
        if merged is not _ABSENT:
            values[key] = merged
    return values, conflicts


def _merge_values(
    path: str, base: _Maybe, ours: _Maybe, theirs: _Maybe, take: Take | None
) -> tuple[_Maybe, list[FieldConflict]]:
    if _equal(base, theirs) or _equal(ours, theirs):
        return ours, []
    if _equal(base, ours):
        return theirs, []
    if isinstance(ours, dict) and isinstance(theirs, dict) and (base is _ABSENT or isinstance(base, dict)):
        merged, conflicts = _merge_mappings(f"{path}.", base if isinstance(base, dict) else {}, ours, theirs, take)
        return cast("Json", merged), conflicts
    sets = [value for value in (base, ours, theirs) if value is not _ABSENT]
    if all(isinstance(value, tuple) for value in sets):
        return _merge_sets(*(value if isinstance(value, tuple) else () for value in (base, ours, theirs))), []
    if take:
        return (ours if take is Take.OURS else theirs), []
    return ours, [FieldConflict(path, _text(base), _text(ours), _text(theirs))]


def _merge_sets(base: tuple[str, ...], ours: tuple[str, ...], theirs: tuple[str, ...]) -> _Maybe:
    kept = [member for member in ours if member in theirs or member not in base]
    added = [member for member in dict.fromkeys(theirs) if member not in base and member not in ours]
    return (*kept, *added) or _ABSENT


def _equal(one: _Maybe, other: _Maybe) -> bool:
    if isinstance(one, _Absent) or isinstance(other, _Absent):
        return one is other
    return same(one, other)


def _text(value: _Maybe) -> str | None:
    if isinstance(value, _Absent):
        return None
    if isinstance(value, tuple):
        return ", ".join(value)
    return value if isinstance(value, str) else canonical_json(value)
