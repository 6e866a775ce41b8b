"""The one walk over a file's tree: its tokens, the kinds of its lines, and marks for what the metrics need.

What marks and tokens mean is decided elsewhere (complexity, definitions, Halstead). The cursor
goes down, right and up in a loop: a file's depth costs no stack.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from sot_pipeline.code.grammar import FIRST_MARK, Grammar, Mark, Role

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

# Beyond this a tree is a program's output or an attack; asking a node for its parent costs its depth.
MAX_DEPTH = 500
# A megabyte of dense code has about half a million nodes, a second's work.
MAX_NODES = 600_000

BLANK, COMMENT, CODE = 0, 1, 2
_FIRST_WORD = re.compile(rb"[A-Za-z_]\w*|[.@]")


class TooMuch(Exception):
    """A tree is too deep or too large to be walked; the message says which, and by how much."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment by its rows (from 0) and its text."""

    first: int
    last: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Walk:
    """What one walk found.

    `operators` are kind ids, `operands` texts, both in file order. `kinds` has BLANK, COMMENT or
    CODE for each line. `tokens` has an integer for each line on which a token begins: the line (from
    1) in the bits from 40 up, the number of its tokens (at most 255) in 8 bits, and in the lowest 32
    the CRC-32 of the tokens, literals written as 0.
    """

    root: Node
    marks: list[Mark]
    operators: list[int]
    operands: list[bytes]
    comments: list[Comment]
    kinds: bytearray
    tokens: tuple[int, ...]


class Lines:
    """Where a file's lines begin, and what each holds."""

    def __init__(self, data: bytes) -> None:
        self.starts = [0, *(found.end() for found in re.finditer(rb"\n", data))]
        if self.starts[-1] == len(data):
            self.starts.pop()  # after the last line's end there is no line
        self.count = len(self.starts)
        self.kinds = bytearray(self.count)
        self.tokens: list[int] = []
        self._bounds = [*self.starts[1:], len(data) + 1]

    def row(self, offset: int) -> int:
        """The row (from 0) that holds a byte."""
        return bisect_right(self.starts, offset) - 1

    def end(self, row: int) -> int:
        """The offset at which the next row begins."""
        return self._bounds[row]

    def fill(self, first: int, last: int, kind: int) -> None:
        """Rows `first` to `last` hold this; a comment beside code leaves the line code."""
        for row in range(first, last + 1):
            self.kinds[row] = max(self.kinds[row], kind)

    def claim_rest(self, data: bytes) -> None:
        """Lines that no token begins or spans and that are not blank are code: a closing quote, a continuation."""
        for row, kind in enumerate(self.kinds):
            if kind == BLANK and not data[self.starts[row] : self._bounds[row]].isspace():
                self.kinds[row] = CODE

    def close(self, row: int, words: list[bytes]) -> None:
        """A line's tokens are complete."""
        if words:
            self.tokens.append((row + 1) << 40 | min(len(words), 255) << 32 | crc32(b" ".join(words)))


def walk(tree: Tree, data: bytes, grammar: Grammar) -> Walk:
    """One pass over `tree`, which was parsed from `data`. Raises TooMuch beyond MAX_DEPTH or MAX_NODES."""
    if tree.root_node.descendant_count > MAX_NODES:
        raise TooMuch(f"more than {MAX_NODES} nodes in the syntax tree")
    return _Walker(data, grammar).run(tree)


class _Walker:
    def __init__(self, data: bytes, grammar: Grammar) -> None:
        self.data = data
        self.grammar = grammar
        self.lines = Lines(data)
        self.marks: list[Mark] = []
        self.operators: list[int] = []
        self.operands: list[bytes] = []
        self.comments: list[Comment] = []

    def run(self, tree: Tree) -> Walk:
        self._nodes(tree)
        lines = self.lines
        lines.claim_rest(self.data)
        found = self.marks, self.operators, self.operands, self.comments
        return Walk(tree.root_node, *found, lines.kinds, tuple(lines.tokens))

    def _nodes(self, tree: Tree) -> None:  # noqa: C901 - every node of a project passes here: one loop, few calls
        data, lines, roles, names = self.data, self.lines, self.grammar.roles, self.grammar.names
        operators, operands = self.operators, self.operands
        operator, operand, closer, string = map(int, (Role.OPERATOR, Role.OPERAND, Role.CLOSER, Role.STRING))
        comment, inner = int(Role.COMMENT), int(Role.INNER)
        cursor = tree.walk()
        down, right, up = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
        words: list[bytes] = []
        row, limit, depth = -1, 0, 0
        while True:
            node = cursor.node
            assert node is not None  # noqa: S101 - a cursor stands on a node
            kind = node.kind_id
            role = roles[kind]
            if role > comment:
                if role != inner:
                    self._mark(role, depth, node)
                if down():
                    depth += 1
                    if depth > MAX_DEPTH:
                        raise TooMuch(f"syntax tree deeper than {MAX_DEPTH}")
                    continue
                role = _leaf(node)
            if role <= string:
                start = node.start_byte
                if start >= limit:
                    lines.close(row, words)
                    words = []
                    row = lines.row(start)
                    limit = lines.end(row)
                    lines.kinds[row] = CODE
                if role == operator:
                    operators.append(kind)
                    words.append(names[kind])
                elif role == closer:
                    words.append(names[kind])
                else:
                    end = node.end_byte
                    text = data[start:end]
                    operands.append(text)
                    words.append(text if role == operand else b"0")
                    if end > limit:
                        lines.fill(row, lines.row(end - 1), CODE)
                    if role == string and down():
                        depth += 1
                        continue
            elif role == comment:
                self._comment(node)
            while not right():
                if not up():
                    lines.close(row, words)
                    return
                depth -= 1

    def _mark(self, role: int, depth: int, node: Node) -> None:
        if role == Role.CALL:
            word = _FIRST_WORD.match(self.data, node.start_byte)
            role = self.grammar.calls.get(word.group(), Role.INNER) if word else Role.INNER
        if role >= FIRST_MARK:
            self.marks.append((role, depth, node))

    def _comment(self, node: Node) -> None:
        text = self.data[node.start_byte : node.end_byte].rstrip(b"\r\n")
        first = self.lines.row(node.start_byte)
        last = self.lines.row(node.start_byte + max(len(text) - 1, 0))
        self.lines.fill(first, last, COMMENT)
        self.comments.append(Comment(first, last, text))


def _leaf(node: Node) -> int:
    """What a leaf is whose kind has another role, or none."""
    if not node.is_named:
        return Role.OPERATOR
    return Role.OPERAND if node.end_byte > node.start_byte else Role.CONTENT
