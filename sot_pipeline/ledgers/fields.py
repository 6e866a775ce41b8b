"""The fields (`**Name**: value`) and links of an entry, for whoever shows it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from sot_pipeline.ledgers.inline import plain

FIELD_NAME_MAX_CHARS = 60

_Token = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Field:
    """A bold name with a colon at the front of a paragraph, line or list item, and the text after it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link of an entry: its text and where it leads."""

    text: str
    target: str


def fields_and_links(content: str) -> tuple[tuple[Field, ...], tuple[Link, ...]]:
    """Fields and links of an entry's markdown, in order; what stands in code is text."""
    import mistune

    tokens, _ = mistune.create_markdown(renderer=None, plugins=["table", "strikethrough"]).parse(content)
    fields: list[Field] = []
    links: list[Link] = []
    for inline in _inlines(cast("Iterable[_Token]", tokens)):
        for line in _lines(inline):
            field = _field(line)
            if field:
                fields.append(field)
        links += _links(inline)
    return tuple(fields), tuple(links)


def _inlines(tokens: Iterable[_Token]) -> Iterator[list[_Token]]:
    """The inline tokens of every block that holds any."""
    for token in tokens:
        children = cast("list[_Token]", token.get("children") or [])
        if token["type"] in {"paragraph", "block_text", "heading", "table_cell"}:
            yield children
        else:
            yield from _inlines(children)


def _lines(tokens: Iterable[_Token]) -> Iterator[list[_Token]]:
    line: list[_Token] = []
    for token in tokens:
        if token["type"] in {"softbreak", "linebreak"}:
            yield line
            line = []
        else:
            line.append(token)
    yield line


def _field(line: list[_Token]) -> Field | None:
    if not line or line[0]["type"] != "strong":
        return None
    name, rest = _text(line[:1]).strip(), _text(line[1:])
    inside = name.endswith(":")
    if not (inside or rest.lstrip().startswith(":")) or len(name) > FIELD_NAME_MAX_CHARS:
        return None
    return Field(name.rstrip(":").strip(), plain(rest if inside else rest.lstrip()[1:]))


def _links(tokens: Iterable[_Token]) -> Iterator[Link]:
    for token in tokens:
        children = cast("list[_Token]", token.get("children") or [])
        if token["type"] == "link":
            yield Link(_text(children), str(cast("_Token", token["attrs"])["url"]))
        else:
            yield from _links(children)


def _text(tokens: Iterable[_Token]) -> str:
    return "".join(
        str(token["raw"]) if "raw" in token else _text(cast("list[_Token]", token.get("children") or []))
        for token in tokens
    )
