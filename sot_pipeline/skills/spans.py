"""The places of keys, values and list members in the text of a front matter, and edits of single ones.

Every function here gives a whole new header text, or several to choose from; none of them is believed
before it was read back (`edit.py`), so a layout that nobody thought of leads to a refusal, not to damage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import pairwise

from sot_pipeline.plan import Json, canonical_json
from sot_pipeline.skills.header import Alias, Entry, Mapping, Node, Scalar, Sequence
from sot_pipeline.skills.values import Value, is_plain, resolved
from sot_pipeline.skills.writing import as_block, double_quoted, entry_lines, in_flow, is_misread, on_one_line

_LINE_BREAK = re.compile(r"\r\n|\n|\r")
# How narrow a folded text may get, however short its lines were before.
_NARROWEST = 60


def end_of(text: str, node: Node) -> int:
    """Where the last character of `node` ends, without the line breaks and comments behind it."""
    if isinstance(node, Mapping) and not node.flow:
        return end_of(text, node.entries[-1].value)
    if isinstance(node, Sequence) and not node.flow:
        return end_of(text, node.items[-1])
    if isinstance(node, Scalar) and node.style in ("|", ">"):
        source = text[node.start : node.end]
        # With "+" the empty lines behind are part of the text.
        kept = source[:-1] if "+" in source[:3] else source.rstrip(" \t\r\n")
        found = _LINE_BREAK.search(text, node.start + len(kept))
        return found.start() if found else node.end
    return node.end


def source_of(text: str, entry: Entry) -> str:
    """The source of a key with its value."""
    return text[entry.key.start : end_of(text, entry.value)]


def is_anchored(node: Node) -> bool:
    """True where `node` has an anchor or alias anywhere inside."""
    if isinstance(node, Mapping):
        inside = any(is_anchored(entry.key) or is_anchored(entry.value) for entry in node.entries)
    elif isinstance(node, Sequence):
        inside = any(map(is_anchored, node.items))
    else:
        inside = isinstance(node, Alias)
    return node.anchored or inside


def line_start(text: str, place: int) -> int:
    """Where the line of `place` begins."""
    return max(text.rfind("\n", 0, place), text.rfind("\r", 0, place)) + 1


def line_end(text: str, place: int) -> int:
    """Where the line after that of `place` begins."""
    found = _LINE_BREAK.search(text, place)
    return found.end() if found else len(text)


def removed(text: str, mapping: Mapping, entry: Entry) -> Iterator[str]:
    """Without a key: its lines in block style, itself and a comma in flow style."""
    start, end = entry.key.start, end_of(text, entry.value)
    place = mapping.entries.index(entry)
    following = mapping.entries[place + 1] if place + 1 < len(mapping.entries) else None
    first = line_start(text, start)
    if not mapping.flow and not text[first:start].strip():
        yield text[:first] + text[line_end(text, end) :]
    elif following is not None:
        yield text[:start] + text[following.key.start :]
    elif mapping.flow:
        before = end_of(text, mapping.entries[place - 1].value) if place else start
        yield text[:before] + text[end:]


def appended(text: str, mapping: Mapping | None, name: str, value: Value, line_break: str) -> Iterator[str]:
    """With a new key at the end of `mapping` (None: of a header without any)."""
    if mapping is not None and mapping.flow:
        last = mapping.entries[-1] if mapping.entries else None
        place = end_of(text, last.value) if last else mapping.end - 1
        sources: Iterable[str] = [f"{', ' if last else ''}{in_flow(name)}: {in_flow(value)}"]
    elif mapping is not None:
        place = line_end(text, end_of(text, mapping.entries[-1].value))
        first = mapping.entries[0].key.start
        sources = entry_lines(name, value, " " * (first - line_start(text, first)), line_break)
    else:
        place = len(text)
        sources = entry_lines(name, value, "", line_break)
    for source in sources:
        yield text[:place] + source + text[place:]


def replaced(text: str, node: Node, value: Value, line_break: str) -> Iterator[str]:
    """With another value in the place of `node`: in its style where that can be, else simpler."""
    if isinstance(node, Scalar) and isinstance(value, str):
        sources = _restyled(text, node, value, line_break)
    elif isinstance(value, str):
        sources = on_one_line(value)
    else:
        sources = iter((in_flow(value),))
    start, end = node.start, end_of(text, node)
    before = text[:start].rstrip()
    if isinstance(node, Mapping | Sequence) and not node.flow and before.endswith(":"):
        start = len(before)  # a block may begin on the line below its key
    gap = " " if text[start - 1 : start] == ":" else ""
    for source in sources:
        yield text[:start] + gap + source + text[end:]


def _restyled(text: str, node: Scalar, value: str, line_break: str) -> Iterator[str]:
    """`value` in the style of `node` first."""
    source = text[node.start : end_of(text, node)]
    # A version was 1.0 without quotes: then 2.0 needs none either.
    was_bare = not node.style and isinstance(resolved(node.text), int | float)
    if was_bare and is_plain(node) and is_misread(value) and "\n" not in value:
        yield value
    elif node.style == "'" and "\n" not in value:
        yield "'" + value.replace("'", "''") + "'"
    elif node.style == '"':
        yield double_quoted(value)
    elif node.style in ("|", ">") and value:
        lines = _LINE_BREAK.split(source)
        behind = re.sub(r"^[|>][-+0-9]*", "", lines[0])
        content = next((line for line in lines[1:] if line.strip()), "")
        indent = content[: len(content) - len(content.lstrip(" "))]
        width = max(_NARROWEST, *(len(line) - len(indent) for line in lines))
        key_indent = re.match(" *", text[line_start(text, node.start) :])
        indent = indent or (key_indent[0] if key_indent else "") + "  "
        yield as_block(value, node.style + behind, indent, line_break, width)
    yield from on_one_line(value)


def relisted(text: str, node: Sequence, old: list[Json], new: list[Json], line_break: str) -> Iterator[str]:
    """With the members `new` where `old` were: those that stay keep their bytes."""
    edited = _flow_members(text, node, old, new) if node.flow else _block_members(text, node, old, new, line_break)
    if edited is not None:
        yield edited
    yield from replaced(text, node, new, line_break)


def _flow_members(text: str, node: Sequence, old: list[Json], new: list[Json]) -> str | None:
    """`[a, b]`: each member keeps what stands before it, be it a space or a line break."""
    if not node.items:
        return None
    spans = [(item.start, end_of(text, item)) for item in node.items]
    gaps = [text[end:start] for (_, end), (start, _) in pairwise(spans)]
    usual = gaps[0] if gaps and "#" not in gaps[0] else ", "
    left: dict[str, list[int]] = {}
    for number, key in enumerate(map(canonical_json, old)):
        left.setdefault(key, []).append(number)
    found = ""
    for number, (key, value) in enumerate(zip(map(canonical_json, new), new, strict=True)):
        was = left[key].pop(0) if left.get(key) else None
        source = in_flow(value) if was is None else text[slice(*spans[was])]
        gap = gaps[was - 1] if was else usual
        found += (gap if number else "") + source
    return text[: spans[0][0]] + found + text[spans[-1][1] :]


def _block_members(text: str, node: Sequence, old: list[Json], new: list[Json], line_break: str) -> str | None:
    """`- a` on a line of its own: members that go leave the comments above them, new ones get a line."""
    dashes = [text.rfind("-", 0, item.start) for item in node.items]
    starts = [line_start(text, dash) for dash in dashes]
    ends = [line_end(text, end_of(text, item)) for item in node.items]
    if any(text[start:dash].strip(" ") for start, dash in zip(starts, dashes, strict=True)):
        return None
    margin = text[starts[0] : dashes[0]] + "- "
    above = ["", *(text[end:start] for end, start in zip(ends, starts[1:], strict=False))]
    sources = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    names, new_names = list(map(canonical_json, old)), list(map(canonical_json, new))
    steps = SequenceMatcher(None, names, new_names, autojunk=False).get_opcodes()
    # A member that goes here may come back there: it keeps its quotes and its comment.
    moved = {
        names[number]: sources[number]
        for kind, first, last, *_ in steps
        if kind != "equal"
        for number in range(first, last)
    }
    found = ""
    for kind, first, last, new_first, new_last in steps:
        if kind == "equal":
            found += "".join(above[number] + sources[number] for number in range(first, last))
            continue
        found += "".join(above[first:last])
        for name, value in zip(new_names[new_first:new_last], new[new_first:new_last], strict=True):
            found += moved.pop(name, margin + in_flow(value) + line_break)
    return text[: starts[0]] + found + text[ends[-1] :]
