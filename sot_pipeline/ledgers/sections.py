"""The sections of a ledger: which headings begin an entry, where it ends, what its fields say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sot_pipeline.ledgers.heading import EntryHeading, parse_heading
from sot_pipeline.ledgers.scan import Heading, Scan
from sot_pipeline.ledgers.words import id_at_start

ENTRY_LEVELS = (2, 3)

_SEPARATOR_LINE = re.compile(r"[ \t]*-{3,}[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t]*\n)+")
# `**Status**: x` and `**Status:** x`, alone on a line or in a list.
_FIELD = re.compile(r"\*\*(Title|Date|Completed|Status|Severity|Phase)(?::\*\*|\*\*[ \t]*:)[ \t]*([^\n]*)")
_FIELD_MEANS = {"Completed": "date"}
_SUBHEADING_OR_FENCE = re.compile(r"\n(?:#{1,6} |```|~~~)")  # the literal first makes the search fast
_FIELD_LEAD = re.compile(r"[ \t]*(?:[-*+][ \t]+)?\Z")


@dataclass(frozen=True, slots=True)
class Section:
    """One section of an entry: its heading (raw line too), its text without the heading, its place."""

    heading: EntryHeading
    line_text: str
    body: str
    start: int


def is_entry(heading: Heading, prefix: str) -> bool:
    """Whether a heading begins an entry of the ledger with this prefix."""
    return heading.level in ENTRY_LEVELS and prefix in heading.text and bool(id_at_start(prefix).match(heading.text))


def cut_sections(data: bytes, found: Scan, prefix: str) -> list[Section]:
    """The sections of `data`, in file order.

    A section ends at the next entry heading, at any level-2 heading, or at the end of the file.
    """
    borders = [heading for heading in found.headings if heading.level == 2 or is_entry(heading, prefix)]
    ends = [*(border.start for border in borders[1:]), len(data)]
    return list(_sections(data, borders, ends, prefix))


def _sections(data: bytes, borders: Sequence[Heading], ends: Sequence[int], prefix: str) -> Iterator[Section]:
    for border, end in zip(borders, ends, strict=False):
        heading = parse_heading(border.text, prefix) if is_entry(border, prefix) else None
        if heading:
            line_text = data[border.start : border.end].decode().strip()
            yield Section(heading, line_text, trim(data[border.end : end].decode()), border.start)


def trim(text: str) -> str:
    """`text` without blank lines around it and without the separators at its end."""
    text = text.rstrip(" \t\n")
    while text.endswith("---"):
        start = text.rfind("\n") + 1
        if not _SEPARATOR_LINE.fullmatch(text, start):
            break
        text = text[:start].rstrip(" \t\n")
    leading = _BLANK_LINES.match(text)
    return text[leading.end() :] if leading else text


def fields_of(body: str) -> dict[str, str]:
    """Title, Date, Status, Severity and Phase as a section's first lines state them; the first of each counts.

    Below a sub-heading or in a fence they speak of something else.
    """
    found: dict[str, str] = {}
    if "**" not in body or body.startswith(("#", "```", "~~~")):
        return found
    below = _SUBHEADING_OR_FENCE.search(body)
    for match in _FIELD.finditer(body, 0, below.start() if below else len(body)):
        start = body.rfind("\n", 0, match.start()) + 1
        if match[2].strip() and _FIELD_LEAD.match(body, start, match.start()):
            found.setdefault(_FIELD_MEANS.get(match[1], match[1].lower()), match[2].strip())
    return found
