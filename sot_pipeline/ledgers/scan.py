"""Where the top-level headings of a markdown file are, and which stretches of it hide headings.

A line scanner over bytes that follows CommonMark's block rules for what can hide a heading: fenced
code, HTML comments and the other HTML blocks, list items. It looks only at lines that could begin
one of these, so it runs at hundreds of megabytes a second; it builds no tree. Setext headings are
not seen: in ledgers a `---` under a line of text is a separator. What a heading means is
`sections.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sot_pipeline.ledgers.containers import Containers
from sot_pipeline.ledgers.marks import BLANK_LINE, COMMENT, FENCE, closing_fence, html_end


class Hidden(StrEnum):
    """Why a stretch of text is not looked into."""

    FENCE = "fence"
    COMMENT = "comment"
    HTML = "html"


class Heading(NamedTuple):
    """An ATX heading of level 1 to 6: bytes `start` to `end` (its line, without the line feed)."""

    start: int
    end: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `end` of a hidden stretch; `closed` is False where it runs to the end of the file."""

    start: int
    end: int
    kind: Hidden
    closed: bool


class Scan(NamedTuple):
    """Headings and hidden stretches in file order, up to byte `end`; `orphans` are the fences taken as closed."""

    headings: tuple[Heading, ...]
    hidden: tuple[Span, ...]
    orphans: tuple[Span, ...]
    end: int


# Tells, for a fence, the offset of a line inside it at which it must be taken as closed, or None.
Rescue = Callable[[bytes, Span], int | None]

_CANDIDATE = rb" {0,3}(?=#{1,6}(?:[ \t\n]|\Z)|`{3}|~{3}|<[!?/A-Za-z])"
_AT_START = re.compile(_CANDIDATE)
_AT_LINE = re.compile(rb"\n" + _CANDIDATE)  # the literal first byte makes the search fast
_CLOSING_HASHES = re.compile(rb"(?:(?<=[ \t])|\A)#+[ \t]*\Z")
_HASH = ord("#")


def scan(data: bytes, rescue: Rescue | None = None, start: int = 0, stops: Container[int] = ()) -> Scan:
    """Top-level headings and hidden stretches of `data` (UTF-8, line feeds only).

    A scan can begin at any line `start` that begins a heading. It goes to the end of the data, or to
    the first heading below `start` that begins at one of the offsets `stops`, all in the first column.
    """
    headings: list[Heading] = []
    hidden: list[Span] = []
    orphans: list[Span] = []
    containers: Containers | None = None  # made where a line asks for them
    begin = line = start
    while (found := _next_candidate(data, line)) is not None:
        line, at = found
        if line in stops and line > start:
            return Scan(tuple(headings), tuple(hidden), tuple(orphans), line)
        end = _end_of_line(data, at)
        if data[at] == _HASH and at == line:
            headings.append(_heading(data, line, at, end))
        elif not (context := (containers := containers or Containers(data, begin)).context(line)).at_top:
            line = end + 1
            continue
        elif data[at] == _HASH:
            headings.append(_heading(data, line, at, end))
        elif (span := _span(data, line, at, end, in_paragraph=context.in_paragraph)) is None:
            line = end + 1
            continue
        else:
            stop = rescue(data, span) if rescue and span.kind is Hidden.FENCE else None
            if stop is not None:
                span = Span(span.start, stop, span.kind, closed=False)
                orphans.append(span)
            hidden.append(span)
            end = span.end - 1
        begin = line = end + 1
        containers = None
    return Scan(tuple(headings), tuple(hidden), tuple(orphans), len(data))


def _next_candidate(data: bytes, line: int) -> tuple[int, int] | None:
    """Start of the next line worth a look, at or after the line start `line`, and of its first mark."""
    if line == 0 and (match := _AT_START.match(data)):
        return 0, match.end()
    match = _AT_LINE.search(data, max(0, line - 1))
    return (match.start() + 1, match.end()) if match else None


def _end_of_line(data: bytes, at: int) -> int:
    end = data.find(b"\n", at)
    return len(data) if end < 0 else end


def _heading(data: bytes, line: int, at: int, end: int) -> Heading:
    marks = data[at : at + 7]
    level = len(marks) - len(marks.lstrip(b"#"))
    text = data[at + level : end].strip(b" \t")
    if text.endswith(b"#"):
        text = _CLOSING_HASHES.sub(b"", text).rstrip(b" \t")
    return Heading(line, end, level, text.decode())


def _span(data: bytes, line: int, at: int, end: int, *, in_paragraph: bool) -> Span | None:
    """The fence or HTML block that begins at `at`."""
    if data[at] != ord("<"):
        return _fence(data, line, at, end)
    stop = html_end(data, at, end, in_paragraph=in_paragraph)
    return _html(data, line, at, stop) if stop else None


def _fence(data: bytes, line: int, at: int, end: int) -> Span | None:
    opening = FENCE.match(data, at)
    if opening is None:
        return None
    closing = closing_fence(opening[0][:1], len(opening[0])).search(data, end)
    stop = min(closing.end() + 1, len(data)) if closing else len(data)
    return Span(line, stop, Hidden.FENCE, closed=closing is not None)


def _html(data: bytes, line: int, at: int, stop: re.Pattern[bytes]) -> Span:
    kind = Hidden.COMMENT if COMMENT.match(data, at) else Hidden.HTML
    found = stop.search(data, at)
    if found is None:
        return Span(line, len(data), kind, closed=stop is BLANK_LINE)
    # A mark ends the block with the line it stands in; a blank line is itself outside the block.
    end = found.start() if stop is BLANK_LINE else _end_of_line(data, found.end())
    return Span(line, min(end + 1, len(data)), kind, closed=True)
