"""Cuts the text of an entry into chunks: at its headings, then at blocks, lines and characters.

Pure text in, text out. What a chunk becomes (a vector point, a row to rank) and which limits
apply is decided by the targets that call `chunk_text`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mistune.block_parser import BlockParser

# English prose runs at 4.2 to 4.6 characters a token in the usual byte-pair vocabularies. Good
# enough for a size one aims at; a limit that must hold is measured in UTF-8 bytes instead.
CHARS_PER_TOKEN = 4

_HEADING_OR_FENCE = re.compile(
    r"^ {0,3}(?:(?P<heading>#{1,6})(?=[ \t]|$)|(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})(?P<info>[^\n]*)$)", re.MULTILINE
)
_HEADING_ONLY = re.compile(r"#{1,6}[^\n]*")
_LINE_END = re.compile(r"(?<=\n)")
_JOINERS = "\u200d\ufe0e\ufe0f"  # zero-width joiner and variation selectors: they belong to a neighbour


def chunk_text(
    content: str, *, soft_chars: int, hard_chars: int | None, measure: Callable[[str], int] = len
) -> list[str]:
    """The chunks of `content`, in order, at least one; no character but white space is lost.

    A text of at most `soft_chars` characters is one chunk. A longer one is cut at its ATX headings
    outside fences, neighbours joined again up to `soft_chars`; without headings it stays whole.
    A chunk is never larger than `hard_chars` (None: no limit) by `measure`, which must be additive
    (`len`, `utf8_size`); a limit below one character's size yields single characters.
    """
    pieces = [content] if len(content) <= soft_chars else _pack(_sections(content), soft_chars, len)
    if hard_chars is not None:
        pieces = [part for piece in pieces for part in _within(piece, hard_chars, measure)]
    if len(pieces) == 1:
        return pieces
    return [piece for piece in (piece.strip() for piece in pieces) if piece] or [""]


def utf8_size(text: str) -> int:
    """Bytes of `text` in UTF-8: no byte-level tokenizer makes more tokens than this."""
    return len(text) if text.isascii() else len(text.encode())


def shortened(text: str, limit: int) -> str:
    """`text`, or its beginning where it has more than `limit` bytes."""
    if utf8_size(text) <= limit:
        return text
    return chunk_text(text, soft_chars=0, hard_chars=limit, measure=utf8_size)[0]


def _sections(content: str) -> list[str]:
    """`content` cut before every heading; a heading without text stays with what follows it."""
    if "#" not in content:
        return [content]
    starts = [0]
    for start in _heading_starts(content):
        section = content[starts[-1] : start].strip()
        if section and not _HEADING_ONLY.fullmatch(section):
            starts.append(start)
    return [content[a:b] for a, b in zip(starts, [*starts[1:], len(content)], strict=True)]


def _heading_starts(content: str) -> Iterator[int]:
    """Offsets of the lines that are ATX headings, fenced code left out (CommonMark 4.2, 4.5)."""
    fence = ""
    for line in _HEADING_OR_FENCE.finditer(content):
        marks = line["fence"]
        if fence:
            if marks and marks.startswith(fence) and not line["info"].strip():
                fence = ""
        elif marks:
            fence = marks
        else:
            yield line.start()


def _pack(parts: list[str], limit: int, measure: Callable[[str], int]) -> list[str]:
    """Neighbours joined greedily up to `limit`; a part that is larger alone stays alone."""
    packed: list[str] = []
    run: list[str] = []
    size = 0
    for part in parts:
        more = measure(part)
        if run and size + more > limit:
            packed.append("".join(run))
            run, size = [], 0
        run.append(part)
        size += more
    packed.append("".join(run))
    return packed


def _within(piece: str, limit: int, measure: Callable[[str], int]) -> list[str]:
    """`piece` in parts of at most `limit`: whole blocks where they fit, else lines, else characters."""
    if measure(piece) <= limit:
        return [piece]
    parts = []
    for block in _blocks(piece):
        if measure(block) <= limit:
            parts.append(block)
            continue
        for line in _LINE_END.split(block):
            parts.extend([line] if measure(line) <= limit else cut_line(line, limit, measure))
    return _pack(parts, limit, measure)


def _blocks(text: str) -> list[str]:
    """`text` cut at the top-level blocks that mistune's block parser sees."""
    parser, starts = _block_parser()
    state = parser.state_cls()
    state.process(text)
    parser.parse(state)
    cuts = sorted({0, *starts})
    return [text[a:b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _block_parser() -> tuple[BlockParser, list[int]]:
    """A parser, and the list in which it notes where the top-level blocks start.

    mistune's tokens carry no positions, but its cursor stands at a block's start whenever a token
    is appended; only lists move it first. (Imported here: most runs cut nothing.)
    """
    from mistune.block_parser import BlockParser
    from mistune.core import BlockState

    starts: list[int] = []

    class NotingState(BlockState):
        def append_token(self, token: dict[str, object]) -> None:
            self.note(self.cursor)
            super().append_token(token)

        def add_paragraph(self, text: str) -> None:
            if not self.tokens or self.tokens[-1]["type"] != "paragraph":
                self.note(self.cursor)
            super().add_paragraph(text)

        def note(self, position: int) -> None:
            if self.parent is None:
                starts.append(min(position, self.cursor_max))

    class NotingParser(BlockParser):
        state_cls = NotingState

        def parse_list(self, m: re.Match[str], state: BlockState) -> int:
            if state.parent is None:
                starts.append(m.start())
            return super().parse_list(m, state)

    return NotingParser(), starts


def cut_line(line: str, limit: int, measure: Callable[[str], int]) -> Iterator[str]:
    """`line` in parts of at most `limit`, cut after white space where the second half has some."""
    start = 0
    while start < len(line):
        window = line[start : start + max(limit, 1)]
        while (size := measure(window)) > limit and len(window) > 1:
            window = window[: max(1, len(window) * limit // size)]
        end = start + len(window)
        if end < len(line):
            end = start + _good_cut(window, line[end])
        yield line[start:end]
        start = end


def _good_cut(window: str, following: str) -> int:
    """Length of `window` to keep: up to its last space, never between a letter and its accents."""
    lowest = len(window) // 2
    for cut in range(len(window), lowest, -1):
        if window[cut - 1].isspace():
            return cut
    cut = len(window)
    while cut > max(lowest, 1) and _joins(window[cut - 1], following):
        following = window[cut - 1]
        cut -= 1
    return cut


def _joins(before: str, after: str) -> bool:
    """Whether a reader sees the two characters as one."""
    return before == "\u200d" or after in _JOINERS or unicodedata.combining(after) > 0
