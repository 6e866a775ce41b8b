"""Where the top-level headings of a markdown file are, and which stretches of it hide headings.

A line scanner over bytes that follows CommonMark's block rules for what can hide a heading: fenced
code, HTML comments and the other HTML blocks, list items. It looks only at lines that could begin
one of these, so it runs at hundreds of megabytes a second; it builds no tree. Setext headings are
not seen: in ledgers a `---` under a line of text is a separator. What a heading means is
`sections.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Hidden(StrEnum):
    """Why a stretch of text is not looked into."""

    FENCE = "fence"
    COMMENT = "comment"
    HTML = "html"


@dataclass(frozen=True, slots=True)
class Heading:
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


@dataclass(frozen=True, slots=True)
class Scan:
    """Headings and hidden stretches in file order; `orphans` are the fences that were taken as closed."""

    headings: tuple[Heading, ...]
    hidden: tuple[Span, ...]
    orphans: tuple[Span, ...]


# Tells, for a fence, the offset of a line inside it at which it must be taken as closed, or None.
Rescue = Callable[[bytes, Span], int | None]

_CANDIDATE = rb"( {0,3})(?=#{1,6}(?:[ \t\n]|\Z)|`{3}|~{3}|<[!?/A-Za-z])"
_AT_START = re.compile(_CANDIDATE)
_AT_LINE = re.compile(rb"\n" + _CANDIDATE)  # the literal first byte makes the search fast
_FENCE = re.compile(rb"(`{3,}(?=[^`\n]*(?:\n|\Z))|~{3,})")
_HEADING = re.compile(rb"(#{1,6})(?:[ \t]+([^\n]*)|(?=\n|\Z))")
_CLOSING_HASHES = re.compile(rb"(?:(?<=[ \t])|\A)#+[ \t]*\Z")

_BLOCK_TAGS = (
    rb"address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt"
    rb"|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main"
    rb"|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead"
    rb"|title|tr|track|ul"
)
_ATTRIBUTE = rb"(?:[ \t\n]+[A-Za-z_:][\w.:-]*(?:[ \t\n]*=[ \t\n]*(?:[^\s\"'=<>`]+|'[^'\n]*'|\"[^\"\n]*\"))?)"
_LONE_TAG = re.compile(
    rb"(?:<[A-Za-z][A-Za-z0-9-]*" + _ATTRIBUTE + rb"*[ \t]*/?>|</[A-Za-z][A-Za-z0-9-]*[ \t]*>)[ \t]*(?=\n|\Z)"
)
_BLANK_LINE = re.compile(rb"\n[ \t]*(?=\n|\Z)")

# HTML blocks of CommonMark 0.31, section 4.6: how each kind begins and what ends it.
_HTML_BLOCKS: tuple[tuple[re.Pattern[bytes], re.Pattern[bytes], Hidden], ...] = (
    (
        re.compile(rb"(?i)<(?:pre|script|style|textarea)(?=[ \t>\n]|\Z)"),
        re.compile(rb"(?i)</(?:pre|script|style|textarea)>"),
        Hidden.HTML,
    ),
    (re.compile(rb"<!--"), re.compile(rb"-->"), Hidden.COMMENT),
    (re.compile(rb"<\?"), re.compile(rb"\?>"), Hidden.HTML),
    (re.compile(rb"<!\[CDATA\["), re.compile(rb"\]\]>"), Hidden.HTML),
    (re.compile(rb"<![A-Za-z]"), re.compile(rb">"), Hidden.HTML),
    (re.compile(rb"(?i)</?(?:" + _BLOCK_TAGS + rb")(?=[ \t\n]|/?>|\Z)"), _BLANK_LINE, Hidden.HTML),
)

_LIST_MARKER = re.compile(rb"( *)(?:[-+*]|\d{1,9}[.)])(?:( +)(?=\S)|[ \t]*\Z)")
_THEMATIC_BREAK = re.compile(rb" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})\Z")
# How far back a list item is looked for: indented headings are rare, long list items rarer.
_LOOK_BACK_LINES = 200


def scan(data: bytes, rescue: Rescue | None = None) -> Scan:
    """Top-level headings and hidden stretches of `data` (UTF-8, line feeds only)."""
    headings: list[Heading] = []
    hidden: list[Span] = []
    orphans: list[Span] = []
    line = 0
    while (found := _next_candidate(data, line)) is not None:
        line, at = found
        end = _end_of_line(data, at)
        if at > line and _in_list_item(data, line, at - line):
            line = end + 1
            continue
        if data[at] == ord("#"):
            headings.append(_heading(data, line, at, end))
            line = end + 1
            continue
        span = _fence(data, line, at, end) if data[at] in b"`~" else _html(data, line, at, end)
        if span is None:
            line = end + 1
            continue
        stop = rescue(data, span) if rescue and span.kind is Hidden.FENCE else None
        if stop is not None:
            span = Span(span.start, stop, span.kind, closed=False)
            orphans.append(span)
        hidden.append(span)
        line = span.end
    return Scan(tuple(headings), tuple(hidden), tuple(orphans))


def _next_candidate(data: bytes, line: int) -> tuple[int, int] | None:
    """Start of the next line worth a look, at or after the line start `line`, and of its first mark."""
    if line > len(data):
        return None
    if line == 0:
        match = _AT_START.match(data)
        if match:
            return 0, match.end()
    match = _AT_LINE.search(data, max(0, line - 1))
    return (match.start() + 1, match.end()) if match else None


def _end_of_line(data: bytes, at: int) -> int:
    end = data.find(b"\n", at)
    return len(data) if end < 0 else end


def _heading(data: bytes, line: int, at: int, end: int) -> Heading:
    match = _HEADING.match(data, at)
    if match is None:
        raise AssertionError("a candidate that starts with # is a heading")
    text = _CLOSING_HASHES.sub(b"", (match[2] or b"").strip(b" \t")).strip(b" \t")
    return Heading(line, end, len(match[1]), text.decode())


def _fence(data: bytes, line: int, at: int, end: int) -> Span | None:
    opening = _FENCE.match(data, at)
    if opening is None:
        return None
    closing = _closing_fence(opening[0][:1], len(opening[0])).search(data, end)
    stop = min(closing.end() + 1, len(data)) if closing else len(data)
    return Span(line, stop, Hidden.FENCE, closed=closing is not None)


@lru_cache(maxsize=64)
def _closing_fence(mark: bytes, length: int) -> re.Pattern[bytes]:
    return re.compile(rb"\n {0,3}%s{%d,}[ \t]*(?=\n|\Z)" % (mark, length))


def _html(data: bytes, line: int, at: int, end: int) -> Span | None:
    for start, stop, kind in _HTML_BLOCKS:
        if start.match(data, at):
            return _html_span(data, line, at, stop, kind)
    if _LONE_TAG.match(data, at, end) and not _continues_paragraph(data, line):
        return _html_span(data, line, at, _BLANK_LINE, Hidden.HTML)
    return None


def _html_span(data: bytes, line: int, at: int, stop: re.Pattern[bytes], kind: Hidden) -> Span:
    found = stop.search(data, at)
    if found is None:
        return Span(line, len(data), kind, closed=False)
    # A mark ends the block with the line it stands in; a blank line is itself outside the block.
    end = found.start() if stop is _BLANK_LINE else _end_of_line(data, found.end())
    return Span(line, min(end + 1, len(data)), kind, closed=True)


def _lines_before(data: bytes, line: int) -> Iterator[bytes]:
    for _ in range(_LOOK_BACK_LINES):
        if line <= 0:
            return
        start = data.rfind(b"\n", 0, line - 1) + 1
        yield data[start : line - 1]
        line = start


def _in_list_item(data: bytes, line: int, indent: int) -> bool:
    """Whether a line indented by `indent` spaces belongs to a list item that began above it."""
    blank = False
    for before in _lines_before(data, line):
        if not before.strip(b" \t"):
            blank = True
            continue
        marker = None if _THEMATIC_BREAK.match(before) else _LIST_MARKER.match(before)
        if marker:
            # More than four spaces after a marker are indented code: the content begins after one.
            padding = len(marker[2]) if marker[2] and len(marker[2]) <= 4 else 1
            if indent >= marker.end() - len(marker[2] or b"") + padding:
                return True
            if len(marker[1]) < 2:
                return False
        elif before[:1] not in b" \t" and (blank or _ends_list(before)):
            return False
    return False


_ENDS_LIST = re.compile(rb"#{1,6}(?:[ \t]|\Z)|`{3}|~{3}|>|<[!?/A-Za-z]")


def _ends_list(line: bytes) -> bool:
    """Whether an unindented line ends a list; plain text may be a paragraph's lazy continuation."""
    return bool(_ENDS_LIST.match(line) or _THEMATIC_BREAK.match(line))


def _continues_paragraph(data: bytes, line: int) -> bool:
    before = next(_lines_before(data, line), b"")
    return bool(before.strip(b" \t")) and not (_ENDS_LIST.match(before) or _THEMATIC_BREAK.match(before))
