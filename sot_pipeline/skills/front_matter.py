"""A SKILL.md cut into front matter and body, and what the front matter says, as columns hold it.

Reads only. What a single YAML node is worth is in `values.py`, how a front matter is changed in `edit.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sot_pipeline.errors import SkillUnreadable
from sot_pipeline.plan import Json
from sot_pipeline.skills import header
from sot_pipeline.skills.header import Entry
from sot_pipeline.skills.model import LIST_KEYS, NUMBER_KEYS, TEXT_KEYS, Fields
from sot_pipeline.skills.values import Value, value_of

BOM = "\ufeff"
_OPENING = re.compile(rb"(?:\xef\xbb\xbf)?---[ \t]*(?:\r\n|\n|\r|\Z)")
_CLOSING = re.compile(rb"(?<=[\r\n])---[ \t]*(?:\r\n|\n|\r|\Z)")

_COLUMNS = frozenset((*TEXT_KEYS, *NUMBER_KEYS, *LIST_KEYS))


class Parts(NamedTuple):
    """A SKILL.md in two: `template + body.encode()` is the document again, byte for byte.

    `template` is everything up to the closing `---` with its line break, or at most a byte order mark
    where there is no front matter.
    """

    template: bytes
    body: str


def split(document: bytes) -> Parts:
    """Front matter and body of a SKILL.md, the front matter checked.

    Raises SkillUnreadable for what is no UTF-8, has a NUL, has no closing `---`, is no YAML mapping, has
    a key twice, or is beyond the limits of `header.py`.
    """
    try:
        text = document.decode()
    except UnicodeDecodeError as error:
        raise SkillUnreadable(
            "The file is not UTF-8: save it as UTF-8.", document[: error.start].count(b"\n") + 1
        ) from None
    if "\0" in text:
        raise SkillUnreadable(
            "The file holds a NUL: remove it, or name another file SKILL.md.", text[: text.index("\0")].count("\n") + 1
        )
    opening = _OPENING.match(document)
    if opening is None:
        end = len(BOM.encode()) if text.startswith(BOM) else 0
        return Parts(document[:end], document[end:].decode())
    end = _closing(document, opening.end()).end()
    read_template(document[:end])
    return Parts(document[:end], document[end:].decode())


def _closing(document: bytes, start: int) -> re.Match[bytes]:
    """The line that ends the front matter that begins at `start`."""
    found = _CLOSING.search(document, start)
    if found is None:
        raise SkillUnreadable("The front matter has no end: add a line '---' below its keys.", 1)
    return found


@dataclass(frozen=True, slots=True)
class Template:
    """A front matter between its fences: `opening + text + closing` is all of it.

    Without a front matter, `opening` is at most a byte order mark and `closing` is empty.
    """

    opening: str
    text: str
    closing: str
    entries: Mapping[str, Entry]
    root: header.Mapping | None


# Splitting a document, asking what it says and rendering it read the same header one after the other.
@lru_cache(maxsize=64)
def read_template(template: bytes) -> Template:
    """The parts and keys of a front matter; `entries` by column, or by name where there is none.

    Raises SkillUnreadable as `split` does.
    """
    opening = _OPENING.match(template)
    if opening is None:
        return Template(template.decode(), "", "", {}, None)
    closing = _closing(template, opening.end())
    if closing.start() - opening.end() > header.MAX_BYTES:
        raise SkillUnreadable(
            f"The front matter is longer than {header.MAX_BYTES // 1024} KiB: move text to the body.", 1
        )
    text = template[opening.end() : closing.start()].decode()
    root = header.read_header(text, first_line=2)
    entries: dict[str, Entry] = {}
    for entry in root.entries if root else ():
        key = column_of(entry.name)
        if key in entries:
            raise SkillUnreadable(
                f"The key '{key}' is there twice, with '-' and with '_': remove one.", line_of(text, entry)
            )
        entries[key] = entry
    return Template(opening[0].decode(), text, closing[0].decode(), entries, root)


def column_of(name: str) -> str:
    """The column that a key is for; the name itself where it has none."""
    column = name.replace("-", "_")
    return column if column in _COLUMNS else name


def line_of(text: str, entry: Entry) -> int:
    """The line of the file on which a key of the header `text` stands."""
    return len(re.findall(r"\r\n|\n|\r", text[: entry.key.start])) + 2


def fields_of(template: bytes) -> Fields:
    """What a front matter says. Raises SkillUnreadable as `split` does."""
    return fields_from(values_of(read_template(template)))


def values_of(template: Template) -> dict[str, Value]:
    """The value of every key that says something, in the order of the file."""
    values = {}
    for key, entry in template.entries.items():
        value = value_of(key, entry.value)
        # Null says nothing for a column; for any other key it is a value of JSON.
        if value is not None or key not in _COLUMNS:
            values[key] = value
    return values


def fields_from(values: Mapping[str, Value]) -> Fields:
    """Values by key, sorted into the kinds of columns."""
    texts: dict[str, str] = {}
    numbers: dict[str, int | float] = {}
    lists: dict[str, tuple[str, ...]] = {}
    extra: dict[str, Json] = {}
    for key, value in values.items():
        if isinstance(value, tuple):
            lists[key] = value
        elif key in TEXT_KEYS and isinstance(value, str):
            texts[key] = value
        elif key in NUMBER_KEYS and isinstance(value, int | float) and not isinstance(value, bool):
            numbers[key] = value
        else:
            extra[key] = value
    return Fields(texts, numbers, lists, extra)
