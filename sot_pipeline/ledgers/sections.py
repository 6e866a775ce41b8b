"""The sections of a ledger: which headings begin an entry, where it ends, what its fields say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from sot_pipeline.ledgers.heading import EntryHeading, parse_heading
from sot_pipeline.ledgers.scan import Scan

ENTRY_LEVELS = (2, 3)

_SEPARATOR_LINE = re.compile(r"[ \t]*-{3,}[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t]*\n)+")
# `**Status**: x` and `**Status:** x`, alone on a line or in a list.
_FIELD = re.compile(r"\*\*(Title|Date|Completed|Status|Severity|Phase)(?::\*\*|\*\*[ \t]*:)[ \t]*([^\n]*)")
_FIELD_MEANS = {"Completed": "date"}
_SUBHEADING_OR_FENCE = re.compile(r"\n(?:#{1,6} |```|~~~)")  # the literal first makes the search fast
_FIELD_LEAD = re.compile(r"[ \t]*(?:[-*+][ \t]+)?\Z")


class Section(NamedTuple):
    """One section of an entry: its heading (raw line too) and its text without the heading; wherever it stands."""

    heading: EntryHeading
    line_text: str
    body: str


def entry_headings(found: Scan, prefix: str) -> tuple[EntryHeading | None, ...]:
    """For each heading of `found` the entry that begins there, None where none does."""
    return tuple(
        [
            parse_heading(heading.text, prefix) if heading.level in ENTRY_LEVELS and prefix in heading.text else None
            for heading in found.headings
        ]
    )


def cut_sections(data: bytes, found: Scan, entries: Sequence[EntryHeading | None]) -> list[tuple[int, Section]]:
    """The sections of `data` and the bytes where they begin, in file order; `entries` are the `entry_headings`.

    A section ends at the next entry heading, at any level-2 heading, or where the scan `found` ended.
    """
    sections: list[tuple[int, Section]] = []
    end = found.end
    for heading, entry in zip(reversed(found.headings), reversed(entries), strict=True):
        if entry:
            line_text = data[heading.start : heading.end].decode().strip()
            body = trim(data[heading.end : end].decode())
            sections.append((heading.start, Section(entry, line_text, body)))
        if entry or heading.level == 2:
            end = heading.start
    sections.reverse()
    return sections


def trim(text: str) -> str:
    """`text` without blank lines around it and without the separators at its end."""
    text = text.rstrip(" \t\n")
    end = len(text)
    while text.endswith("---", 0, end):
        start = text.rfind("\n", 0, end) + 1
        if not _SEPARATOR_LINE.fullmatch(text, start, end):
            break
        end = start
        while end and text[end - 1] in " \t\n":  # by offset: a thousand separators are not a thousand copies
            end -= 1
    text = text[:end]
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
