"""What each line of a file is (blank, comment, code), and its code as a number by which copies are found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias
from zlib import crc32

BLANK, COMMENT, CODE = 0, 1, 2

# What is no token by itself.
_WORDS_AND_SPACE = bytes(byte for byte in range(256) if re.match(rb"[\w\s]", bytes([byte])))
# What fits into the bits that a line's token count has in `Walk.tokens`.
_MOST_TOKENS = 255

# First and last row, from 0.
Rows: TypeAlias = tuple[int, int]
# A part of a file that is no code, by its offsets in bytes (the second one just past it), and what
# stands there instead: as many ends of lines, and a 0 for a literal.
Cut: TypeAlias = tuple[int, int, bytes]


class Comment(NamedTuple):
    """A comment by its rows (from 0) and its text."""

    first: int
    last: int
    text: bytes


class Lines:
    """A file's lines. `kinds` has BLANK, COMMENT or CODE for each, by row (from 0).

    A line is a comment where it holds nothing else, and code where it holds anything else; blank
    lines inside of a comment or a text belong to it. `tokens` is what `Walk.tokens` says. `cuts` are
    all comments and literals in file order, `texts` the rows of literals of several lines.
    """

    def __init__(self, data: bytes, cuts: Sequence[Cut], comments: Sequence[Comment], texts: Sequence[Rows]) -> None:
        lines = _apart(b"".join(_code(data, cuts))).split(b"\n")
        if not data or data.endswith(b"\n"):
            lines.pop()  # after the last line's end there is no line
        self.kinds = bytearray(len(lines))
        self.tokens = tuple(self._tokens(lines))
        for first, last in texts:
            self._claim(first, last, CODE)
        for first, last, _ in comments:
            self._claim(first, last, COMMENT)

    def _tokens(self, lines: Sequence[bytes]) -> Iterator[int]:
        """An integer for each line with tokens; they make it a line of code."""
        for row, line in enumerate(lines):
            words = line.split()
            if words:
                self.kinds[row] = CODE
                many = len(words) if len(words) < _MOST_TOKENS else _MOST_TOKENS  # a call of `min` for each line shows
                yield ((row + 1) << 8 | many) << 32 | crc32(b" ".join(words))

    def _claim(self, first: int, last: int, kind: int) -> None:
        """Rows that would be blank without this comment or text are of its kind."""
        for row in range(first, last + 1):
            self.kinds[row] = self.kinds[row] or kind


def _code(data: bytes, cuts: Sequence[Cut]) -> Iterator[bytes]:
    """The text in pieces, without its comments and literals."""
    at = 0
    for start, end, instead in cuts:
        if start >= at:  # otherwise it is interpolated into the last one
            yield data[at:start]
            yield instead
            at = end
    yield data[at:]


def _apart(code: bytes) -> bytes:
    """`code` with spaces around each token that is no word: some passes in C, not a match for each token."""
    for byte in set(code.translate(None, _WORDS_AND_SPACE)):
        token = bytes([byte])
        code = code.replace(token, b" " + token + b" ")
    return code
