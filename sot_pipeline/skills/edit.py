"""Changing a front matter in place: only the spans of the keys whose value differs are touched.

One difference at a time is proposed in the ways that `spans.py` knows, and the first proposal is taken
that reads back as wanted and leaves the source of every other top-level key as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, cast

from sot_pipeline.errors import EditRefused, SkillUnreadable
from sot_pipeline.plan import Json
from sot_pipeline.skills import header, spans
from sot_pipeline.skills.front_matter import Template, fields_from, read_template, split, values_of
from sot_pipeline.skills.header import Entry, Node, Scalar, Sequence
from sot_pipeline.skills.model import Fields
from sot_pipeline.skills.values import Value, first_difference, same, same_values, separator_of

# Every difference costs a reading of the whole header: 64 are made in the longest one, thousands in a usual one.
_MOST_READ = 64 * header.MAX_BYTES
# The public convention writes this one key with a hyphen.
_WRITTEN = {"allowed_tools": "allowed-tools"}


def render(template: bytes, fields: Fields, body: str) -> bytes:
    """The SKILL.md of a row: `template` says `fields`, and `body` follows.

    Where `fields` is what the template says anyway, the result is `template + body.encode()`. Raises
    EditRefused where a key cannot be changed in place, or where the body would be read as part of the
    front matter; SkillUnreadable where the template itself cannot be read.
    """
    found = read_template(template)
    wanted = _values_from(fields)
    if not same_values(values_of(found), wanted):
        found = _edited(found if found.closing else _fenced(found, body), wanted)
    closing = found.closing
    if closing.startswith("---") and body and closing[-1] not in "\r\n":
        closing += _line_break(found.opening)  # the file ended with its front matter
    edited = f"{found.opening}{found.text}{closing}"
    try:
        document = (edited + body).encode()
        parts = split(document)
    except UnicodeEncodeError:
        raise EditRefused("body", "The body holds half a character: no file can.") from None
    except SkillUnreadable as error:
        raise EditRefused("body", f"The body makes the file unreadable. {error.message}") from None
    if parts.body != body:
        raise EditRefused("body", "The body would be read as a front matter: its first line is '---'.")
    return document


def _values_from(fields: Fields) -> dict[str, Value]:
    """The values of all kinds by key. EditRefused where one is not where a front matter would put it."""
    values: dict[str, Value] = {}
    for place, kind in enumerate(_kinds(fields)):
        for key, value in kind.items():
            if key in values:
                raise EditRefused(key, f"'{key}' is in its column and in `extra`: remove it from one of them.")
            if key not in _kinds(fields_from({key: value}))[place]:
                raise EditRefused(key, f"The value of '{key}' is in the wrong place: a column, or `extra`.")
            if _is_deep(value):
                raise EditRefused(key, f"'{key}' is nested more than {header.MAX_DEPTH} levels deep.")
            if value != ():
                values[key] = value
    return values


def _is_deep(value: Value) -> bool:
    """True where no header may be nested as `value` is; found out without recursion, which would be too deep too."""
    level = [value]
    for _ in range(header.MAX_DEPTH):
        level = [
            member
            for outer in level
            if isinstance(outer, dict | list)
            for member in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)


def _kinds(fields: Fields) -> tuple[Mapping[str, Value], ...]:
    return (fields.texts, fields.numbers, fields.lists, fields.extra)


def _edited(template: Template, wanted: Mapping[str, Value]) -> Template:
    """`template` with the values `wanted`, changed one difference at a time."""
    read = 0
    while (key := first_difference(values := values_of(template), wanted)) is not None:
        read += len(template.text)
        if read > _MOST_READ:
            raise EditRefused(key, f"Too many keys change at once for a front matter as long as this: '{key}' is left.")
        _refuse_anchors(template, key)
        place = _Place(template.text, _line_break(template.opening))
        template = _accepted(template, key, _step(place, template.root, template.entries, values, wanted))
    return template


def _fenced(template: Template, body: str) -> Template:
    """An empty front matter for a document that has none, with the line breaks of its body."""
    fence = "---" + _line_break(body)
    return _read(Template(template.opening + fence, "", fence, {}, None))


def _line_break(text: str) -> str:
    """The first line break of `text`."""
    found = re.search(r"\r\n|\n|\r", text)
    return found[0] if found else "\n"


def _read(template: Template) -> Template:
    return read_template(f"{template.opening}{template.text}{template.closing}".encode())


class _Step(NamedTuple):
    """One difference less: header texts to choose from, and the values that the right one has."""

    proposals: Iterable[str]
    values: Mapping[str, Value]


def _accepted(template: Template, key: str, step: _Step) -> Template:
    """The first proposal that says what it should and left the other keys alone."""
    kept = {name: spans.source_of(template.text, entry) for name, entry in template.entries.items() if name != key}
    for text in step.proposals:
        try:
            found = _read(Template(template.opening, text, template.closing, {}, None))
        except (SkillUnreadable, UnicodeEncodeError):
            continue
        others = {name: spans.source_of(text, entry) for name, entry in found.entries.items() if name != key}
        if found.text == text and others == kept and same_values(values_of(found), step.values):
            return found
    raise EditRefused(key, f"'{key}' cannot be changed in place without touching anything else.")


def _refuse_anchors(template: Template, key: str) -> None:
    entry = template.entries.get(key)
    if entry is not None and (spans.is_anchored(entry.key) or spans.is_anchored(entry.value)):
        raise EditRefused(key, f"'{key}' has an anchor or an alias (& or *), so that other keys may change with it.")


class _Place(NamedTuple):
    text: str
    line_break: str


def _step(
    place: _Place,
    mapping: header.Mapping | None,
    entries: Mapping[str, Entry],
    old: Mapping[str, Value],
    new: Mapping[str, Value],
) -> _Step:
    """The first difference between two mappings, made at the innermost key that differs."""
    key = first_difference(old, new)
    if key is None:
        raise AssertionError("called only where the two differ")
    entry = entries.get(key)
    if mapping is None or entry is None:
        name = _WRITTEN.get(key, key)
        return _Step(spans.appended(place.text, mapping, name, new[key], place.line_break), {**old, key: new[key]})
    if key not in new:
        left = {name: value for name, value in old.items() if name != key}
        return _Step(spans.removed(place.text, mapping, entry), left)
    proposals, value = _change(place, key, entry.value, old.get(key), new[key])
    return _Step(proposals, {**old, key: value})


def _change(place: _Place, key: str, node: Node, old: Value, new: Value) -> tuple[Iterable[str], Value]:
    """Ways to change one value, and what it is then: `new`, or one difference nearer to it."""
    if isinstance(node, header.Mapping) and isinstance(old, dict) and isinstance(new, dict) and new:
        step = _step(place, node, {entry.name: entry for entry in node.entries}, old, new)
        return step.proposals, cast("Json", step.values)
    if isinstance(node, Sequence) and isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        number = next(number for number, value in enumerate(old) if not same(value, new[number]))
        if isinstance(old[number], dict) and isinstance(new[number], dict):
            proposals, value = _change(place, key, node.items[number], old[number], new[number])
            return proposals, [*old[:number], cast("Json", value), *old[number + 1 :]]
    if isinstance(node, Sequence) and isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return spans.relisted(place.text, node, list(old), list(new), place.line_break), new
    if isinstance(node, Scalar) and isinstance(old, tuple) and isinstance(new, tuple):
        joined = separator_of(node.text, spaces=key == "allowed_tools").join(new)
        ways = (joined, new)
        return (text for way in ways for text in spans.replaced(place.text, node, way, place.line_break)), new
    return spans.replaced(place.text, node, new, place.line_break), new
