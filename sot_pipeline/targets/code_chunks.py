"""Cuts a source file into chunks at its definitions: small neighbours together, large ones by their lines.

Pure text in, text out; the texts of all chunks, one after the other, are the file's. Which
definitions there are is told by whoever parsed the file; what a chunk becomes is decided by the
targets that call `cut_code`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from sot_pipeline.plan import Json
from sot_pipeline.targets.chunks import cut_line, utf8_size

# Definitions stand in definitions; what is nested deeper is no place to cut at.
_DEEPEST_CUT = 8


@dataclass(frozen=True, slots=True)
class FileText:
    """A source file as its row in `code_files` has it: its text, its hash, and what is defined in it (`symbols`)."""

    path: str
    content: str
    content_hash: str
    symbols: Sequence[Mapping[str, Json]]


class Definition(NamedTuple):
    """What is defined on the lines `line` to `end_line` (from 1): its name with that of what it stands in."""

    name: str
    line: int
    end_line: int


class Chunk(NamedTuple):
    """A part of a file: the line (from 1) where it begins, its text, and the names of what is defined in it."""

    line: int
    text: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a chunk may be: neighbours are joined up to `soft_chars`, and none has more than `hard_bytes`."""

    soft_chars: int
    hard_bytes: int


def definitions_in(symbols: Iterable[Mapping[str, Json]]) -> tuple[Definition, ...]:
    """The definitions that the JSON objects of `code_files.symbols` describe; one without lines is left out."""
    found = []
    for symbol in symbols:
        name, parent = symbol.get("name"), symbol.get("parent")
        line, end_line = symbol.get("line"), symbol.get("end_line")
        if isinstance(name, str) and isinstance(line, int) and isinstance(end_line, int):
            found.append(Definition(f"{parent}.{name}" if parent else name, line, end_line))
    return tuple(found)


def cut_code(content: str, definitions: Sequence[Definition], limits: Limits) -> tuple[Chunk, ...]:
    """The chunks of a file, in order, at least one; lines are counted as the parser does.

    A definition of at most `soft_chars` is never cut. A larger one is cut at those that stand in
    it, and what has none by lines. Comment lines right above a definition go with it.
    """
    file = _File(content)
    bounds = _bounds(file, definitions)
    parts = [part for span in _split(file, bounds, limits) for part in _within(file, span, limits)]
    chunks = _joined(parts, limits)
    by_line = sorted(definitions, key=lambda each: (each.line, -each.end_line))
    return tuple(Chunk(part.line, part.text, _names(part, by_line)) for part in chunks)


class _File:
    """The lines of a file, and how long any run of them is."""

    def __init__(self, content: str) -> None:
        lines = content.split("\n")
        self.lines = [*(f"{line}\n" for line in lines[:-1]), *([lines[-1]] if lines[-1] else [])] or [""]
        self._chars = [0, *accumulate(map(len, self.lines))]
        self._bytes = [0, *accumulate(map(utf8_size, self.lines))]

    def fits(self, span: _Span, limits: Limits) -> bool:
        first, end = span
        chars, size = self._chars[end] - self._chars[first], self._bytes[end] - self._bytes[first]
        return chars <= limits.soft_chars and size <= limits.hard_bytes


class _Span(NamedTuple):
    """Rows (from 0) of a file, `end` not among them."""

    first: int
    end: int


class _Part(NamedTuple):
    """A piece of text that stands on the lines `line` to `end_line` (from 1)."""

    line: int
    end_line: int
    text: str


def _bounds(file: _File, definitions: Sequence[Definition]) -> dict[int, int]:
    """Row at which the file may be cut → in how many definitions it stands: before and after each definition."""
    bounds: dict[int, int] = {}
    around: list[int] = []  # where the definitions end in which the current one stands
    last_end = 0
    for _, line, end_line in sorted(definitions, key=lambda each: (each.line, -each.end_line)):
        first, end = (min(max(row, 0), len(file.lines)) for row in (line - 1, max(end_line, line)))
        while around and around[-1] <= first:
            last_end = around.pop()
        depth = len(around)
        if depth < _DEEPEST_CUT:
            for row in (_with_comment(file, first, last_end), end):
                bounds[row] = min(depth, bounds.get(row, depth))
        around.append(min(end, around[-1]) if around else end)
        last_end = first + 1
    return bounds


def _with_comment(file: _File, first: int, lowest: int) -> int:
    """The first of the lines that stand right above a definition, none of them blank or of what is before it."""
    while first > lowest and file.lines[first - 1].strip():
        first -= 1
    return first


def _split(file: _File, bounds: Mapping[int, int], limits: Limits) -> Iterator[_Span]:
    """The whole file, cut at the outermost bounds wherever it is too large, until nothing is or no bound is left."""
    rows = sorted(bounds)
    left = [_Span(0, len(file.lines))]
    while left:
        span = left.pop()
        inside = (
            [] if file.fits(span, limits) else rows[bisect_right(rows, span.first) : bisect_right(rows, span.end - 1)]
        )
        if not inside:
            yield span
            continue
        outermost = min(bounds[row] for row in inside)
        cuts = [span.first, *(row for row in inside if bounds[row] == outermost), span.end]
        left.extend(_Span(*pair) for pair in zip(reversed(cuts[:-1]), reversed(cuts[1:]), strict=True))


def _within(file: _File, span: _Span, limits: Limits) -> Iterator[_Part]:
    """The span in one part where it fits, else line by line, a line that is too large in several."""
    if file.fits(span, limits):
        yield _Part(span.first + 1, span.end, "".join(file.lines[span.first : span.end]))
        return
    for row in range(span.first, span.end):
        line = file.lines[row]
        pieces = [line] if utf8_size(line) <= limits.hard_bytes else cut_line(line, limits.hard_bytes, utf8_size)
        yield from (_Part(row + 1, row + 1, piece) for piece in pieces)


def _joined(parts: Iterable[_Part], limits: Limits) -> Iterator[_Part]:
    """Neighbours joined as long as they fit together."""
    run: list[_Part] = []
    chars = size = 0
    for part in parts:
        more_chars, more = len(part.text), utf8_size(part.text)
        if run and (chars + more_chars > limits.soft_chars or size + more > limits.hard_bytes):
            yield _one(run)
            run, chars, size = [], 0, 0
        run.append(part)
        chars, size = chars + more_chars, size + more
    if run:
        yield _one(run)


def _one(run: Sequence[_Part]) -> _Part:
    return _Part(run[0].line, run[-1].end_line, "".join(part.text for part in run))


def _names(part: _Part, by_line: Sequence[Definition]) -> tuple[str, ...]:
    """What is defined on the lines of a part, or goes on there."""
    named = (each.name for each in by_line if each.line <= part.end_line and each.end_line >= part.line)
    return tuple(dict.fromkeys(named))
