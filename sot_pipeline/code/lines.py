"""What each line of a file is (blank, comment, code), and its code as a number by which copies are found."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, count
from operator import add
from typing import TypeAlias
from zlib import crc32

BLANK, COMMENT, CODE = 0, 1, 2

# What is no token by itself.
_WORDS_AND_SPACE = bytes(byte for byte in range(256) if re.match(rb"[\w\s]", bytes([byte])))
# Everything becomes a space but the ends of lines.
_BLANKED = bytes(byte if byte in b"\r\n" else 0x20 for byte in range(256))


# A part of a file by its offsets in bytes, the second one just past it.
Span: TypeAlias = tuple[int, int]


class Lines:
    """A file's lines. `kinds` has BLANK, COMMENT or CODE for each, by row (from 0).

    A line is a comment where it holds nothing else, and code where it holds anything else; blank
    lines inside of a comment or a text belong to it. `comment_rows` are the first and the last row of
    each of `comments`, `tokens` what `Walk.tokens` says.
    """

    def __init__(self, data: bytes, comments: Sequence[Span], literals: Sequence[Span]) -> None:
        ends = accumulate(map(len, data.split(b"\n")))
        self._starts = [0, *map(add, ends, count(1))]
        self._starts.pop()
        if self._starts[-1] == len(data):
            self._starts.pop()  # after the last line's end there is no line
        code = bytearray(data)
        for start, end in comments:
            code[start:end] = data[start:end].translate(_BLANKED)
        holds_code = bytes(map(bool, map(bytes.strip, self._split(code))))
        self.kinds = bytearray(holds_code.replace(bytes([True]), bytes([CODE])))
        self.comment_rows = [self._claim(start, end, COMMENT) for start, end in comments]
        for start, end in literals:
            if data.find(b"\n", start, end) < 0:
                code[start:end] = b"0".ljust(end - start)
            else:
                self._claim(start, end, CODE)
                code[start:end] = b"0" + data[start + 1 : end].translate(_BLANKED)
        self.tokens = _tokens(self._split(_apart(code)))

    def _split(self, code: bytes | bytearray) -> list[bytes]:
        return bytes(code).split(b"\n")[: len(self._starts)]

    def _claim(self, start: int, end: int, kind: int) -> tuple[int, int]:
        """The first and the last row of a comment or text; those that would be blank without it are of its kind."""
        first, last = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1) - 1
        for row in range(first, last + 1):
            self.kinds[row] = self.kinds[row] or kind
        return first, last


def _apart(code: bytes | bytearray) -> bytes | bytearray:
    """`code` with spaces around each token that is no word: some passes in C, not a match for each token."""
    for byte in set(code.translate(None, _WORDS_AND_SPACE)):
        token = bytes([byte])
        code = code.replace(token, b" " + token + b" ")
    return code


def _tokens(lines: Sequence[bytes]) -> tuple[int, ...]:
    found = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if words:
            found.append(number << 40 | min(len(words), 255) << 32 | crc32(b" ".join(words)))
    return tuple(found)
