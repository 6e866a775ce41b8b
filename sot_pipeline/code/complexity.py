"""Cyclomatic and cognitive complexity and nesting depth, from a walk's marks.

Which node is a branch, a loop or a handler is the language's table; what each is worth is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from sot_pipeline.code.grammar import Mark, Role, Table

if TYPE_CHECKING:
    from tree_sitter import Node


class Cognitive(IntEnum):
    """What a structure adds to cognitive complexity (Campbell, SonarSource 2018, appendix B)."""

    NOTHING = 0
    ONE = 1
    ONE_AND_NESTING = 2


@dataclass(frozen=True, slots=True)
class _Worth:
    """What one mark adds: decisions (McCabe), a cognitive increment, and whether what it holds nests deeper."""

    decisions: int = 0
    cognitive: Cognitive = Cognitive.NOTHING
    nests: bool = False


_STRUCTURE = _Worth(1, Cognitive.ONE_AND_NESTING, nests=True)
_WORTH: Mapping[int, _Worth] = {
    Role.BRANCH: _STRUCTURE,
    Role.LOOP: _STRUCTURE,
    Role.HANDLER: _STRUCTURE,
    Role.TERNARY: _STRUCTURE,
    Role.SWITCH: _Worth(0, Cognitive.ONE_AND_NESTING, nests=True),
    Role.ELIF: _Worth(1, Cognitive.ONE),
    Role.ELSE: _Worth(0, Cognitive.ONE),
    Role.ELSE_WORD: _Worth(0, Cognitive.ONE),
    Role.CLAUSE: _Worth(1),
    Role.DECISION: _Worth(1),
    Role.JUMP: _Worth(0, Cognitive.ONE),
    Role.LAMBDA: _Worth(nests=True),
}
# `else if` written as an else that holds an if: the else was the increment, the if adds a decision alone.
_ELSE_IF = _Worth(1)
# What `_Count.add` looks at; half of all marks are assignments, imports and types, and mean nothing here.
_TOLD = frozenset({*_WORTH, Role.FUNCTION, Role.BINARY, Role.CASE, Role.ATTRIBUTE})
_CONTROL = frozenset({Role.BRANCH, Role.LOOP, Role.HANDLER, Role.SWITCH})


@dataclass(slots=True)
class Complexity:
    """One function, or a whole file: `nesting` is the deepest nesting of control structures."""

    cyclomatic: int = 0
    cognitive: int = 0
    nesting: int = 0


@dataclass(slots=True)
class _Open:
    """A function that the marks are inside of; `base` is the nesting at which its own body begins."""

    end: int
    base: int
    control: int
    found: Complexity


@dataclass(slots=True)
class _Tree:
    """One boolean expression: its operators by where they stand."""

    inside: tuple[Complexity, ...]
    operators: list[tuple[int, str]] = field(default_factory=list)


def complexity_of(
    marks: Sequence[Mark], table: Table, is_function: Callable[[int], bool]
) -> tuple[Complexity, dict[int, Complexity]]:
    """The file's complexity and each function's, by the function's place in `marks`.

    `is_function(i)` tells whether mark `i` of role FUNCTION counts as one; otherwise it nests as a
    lambda does. Cyclomatic: 1 for each function and each decision in it (McCabe 1976); a nested
    function counts for itself. The file's is the sum over its functions and what is decided outside
    of them. Cognitive: a nested function also counts for those around it, one level deeper.
    """
    count = _Count(table)
    for index, mark in enumerate(marks):
        if mark[0] not in _TOLD:
            continue
        count.leave(mark[2].start_byte)
        if mark[0] == Role.FUNCTION and is_function(index):
            count.enter(index, mark[2].end_byte)
        else:
            count.add(mark)
    return count.finished()


class _Count:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._file = Complexity()
        self._found: dict[int, Complexity] = {}
        self._open: list[_Open] = []
        self._nests: list[int] = []  # ends of what increases nesting
        self._control: list[int] = []  # ends of control structures
        self._trees: list[_Tree] = []
        self._chain: list[tuple[int, int, _Tree]] = []  # end and depth of boolean operators around the present mark
        self._attribute = 0  # end of the last attribute: what it holds is no decision of the program
        self._else: Mark | None = None  # the last structure, where that was an else

    def leave(self, start: int) -> None:
        """Closes everything that ended before the byte `start`."""
        for stack in (self._nests, self._control):
            while stack and stack[-1] <= start:
                stack.pop()
        while self._open and self._open[-1].end <= start:
            self._open.pop()
        while self._chain and self._chain[-1][0] <= start:
            self._chain.pop()

    def enter(self, index: int, end: int) -> None:
        if self._open:
            self._nests.append(end)
        found = self._found[index] = Complexity(cyclomatic=1)
        self._open.append(_Open(end, len(self._nests), len(self._control), found))
        self._else = None

    def add(self, mark: Mark) -> None:
        role, _, node = mark
        if role == Role.ATTRIBUTE:
            self._attribute = node.end_byte
        if node.start_byte < self._attribute:
            return
        if role == Role.BINARY:
            self._boolean(mark)
            return
        worth = self._worth(mark)
        if worth is None:
            return
        self._decide(worth.decisions)
        if worth.cognitive:
            self._burden(nested=worth.cognitive == Cognitive.ONE_AND_NESTING)
        if worth.nests:
            self._nests.append(node.end_byte)
        if worth.nests and role in _CONTROL:
            self._deepen(node.end_byte)

    def _worth(self, mark: Mark) -> _Worth | None:
        role, _, node = mark
        last_else, self._else = self._else, mark if role in (Role.ELSE, Role.ELSE_WORD) else None
        if role == Role.BRANCH and last_else is not None and _continues(last_else, mark):
            return _ELSE_IF
        if role == Role.CASE:
            return _Worth(self._table.ways_of(node))
        if role == Role.JUMP and not _has_label(node):
            return None
        return _WORTH.get(Role.LAMBDA if role == Role.FUNCTION else role)

    def _decide(self, decisions: int) -> None:
        inside = self._open[-1].found if self._open else self._file
        inside.cyclomatic += decisions

    def _burden(self, *, nested: bool) -> None:
        nesting = len(self._nests)
        self._file.cognitive += 1 + nesting * nested
        for around in self._open:
            around.found.cognitive += 1 + (nesting - around.base) * nested

    def _deepen(self, end: int) -> None:
        self._control.append(end)
        deep = len(self._control)
        self._file.nesting = max(self._file.nesting, deep)
        for around in self._open:
            around.found.nesting = max(around.found.nesting, deep - around.control)

    def _boolean(self, mark: Mark) -> None:
        _, depth, node = mark
        operators = [(c.start_byte, c.type) for c in node.children if not c.is_named and c.type in self._table.booleans]
        if not operators:
            return
        self._decide(len(operators))
        if self._chain and self._chain[-1][1] == depth - 1:
            tree = self._chain[-1][2]
        else:
            tree = _Tree(tuple(around.found for around in self._open))
            self._trees.append(tree)
        tree.operators += operators
        self._chain.append((node.end_byte, depth, tree))

    def finished(self) -> tuple[Complexity, dict[int, Complexity]]:
        for tree in self._trees:
            runs = _runs([operator for _, operator in sorted(tree.operators)])
            for inside in (self._file, *tree.inside):
                inside.cognitive += runs
        self._file.cyclomatic += sum(function.cyclomatic for function in self._found.values())
        return self._file, self._found


def _continues(last_else: Mark, branch: Mark) -> bool:
    """True for the `if` of an `else if`: what the else clause holds itself, or what follows the word."""
    role, depth, before = last_else
    if role == Role.ELSE:
        return branch[1] == depth + 1 and branch[2].start_byte < before.end_byte
    return branch[1] == depth and branch[2].prev_sibling == before


_LABELS = frozenset({"label", "label_name", "statement_identifier"})


def _has_label(jump: Node) -> bool:
    return any(child.type in _LABELS for child in jump.named_children)


def _runs(operators: Sequence[str]) -> int:
    """How many sequences of like operators: `a && b && c || d` has two."""
    return sum(1 for i, operator in enumerate(operators) if i == 0 or operators[i - 1] != operator)
