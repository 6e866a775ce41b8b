"""The README as a target: the summary between its markers, and nothing else of it.

Bytes in, bytes out, so that everything around the markers stays as it is: line ends, encoding,
byte order mark. What the summary says is decided where the ledgers are.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sot_pipeline.errors import FileUnusable, ReadmeMarkersError
from sot_pipeline.runtime.files import read_file, replace_file

START = b"<!-- SOT_SUMMARY_START -->"
END = b"<!-- SOT_SUMMARY_END -->"

_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|\Z)")
# Quotes and list items may stand before a fence, and items indent it by any number of spaces.
_CONTAINER = rb"(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*"
_FENCE_OPENS = re.compile(_CONTAINER + rb"(?P<fence>`{3,}(?=[^`\r\n]*(?:[\r\n]|\Z))|~{3,})")
_FENCE_CLOSES = re.compile(rb"[ \t>]*(?P<fence>`{3,}|~{3,})[ \t\r\n]*\Z")
_TICKS = re.compile(rb"`+")
_COMMENT_OR_CODE = re.compile(rb"\\[<`]|<!--|(?P<ticks>`+)")
_PARAGRAPH_ENDS = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?=[ \t]*(?:[\r\n]|<!--))")
# Indented code, a paragraph deep in a list, a quotation: no place for a summary.
_APART = re.compile(rb" {4}| {0,3}[\t>]")
_ATX_H1 = re.compile(rb" {0,3}#(?:[ \t]|[\r\n]|\Z)")
_SETEXT_H1 = re.compile(rb" {0,3}=+[ \t]*[\r\n]*\Z")
_TEXT = re.compile(rb" {0,3}[^\s>#<]")

_INIT = "sot readme init --execute"


class _Marker(NamedTuple):
    text: bytes
    offset: int
    line: int  # from 1


@dataclass(frozen=True, slots=True)
class _Scan:
    """What counts in a README: its markers, and the offset after its first H1 (None without one)."""

    markers: tuple[_Marker, ...]
    after_h1: int | None


def current_summary(data: bytes, name: str = "README") -> str:
    """The text between the markers, with line feeds as line ends; bytes that are no UTF-8 are replaced.

    Raises ReadmeMarkersError, naming `name` and a line, where there is not exactly one pair.
    """
    start, end = _pair(data, name)
    text = data[start:end].decode("utf-8", errors="replace")
    return _with_line_ends(text, "\n").strip("\n")


def with_summary(data: bytes, summary: str, name: str = "README") -> bytes:
    """`data` with `summary` between its markers; `data` itself where it says so already.

    Only bytes between the markers change; new lines end as the start marker's line does. Raises
    ReadmeMarkersError for unusable markers, and for a summary that would make them so.
    """
    summary = _with_line_ends(summary, "\n").strip("\n")
    if current_summary(data, name) == summary:
        return data
    start, end = _pair(data, name)
    eol = _line_end_after(data, start)
    middle = _with_line_ends(f"\n{summary}\n" if summary else "\n", eol).encode()
    changed = data[:start] + middle + data[end:]
    try:
        if current_summary(changed, name) == summary:
            return changed
    except ReadmeMarkersError:
        pass
    raise ReadmeMarkersError(
        f"{name}: this summary cannot stand between markers: {summary!r}.",
        remedy="A ledger's title holds a marker; take it out.",
    )


def with_markers(data: bytes, name: str = "README") -> bytes:
    """`data` with a pair of markers under its first H1, at the top without one; itself if it has a pair.

    Raises ReadmeMarkersError where half a pair or more than one is there.
    """
    scan = _scan(data)
    if scan.markers:
        _pair(data, name)
        return data
    top = len(_BOM) if data.startswith(_BOM) else 0
    offset = top if scan.after_h1 is None else scan.after_h1
    eol = _line_end_after(data, 0).encode()
    pair = START + eol + END + eol
    before, after = data[:offset], data[offset:]
    if scan.after_h1 is not None:
        pair = eol + pair if before.endswith((b"\n", b"\r")) else eol + eol + pair
    if after and not after.startswith((b"\n", b"\r")):
        pair += eol
    return before + pair + after


def read_summary(path: Path) -> str:
    """The summary that the README at `path` shows. Raises ReadmeMarkersError, for a missing file as well."""
    return current_summary(_read(path), str(path))


def update_readme(path: Path, summary: str) -> bool:
    """Write `summary` into the README; True where that changed the file, else it is not touched.

    Raises ReadmeMarkersError, FileChangedMeanwhile or FileUnusable, the file being as it was.
    """
    before = _read(path)
    after = with_summary(before, summary, str(path))
    if after == before:
        return False
    replace_file(path, after, expected=before)
    return True


def add_marker_pair(path: Path, *, execute: bool) -> bool:
    """Put markers into a README that has none; True where that changes, or would change, the file.

    Raises ReadmeMarkersError, FileChangedMeanwhile or FileUnusable, the file being as it was.
    """
    before = _read(path)
    after = with_markers(before, str(path))
    if after == before:
        return False
    if execute:
        replace_file(path, after, expected=before)
    return True


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except FileUnusable as error:
        # For whoever wants the summary, a file that cannot be read has no markers.
        raise ReadmeMarkersError(error.message, remedy=f"{error.remedy} Then run: {_INIT}") from None


def _pair(data: bytes, name: str) -> tuple[int, int]:
    """Offsets of the first byte after the start marker and of the end marker."""
    markers = _scan(data).markers
    if [marker.text for marker in markers] == [START, END]:
        return markers[0].offset + len(START), markers[1].offset
    raise _unusable(markers, name)


def _unusable(markers: tuple[_Marker, ...], name: str) -> ReadmeMarkersError:
    if not markers:
        return ReadmeMarkersError(f"{name}:1: the summary markers are missing.", remedy=f"Put them in: {_INIT}")
    for wanted in (START, END):
        lines = [marker.line for marker in markers if marker.text == wanted]
        if not lines:
            return ReadmeMarkersError(
                f"{name}:{markers[0].line}: the marker {_shown(wanted)} is missing.",
                remedy=f"Add it, or remove its partner and run: {_INIT}",
            )
        if len(lines) > 1:
            return ReadmeMarkersError(
                f"{name}:{lines[1]}: the marker {_shown(wanted)} is repeated (first in line {lines[0]}).",
                remedy=f"Keep one pair (an example belongs into a code fence), or remove all and run: {_INIT}",
            )
    return ReadmeMarkersError(
        f"{name}:{markers[0].line}: the end marker stands before the start marker.",
        remedy=f"Swap the two, or remove both and run: {_INIT}",
    )


def _shown(marker: bytes) -> str:
    return marker.decode("ascii")


def _scan(data: bytes) -> _Scan:
    """Walk the lines of a README, past fenced code, code spans and comments (CommonMark 4.5, 6.1, 4.6)."""
    markers: list[_Marker] = []
    after_h1: int | None = None
    fence = b""
    previous = b""
    resume = 0  # end of a comment that reaches into later lines
    ends = _Ends(data)
    for number, offset, line in _lines(data):
        if fence:
            closing = _FENCE_CLOSES.match(line)
            if closing and closing["fence"].startswith(fence):
                fence = b""
            continue
        if resume <= offset:
            opening = _FENCE_OPENS.match(line)
            if opening:
                fence, previous = opening["fence"], b""
                continue
            is_h1 = _ATX_H1.match(line) or (_SETEXT_H1.match(line) and _TEXT.match(previous))
            if is_h1 and after_h1 is None:
                after_h1 = offset + len(line)
            previous = line
        found, resume = _comments(ends, max(offset, resume), offset + len(line))
        if not _APART.match(line):
            markers += [_Marker(text, at, number) for text, at in found]
    return _Scan(tuple(markers), after_h1)


def _lines(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Number (from 1), offset and bytes of each line, its end included; a BOM belongs to no line."""
    offset = len(_BOM) if data.startswith(_BOM) else 0
    number = 0
    while offset < len(data):
        number += 1
        match = _LINE.match(data, offset)
        line = match[0] if match else b""
        yield number, offset, line
        offset += len(line)


class _Ends:
    """Where comments and paragraphs end. Asked in rising order, so that the text is gone through once."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._comment = -1
        self._paragraph = -1

    def comment(self, position: int) -> int:
        """Offset of the next `-->` at or after `position`; the length of the text without one."""
        if self._comment < position:
            found = self.data.find(b"-->", position)
            self._comment = found if found >= 0 else len(self.data)
        return self._comment

    def paragraph(self, position: int) -> int:
        """Offset at which the paragraph ends in which `position` stands."""
        if self._paragraph < position:
            found = _PARAGRAPH_ENDS.search(self.data, position)
            self._paragraph = found.start() if found else len(self.data)
        return self._paragraph


def _comments(ends: _Ends, start: int, end: int) -> tuple[list[tuple[bytes, int]], int]:
    """Markers among the comments that begin in data[start:end], and where the last comment ends."""
    data = ends.data
    found: list[tuple[bytes, int]] = []
    runs: dict[int, list[int]] = {}
    text = end - len(data[start:end].lstrip())
    position = start
    while position < end and (token := _COMMENT_OR_CODE.search(data, position, end)):
        position = token.end()
        if token["ticks"]:
            runs = runs or _tick_runs(data, start, end)
            same = runs[len(token["ticks"])]
            closing = bisect_left(same, position)
            position = same[closing] + len(token["ticks"]) if closing < len(same) else position
        elif token[0] == b"<!--":
            position = _comment_end(ends, token.start(), begins_line=token.start() <= text)
            comment = data[token.start() : position]
            if comment in (START, END):
                found.append((comment, token.start()))
    return found, position


def _tick_runs(data: bytes, start: int, end: int) -> dict[int, list[int]]:
    """Length → offsets of the runs of backticks in data[start:end]; a code span ends at one of its own length."""
    runs: dict[int, list[int]] = defaultdict(list)
    for run in _TICKS.finditer(data, start, end):
        runs[len(run[0])].append(run.start())
    return runs


def _comment_end(ends: _Ends, opening: int, *, begins_line: bool) -> int:
    """Where the comment that opens at `opening` ends.

    At the start of a line it ends at its `-->` however far, else with the file. Within a line it
    has to end in the same paragraph, or the opening is mere text.
    """
    limit = len(ends.data) if begins_line else ends.paragraph(opening)
    stop = ends.comment(opening + 4) + 3
    if stop <= limit:
        return stop
    return limit if begins_line else opening + 4


def _line_end_after(data: bytes, offset: int) -> str:
    """The line end that follows `offset`, else the first of all, else a line feed."""
    match = re.compile(rb"\r\n|\n|\r").search(data, offset) or re.search(rb"\r\n|\n|\r", data)
    return match[0].decode("ascii") if match else "\n"


def _with_line_ends(text: str, eol: str) -> str:
    return re.sub(r"\r\n|\n|\r", eol, text)
