"""The one walk over a file's tree: operators and operands, comments and texts, and marks for what the metrics need.

What marks mean is decided elsewhere (complexity, definitions), what a line is in `lines`. The cursor
goes down, right and up in a loop: a file's depth costs no stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sot_pipeline.code.grammar import FIRST_MARK, Grammar, Mark, Role
from sot_pipeline.code.lines import Comment, Cut, Lines, Rows

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

# Beyond this a tree is a program's output or an attack; asking a node for its parent costs its depth.
MAX_DEPTH = 500
# A megabyte of dense code has about half a million nodes, a second's work.
MAX_NODES = 600_000

_FIRST_WORD = re.compile(rb"[A-Za-z_]\w*|[.@]")


class TooMuch(Exception):
    """A tree is too deep or too large to be walked; the message says which, and by how much."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What one walk found.

    `operators` are kind ids, `operands` texts, both in file order. `kinds` has BLANK, COMMENT or
    CODE for each line. `tokens` has an integer for each line with code: the line (from 1) in the bits
    from 40 up, the number of its tokens (at most 255) in 8 bits, and in the lowest 32 the CRC-32 of
    the tokens (words and single other characters), literals written as 0.
    """

    root: Node
    marks: list[Mark]
    operators: list[int]
    operands: list[bytes]
    comments: list[Comment]
    kinds: bytearray
    tokens: tuple[int, ...]


def walk(tree: Tree, data: bytes, grammar: Grammar) -> Walk:
    """One pass over `tree`, which was parsed from `data`. Raises TooMuch beyond MAX_DEPTH or MAX_NODES."""
    if tree.root_node.descendant_count > MAX_NODES:
        raise TooMuch(f"more than {MAX_NODES} nodes in the syntax tree")
    return _Walker(data, grammar).run(tree)


class _Walker:
    def __init__(self, data: bytes, grammar: Grammar) -> None:
        self._data = data
        self._grammar = grammar
        self._marks: list[Mark] = []
        self._operators: list[int] = []
        self._operands: list[bytes] = []
        self._comments: list[Comment] = []
        self._cuts: list[Cut] = []
        self._texts: list[Rows] = []  # literals of several lines

    def run(self, tree: Tree) -> Walk:
        self._nodes(tree)
        lines = Lines(self._data, self._cuts, self._comments, self._texts)
        found = self._marks, self._operators, self._operands, self._comments
        return Walk(tree.root_node, *found, lines.kinds, lines.tokens)

    def _nodes(self, tree: Tree) -> None:  # noqa: C901 - every node of a project passes here: one loop, few calls
        data, roles = self._data, self._grammar.roles
        operators, operands, cuts = self._operators, self._operands, self._cuts
        operator, operand, string = Role.OPERATOR, Role.OPERAND, Role.STRING
        comment, inner = Role.COMMENT, Role.INNER
        cursor = tree.walk()
        down, right, up = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
        depth, deepest = 0, MAX_DEPTH
        while (node := cursor.node) is not None:  # pragma: no branch - a cursor stands on a node
            kind = node.kind_id
            role = roles[kind]
            if role > comment:
                if role != inner:
                    self._mark(role, depth, node)
                if down():
                    depth += 1
                    if depth > deepest:
                        raise TooMuch(f"syntax tree deeper than {MAX_DEPTH}")
                    continue
                role = _leaf(node)
            if role == operator:
                operators.append(kind)
            elif role == operand:
                operands.append(data[node.start_byte : node.end_byte])
            elif role <= string:
                start = node.start_byte
                text = data[start : node.end_byte]
                operands.append(text)
                if b"\n" in text:
                    self._text(node, start, text if role == string else text.rstrip())
                elif role == string or not text.isspace():
                    cuts.append((start, start + len(text), b"0 "))
                # All languages interpolate with one of these; a string without has no children that count.
                if role == string and (b"{" in text or b"$" in text or b"`" in text) and down():
                    depth += 1
                    continue
            elif role == comment:
                self._comment(node)
            while not right():
                if not up():
                    return
                depth -= 1

    def _mark(self, role: int, depth: int, node: Node) -> None:
        if role == Role.CALL:
            word = _FIRST_WORD.match(self._data, node.start_byte)
            role = self._grammar.calls.get(word.group(), Role.INNER) if word else Role.INNER
        if role >= FIRST_MARK:
            self._marks.append((role, depth, node))

    def _text(self, node: Node, start: int, text: bytes) -> None:
        """A literal of several lines; a block of YAML takes the blank lines below it along, a string has an end."""
        if not text:
            return
        first, ends = node.start_point[0], text.count(b"\n")
        self._texts.append((first, first + ends - text.endswith(b"\n")))
        self._cuts.append((start, start + len(text), b"0" + b"\n" * ends))

    def _comment(self, node: Node) -> None:
        """Some grammars count the line's end to its comment."""
        start = node.start_byte
        text = self._data[start : node.end_byte].rstrip()
        if text:
            first, below = node.start_point[0], text.count(b"\n")
            self._comments.append(Comment(first, first + below, text))
            self._cuts.append((start, start + len(text), b" " + b"\n" * below))


def _leaf(node: Node) -> int:
    """What a leaf is whose kind has another role, or none."""
    if not node.is_named:
        return Role.OPERATOR
    return Role.OPERAND if node.end_byte > node.start_byte else Role.CONTENT
