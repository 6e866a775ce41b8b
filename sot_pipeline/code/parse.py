"""Text to tree, bounded: whatever the bytes are, parsing ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sot_pipeline.code.grammar import Grammar
from sot_pipeline.code.walk import TooMuch

if TYPE_CHECKING:
    from tree_sitter import Point, Tree

# A parser reads each part about four times. One that goes over the same text again and again
# (a hundred thousand `\` lines take Python's minutes) is stopped by count, so that the same file
# is stopped on every machine.
PART = 4096
MAX_READS = 20_000
# Of a node's text: nearly all that is asked for are names, and what is read beyond them is in vain.
PART_OF_NODE = 64


def parse(data: bytes, grammar: Grammar) -> Tree:
    """The syntax tree of UTF-8 text.

    Raises TooMuch where the parser asked for more than MAX_READS parts, or could not hold the text.
    """
    table = grammar.table
    if table.is_beyond is not None and table.is_beyond(data):
        raise TooMuch(f"nested deeper than the parser of {table.title} can hold")
    source = _Source(table.shown(data) if table.shown else data)
    tree = grammar.parser.parse(source)
    source.finish(data)
    return tree


class _Source:
    """What the parser reads from, and later each node that is asked for its text.

    The binding never lets go of what it was given to read (tree-sitter 0.26), which would be all texts
    of a long-lived process: it is given the same object each time, which is empty in the end.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._given = bytearray()
        self._is_parsed = False
        self._reads_left = MAX_READS

    def __call__(self, offset: int, _: Point) -> bytes | bytearray:
        if self._is_parsed:
            return self._data[offset : offset + PART_OF_NODE]
        self._reads_left -= 1
        self._given[:] = self._data[offset : offset + PART] if self._reads_left >= 0 else b""
        return self._given

    def finish(self, data: bytes) -> None:
        """The parser is through: from now on nothing is counted, and nodes get their text from `data`."""
        self._given.clear()
        if self._reads_left < 0:
            raise TooMuch(f"the parser went over it more than {MAX_READS * PART // 2**20} MiB")
        self._is_parsed = True
        self._data = data
