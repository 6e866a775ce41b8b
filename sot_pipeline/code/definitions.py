"""Definitions of a file: what the marks define, where, inside of what, public or not, documented or not.

How complex a function is, is told by `complexity`; which JSON a definition becomes, by `symbols`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sot_pipeline.code.grammar import DEFINITIONS, TYPES, Attribute, Role, Table
from sot_pipeline.code.lines import COMMENT
from sot_pipeline.code.walk import Walk

if TYPE_CHECKING:
    from tree_sitter import Node

_KINDS: Mapping[int, str] = {
    role: name.lower() for name, role in vars(Role).items() if isinstance(role, int) and role in DEFINITIONS
}
# What makes a function inside of it a method.
_HOLDS_METHODS = TYPES | {Role.IMPL}
# What other definitions can be inside of.
_HOLDS_DEFINITIONS = _HOLDS_METHODS | {Role.FUNCTION, Role.MODULE}


class Definition(NamedTuple):
    """One definition. `mark` is its place among the marks, `parent` the name of what it is inside of.

    `line` and `end_line` count from 1. `is_local`: inside of a function, so nobody else can name it.
    """

    mark: int
    role: int
    kind: str
    name: str
    parent: str | None
    line: int
    end_line: int
    parameters: int | None
    is_local: bool
    is_public: bool
    is_documented: bool


class _Around(NamedTuple):
    end: int
    role: int
    name: str | None
    is_local: bool
    is_public: bool


def definitions_of(walk: Walk, table: Table) -> list[Definition]:
    """Every definition that is sound (holds no syntax error) and has a name, in file order.

    Docstrings found on the way become comment lines in `walk.kinds`.
    """
    docstring = table.docstring_of(walk.root) if table.docstring_of else None
    if docstring is not None:
        _count_as_comment(docstring, None, walk)
    return _Definitions(walk, table).found()


class _Definitions:
    def __init__(self, walk: Walk, table: Table) -> None:
        self._walk = walk
        self._table = table
        self._around: list[_Around] = []
        self._rows = _rows_above(walk, table)
        self._documented: set[tuple[str | None, str]] = set()

    def found(self) -> list[Definition]:
        definitions = []
        for index, (role, _, node) in enumerate(self._walk.marks):
            if role in DEFINITIONS:
                while self._around and self._around[-1].end <= node.start_byte:
                    self._around.pop()
                definition = self._define(index)
                if definition is not None:
                    definitions.append(definition)
        return definitions

    def _define(self, index: int) -> Definition | None:
        role, depth, node = self._walk.marks[index]
        outer = self._around[-1] if self._around else None
        if role == Role.CONSTANT and outer is not None and outer.role != Role.MODULE:
            return None
        if role == Role.KEY and depth > self._table.deepest_key:
            return None
        name = self._table.name_of(node)
        if name is None:
            if role == Role.FUNCTION and self._table.is_public is not None:
                self._around.append(_Around(node.end_byte, role, None, is_local=True, is_public=False))
            return None
        row = node.start_point[0]
        above = self._above(row)
        is_public = self._is_public(index, name, above)
        is_local = outer is not None and (outer.is_local or outer.role == Role.FUNCTION)
        if role in _HOLDS_DEFINITIONS:
            self._around.append(_Around(node.end_byte, role, name, is_local, is_public))
        if role == Role.IMPL or node.has_error:
            return None
        parent = outer.name if outer else None
        return Definition(
            mark=index,
            role=role,
            kind=_kind(node, role, outer),
            name=name,
            parent=parent,
            line=row + 1,
            end_line=_last_row(node) + 1,
            parameters=self._table.parameters_of(node) if role == Role.FUNCTION else None,
            is_local=is_local,
            is_public=is_public and not is_local,
            is_documented=self._is_documented(node, above, (parent, name)),
        )

    def _above(self, row: int) -> int:
        """The row above a definition that begins at `row`, and above its attributes."""
        row -= 1
        while row in self._rows.attributes:
            row -= 1
        return row

    def _is_public(self, index: int, name: str, above: int) -> bool:
        if self._around and not self._around[-1].is_public:
            return False
        is_public = self._table.is_public
        return is_public is not None and is_public(self._walk.marks[index][2], name) and above not in self._rows.hidden

    def _is_documented(self, node: Node, above: int, key: tuple[str | None, str]) -> bool:
        """By its docstring, by what stands above it, or by another clause of the same function."""
        docstring = self._table.docstring_of(node) if self._table.docstring_of else None
        if docstring is not None:
            _count_as_comment(docstring, node.start_point[0], self._walk)
        documented = docstring is not None or above in self._rows.documents or key in self._documented
        if documented:
            self._documented.add(key)
        return documented


def _count_as_comment(docstring: Node, beside: int | None, walk: Walk) -> None:
    """The lines of a docstring are comment lines, except one that it shares with a definition at row `beside`."""
    for row in range(docstring.start_point[0], min(_last_row(docstring) + 1, len(walk.kinds))):
        if row != beside:
            walk.kinds[row] = COMMENT


def _last_row(node: Node) -> int:
    """The row of a node's last byte; some grammars end a node where the next line begins."""
    row, column = node.end_point
    return row - 1 if column == 0 and row > node.start_point[0] else row


def _kind(node: Node, role: int, outer: _Around | None) -> str:
    is_inside = outer is not None and outer.role in _HOLDS_METHODS
    return "method" if role == Role.FUNCTION and (is_inside or "method" in node.type) else _KINDS[role]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows (from 0) that end a documentation, hold an attribute, or say that what follows is not public."""

    documents: frozenset[int]
    attributes: frozenset[int]
    hidden: frozenset[int]


def _rows_above(walk: Walk, table: Table) -> _Rows:
    documents = {
        comment.last
        for comment in walk.comments
        if comment.text.startswith(table.documents) and walk.kinds[comment.last] == COMMENT
    }
    attributes: set[int] = set()
    hidden: set[int] = set()
    for role, _, node in walk.marks:
        if role == Role.ATTRIBUTE:
            rows = range(node.start_point[0], node.end_point[0] + 1)
            what = table.attribute_of(node)
            {Attribute.DOCUMENTS: documents, Attribute.HIDES: hidden}.get(what, attributes).update(rows)
            if what == Attribute.DOCUMENTS:
                _count_as_comment(node, None, walk)
    return _Rows(frozenset(documents), frozenset(attributes), frozenset(hidden))
