"""What a YAML node is worth: a text, a number, a list or JSON, by its key.

Types follow the core schema of YAML 1.2, which guesses least: dates, `yes` and `off` stay texts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from sot_pipeline.plan import Json
from sot_pipeline.skills import header
from sot_pipeline.skills.header import Alias, Node, Scalar, Sequence
from sot_pipeline.skills.model import LIST_KEYS, TEXT_KEYS

# What one key is worth: a text, a number, a list of a list key (a tuple), or the JSON of `extra`.
Value: TypeAlias = "Json | tuple[str, ...]"


def value_of(key: str, node: Node) -> Value:
    """What `node` is worth as the value of the top-level key `key`; None for nothing."""
    node = node.target if isinstance(node, Alias) else node
    if key in LIST_KEYS:
        members = _members(key, node)
        return json_of(node) if members is None else members or None
    if key in TEXT_KEYS and isinstance(node, Scalar):
        return None if _is_null(node) else node.text
    return json_of(node)


def same(one: Value, other: Value) -> bool:
    """Equality as JSON has it: a number equals a number (5 is 5.0), but `true` is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def first_difference(old: Mapping[str, Value], new: Mapping[str, Value]) -> str | None:
    """The first key whose value differs, or that only one of both has; what only `old` has comes last.

    Whoever mends one difference after the other thus never empties a mapping that stays.
    """
    for key, value in new.items():
        if key not in old or not same(old[key], value):
            return key
    return next((key for key in old if key not in new), None)


def same_values(one: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    """True where both have the same keys with the same values, in any order."""
    return first_difference(one, other) is None


def _members(key: str, node: Scalar | Sequence | header.Mapping) -> tuple[str, ...] | None:
    """The members of a list, none for null; None where `node` cannot be one."""
    if isinstance(node, Scalar):
        return () if _is_null(node) else tuple(cut_list(node.text, spaces=key == "allowed_tools"))
    if isinstance(node, header.Mapping):
        return None
    scalars = [item.target if isinstance(item, Alias) else item for item in node.items]
    texts = [item.text for item in scalars if isinstance(item, Scalar) and not _is_null(item)]
    return tuple(texts) if len(texts) == len(scalars) else None


def cut_list(text: str, spaces: bool) -> Iterator[str]:
    """The members of a list that is written as one text, cut at commas (and `spaces`) outside parentheses."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        if letter in "()":
            depth = max(0, depth + (1 if letter == "(" else -1))
        elif depth == 0 and (letter == "," or (spaces and letter.isspace())):
            if member := text[start:place].strip():
                yield member
            start = place + 1
    if member := text[start:].strip():
        yield member


def separator_of(text: str, spaces: bool) -> str:
    """What stands between the members of a list that is written as one text."""
    members = list(cut_list(text, spaces))
    if len(members) < 2:
        return ", "
    first = text.index(members[0]) + len(members[0])
    return text[first : text.index(members[1], first)]


_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# Beyond 64 bits a number is kept as it is written: no column and hardly any reader of JSON could hold it.
_LONGEST_INTEGER = 20


def _is_null(node: Scalar) -> bool:
    return is_plain(node) and node.text in _NULLS


def is_plain(node: Scalar) -> bool:
    """True where the type of `node` is told by its text alone."""
    return not node.style and node.tag not in ("!", "tag:yaml.org,2002:str")


def json_of(node: Node) -> Json:
    """The JSON of a node, types by the core schema; numbers that JSON or 64 bits cannot hold stay texts."""
    if isinstance(node, Alias):
        return json_of(node.target)
    if isinstance(node, Scalar):
        return resolved(node.text) if is_plain(node) else node.text
    if isinstance(node, Sequence):
        return [json_of(item) for item in node.items]
    return {entry.name: json_of(entry.value) for entry in node.entries}


def resolved(text: str) -> Json:
    """What an unquoted text is by the core schema (YAML 1.2.2, section 10.3.2)."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        number = int(text, 0 if text[1:2] in ("o", "x") else 10) if len(text) <= _LONGEST_INTEGER else math.inf
        return int(number) if -(2**63) <= number < 2**63 else text
    if _FLOAT.fullmatch(text) and math.isfinite(value := float(text)):
        return value
    return text
