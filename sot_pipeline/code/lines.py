"""What each line of a file is (blank, comment, code), and its code as a number by which copies are found."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeAlias
from zlib import crc32

BLANK, COMMENT, CODE = 0, 1, 2

_TOKEN = re.compile(rb"\w+|[^\w\s]")
# Everything becomes a space but the ends of lines.
_BLANKED = bytes(byte if byte in b"\r\n" else 0x20 for byte in range(256))


# A part of a file by its offsets in bytes, the second one just past it.
Span: TypeAlias = tuple[int, int]


class Lines:
    """A file's lines. `kinds` has BLANK, COMMENT or CODE for each, by row (from 0).

    A line is a comment where it holds nothing else, and code where it holds anything else; blank
    lines inside of a comment or a text belong to it. `tokens` are what `Walk.tokens` says.
    """

    def __init__(self, data: bytes, comments: Sequence[Span], literals: Sequence[Span]) -> None:
        self._starts = [0, *accumulate(len(line) + 1 for line in data.split(b"\n"))]
        self._starts.pop()
        if self._starts[-1] == len(data):
            self._starts.pop()  # after the last line's end there is no line
        code = bytearray(data)
        for start, end in comments:
            code[start:end] = data[start:end].translate(_BLANKED)
        self.kinds = bytearray(CODE if line.strip() else BLANK for line in self._split(code))
        for start, end in comments:
            self._claim(start, end, COMMENT)
        for start, end in literals:
            if data.find(b"\n", start, end) >= 0:
                self._claim(start, end, CODE)
            code[start:end] = b"0" + data[start + 1 : end].translate(_BLANKED)
        self.tokens = tuple(_tokens(self._split(code)))

    def row(self, offset: int) -> int:
        """The row (from 0) that holds a byte."""
        return bisect_right(self._starts, offset) - 1

    def _split(self, code: bytearray) -> list[bytes]:
        return bytes(code).split(b"\n")[: len(self._starts)]

    def _claim(self, start: int, end: int, kind: int) -> None:
        """Lines of a comment or text that would be blank without it are of its kind."""
        for row in range(self.row(start), self.row(end - 1) + 1):
            self.kinds[row] = self.kinds[row] or kind


def _tokens(lines: Sequence[bytes]) -> list[int]:
    found = []
    for number, line in enumerate(lines, start=1):
        words = _TOKEN.findall(line)
        if words:
            found.append(number << 40 | min(len(words), 255) << 32 | crc32(b" ".join(words)))
    return found
