"""The YAML of a front matter as a tree of nodes that know their places, within limits.

Nothing is constructed and no type is guessed here: a node has its text, its style and where it stands.
What the nodes are worth is in `values.py`, what may be written instead of them in `edit.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeAlias, cast

import yaml  # type: ignore[import-untyped]  # PyYAML has no types
from yaml.cyaml import CParser  # type: ignore[import-untyped]  # as above

from sot_pipeline.errors import SkillUnreadable

# A front matter is read whenever anything of its skill changes, by everybody who has the folder: these
# are far above every real one (the longest of 127 has 1,100 characters) and far below what costs a second.
MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
MAX_ALIASES = 50
# What a header may be as long as with its aliases written out, in characters and nodes.
MAX_EXPANDED = 4 * MAX_BYTES

_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset({None, "!", *(_CORE + kind for kind in ("str", "int", "float", "bool", "null"))})
_SEQUENCE_TAGS = frozenset({None, "!", _CORE + "seq"})
_MAPPING_TAGS = frozenset({None, "!", _CORE + "map"})


class Scalar(NamedTuple):
    """A single text. `style` is one of "" (plain), "'", '"', "|" and ">"; `tag` is None where none is written."""

    start: int
    end: int
    anchored: bool
    text: str
    style: str
    tag: str | None


class Sequence(NamedTuple):
    """A list; `flow` where it is written in brackets."""

    start: int
    end: int
    anchored: bool
    flow: bool
    items: tuple[Node, ...]


class Entry(NamedTuple):
    """A key and its value. `name` is the key as text, whatever it is in YAML."""

    name: str
    key: Node
    value: Node


class Mapping(NamedTuple):
    """Keys with values, in order; `flow` where it is written in braces."""

    start: int
    end: int
    anchored: bool
    flow: bool
    entries: tuple[Entry, ...]


class Alias(NamedTuple):
    """`*name`: the node of that name again."""

    start: int
    end: int
    anchored: bool
    target: Scalar | Sequence | Mapping


# `start` and `end` count characters of the header's text. The end of a collection in block style is
# where the next thing begins: what belongs to it ends with its last member.
Node: TypeAlias = Scalar | Sequence | Mapping | Alias


# What the parser says → what to do. Most of what people write is text that YAML takes for something else:
# `Use when: …`, `**bold**`, `@name`, lines that go on at the margin.
_QUOTE = "put the text between quotes, or indented below 'key: |'"
_REMEDIES = (
    ("mapping values are not allowed", _QUOTE),
    ("alphabetic or numeric character", _QUOTE),
    ("cannot start any token", _QUOTE),
    ("expected key", _QUOTE),
    ("expected ':'", _QUOTE),
    ("Unicode character escape", "write the character itself"),
)


def _remedy(problem: str) -> str:
    return next((remedy for part, remedy in _REMEDIES if part in problem), "mend it")


def read_header(text: str, first_line: int) -> Mapping | None:
    """The mapping that the YAML in `text` is; None where it says nothing at all.

    `first_line` is the number of its first line in the file. Raises SkillUnreadable for what is no
    YAML, no mapping, has a key twice or is beyond the limits.
    """
    if text.startswith("\ufeff"):
        raise SkillUnreadable("There is a byte order mark behind the opening '---': remove it.", first_line)
    parser = cast("_Parser", CParser(text))
    try:
        return _Composer(text, parser, first_line).document()
    except yaml.reader.ReaderError as error:
        line = first_line + text.encode()[: error.position].count(b"\n")
        problem = f"has a character that YAML does not allow ({error.reason}): remove it"
        raise SkillUnreadable(f"The front matter {problem}.", line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (mark.line if mark else 0)
        problem = f"is no valid YAML ({error.problem}): {_remedy(error.problem or '')}"
        raise SkillUnreadable(f"The front matter {problem}.", line) from None
    finally:
        parser.dispose()


class _Mark(Protocol):
    index: int
    line: int


class _Event(Protocol):
    start_mark: _Mark
    end_mark: _Mark
    anchor: str | None
    tag: str | None
    value: str
    style: str | None
    flow_style: bool


class _Parser(Protocol):
    """The part of PyYAML's parser that is used; PyYAML has no types of its own."""

    def get_event(self) -> _Event: ...

    def dispose(self) -> None: ...


class _Anchored(NamedTuple):
    """What aliases of a node count as: characters and nodes, and collections one in the other below its own."""

    node: Scalar | Sequence | Mapping
    weight: int
    height: int


class _Composer:
    """Nodes from the events of one parser.

    Not PyYAML's own `compose`: that one recurses in C as deep as the text asks it to, takes the last
    of two equal keys, and lets a node contain itself.
    """

    def __init__(self, text: str, parser: _Parser, first_line: int) -> None:
        self.text = text
        self.parser = parser
        self.first_line = first_line
        self.anchors: dict[str, _Anchored | None] = {}
        self.aliases = 0
        # Characters and nodes so far, and the deepest collection, with every alias written out.
        self.expanded = 0
        self.deepest = 0

    def document(self) -> Mapping | None:
        self.parser.get_event()  # the stream's start
        start = self.parser.get_event()
        if isinstance(start, yaml.StreamEndEvent):
            return None
        root = self.node(self.parser.get_event(), 1)
        self.parser.get_event()  # the document's end
        following = self.parser.get_event()
        if not isinstance(following, yaml.StreamEndEvent):
            raise self.refused("The front matter holds more than one YAML document: keep one.", following)
        if isinstance(root, Mapping):
            return root
        if isinstance(root, Scalar) and not root.text and not root.style:
            return None
        raise SkillUnreadable("The front matter is no mapping: write 'key: value' lines.", self.first_line)

    def node(self, event: _Event, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, depth)
        return self.anchored(event, depth) if event.anchor else self.unnamed(event, depth)

    def unnamed(self, event: _Event, depth: int) -> Scalar | Sequence | Mapping:
        return self.scalar(event) if isinstance(event, yaml.ScalarEvent) else self.collection(event, depth)

    def anchored(self, event: _Event, depth: int) -> Scalar | Sequence | Mapping:
        """A node with a name, measured for its aliases; until it ends, the name stands for nothing that is whole."""
        name, expanded, deepest = str(event.anchor), self.expanded, self.deepest
        self.anchors[name] = None
        self.deepest = depth - 1
        found = self.unnamed(event, depth)
        self.anchors[name] = _Anchored(found, self.expanded - expanded, self.deepest - depth)
        self.deepest = max(self.deepest, deepest)
        return found

    def scalar(self, event: _Event) -> Scalar:
        if event.tag not in _SCALAR_TAGS:
            raise self.unknown_tag(event)
        text = event.value
        if "\0" in text:
            raise self.refused("The front matter holds a NUL (\\0), which no database column can: remove it.", event)
        self.expanded += 1 + len(text)
        return Scalar(
            event.start_mark.index, event.end_mark.index, bool(event.anchor), text, event.style or "", event.tag
        )

    def collection(self, event: _Event, depth: int) -> Sequence | Mapping:
        self.descend(event, depth)
        self.expanded += 1
        # Of a tagged or anchored block, the mark is that of the tag; the flow style holds either way.
        start, anchored, flow = event.start_mark.index, bool(event.anchor), event.flow_style
        if isinstance(event, yaml.SequenceStartEvent):
            if event.tag not in _SEQUENCE_TAGS:
                raise self.unknown_tag(event)
            items = tuple(self.node(item, depth + 1) for item in self.members(yaml.SequenceEndEvent))
            return Sequence(start, self.end, anchored, flow, items)
        if event.tag not in _MAPPING_TAGS:
            raise self.unknown_tag(event)
        entries = tuple(self.entries(depth))
        return Mapping(start, self.end, anchored, flow, entries)

    def descend(self, event: _Event, depth: int) -> None:
        self.deepest = max(self.deepest, depth)
        if depth > MAX_DEPTH:
            raise self.refused(f"The front matter is nested more than {MAX_DEPTH} levels deep: make it flatter.", event)

    def members(self, last: type[object]) -> Iterator[_Event]:
        while not isinstance(event := self.parser.get_event(), last):
            yield event
        self.end = event.end_mark.index

    def entries(self, depth: int) -> Iterator[Entry]:
        names: set[str] = set()
        for event in self.members(yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            name = self.name_of(key)
            if name in names:
                raise self.refused(f"The key '{name}' is there twice: remove one of them.", event)
            names.add(name)
            yield Entry(name, key, self.node(self.parser.get_event(), depth + 1))

    def name_of(self, key: Node) -> str:
        if isinstance(key, Alias):
            return self.name_of(key.target)
        # A key that is no text is named by how it is written: JSON knows texts only.
        return key.text if isinstance(key, Scalar) else self.text[key.start : key.end].strip()

    def alias(self, event: _Event, depth: int) -> Alias:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self.refused(f"The front matter has more than {MAX_ALIASES} aliases: write values out.", event)
        name = str(event.anchor)
        if name not in self.anchors:
            raise self.refused(f"The alias '*{name}' stands for nothing: remove it, or add '&{name}'.", event)
        known = self.anchors[name]
        if known is None:
            raise self.refused(f"The alias '*{name}' is part of what it stands for: remove it.", event)
        self.descend(event, depth + known.height)
        self.expanded += known.weight
        if self.expanded > MAX_EXPANDED:
            raise self.refused(
                f"With its aliases written out, the front matter is over {MAX_EXPANDED} long: use fewer.", event
            )
        return Alias(event.start_mark.index, event.end_mark.index, True, known.node)

    def unknown_tag(self, event: _Event) -> SkillUnreadable:
        return self.refused(f"The front matter has a tag that stands for an object: remove '{event.tag}'.", event)

    def refused(self, message: str, event: _Event) -> SkillUnreadable:
        return SkillUnreadable(message, self.first_line + event.start_mark.line)
