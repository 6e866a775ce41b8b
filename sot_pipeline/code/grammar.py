"""What a language's table says, and the table compiled against its grammar.

A table (`grammars/`) names the node kinds of a tree-sitter grammar that mean something to the
metrics; everything that is not named follows one rule: an anonymous leaf is an operator, a
named leaf an operand. Which file is of which language is told by `languages.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Final, TypeAlias

from sot_pipeline.plan import Json

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


class Role:
    """What a node is to the metrics.

    Up to INNER: what the walk itself handles. From FUNCTION on: the walk keeps the node as a mark.
    No Enum: millions of nodes and marks are asked, and a member of one costs more than all else there.
    """

    OPERATOR: Final = 0
    OPERAND: Final = 1
    LITERAL: Final = 2  # an operand that copies may change
    STRING: Final = 3  # one literal, but what is interpolated into it counts as well
    CLOSER: Final = 4  # the second half of a pair that its opener counts
    CONTENT: Final = 5  # a part of a string: the string is the operand
    COMMENT: Final = 6
    CALL: Final = 7  # a call that may be something else: the word it begins with decides
    INNER: Final = 8

    FUNCTION: Final = 16
    LAMBDA: Final = 17
    CLASS: Final = 18
    STRUCT: Final = 19
    ENUM: Final = 20
    TRAIT: Final = 21
    INTERFACE: Final = 22
    MODULE: Final = 23
    IMPL: Final = 24  # a place for methods that defines nothing itself
    TYPE: Final = 25
    CONSTANT: Final = 26
    KEY: Final = 27  # of a configuration file
    HEADING: Final = 28
    ATTRIBUTE: Final = 29  # stands between a definition and its comment
    IMPORT: Final = 30
    EXPORT: Final = 31

    BRANCH: Final = 48
    ELIF: Final = 49
    ELSE: Final = 50
    LOOP: Final = 51
    SWITCH: Final = 52
    CASE: Final = 53
    HANDLER: Final = 54
    TERNARY: Final = 55
    CLAUSE: Final = 56  # of a comprehension, or a guard
    BINARY: Final = 57  # boolean where its operator is one
    JUMP: Final = 58
    DECISION: Final = 59  # one way more, nothing nests in it
    ELSE_WORD: Final = 60  # `else` where the grammar has no clause for it: an operator besides


class Attribute(IntEnum):
    """What an attribute says about the definition below it."""

    NOTHING = 0
    DOCUMENTS = 1
    HIDES = 2


FIRST_MARK = Role.FUNCTION
DEFINITIONS = frozenset(range(Role.FUNCTION, Role.ATTRIBUTE)) - {Role.LAMBDA}
TYPES = frozenset({Role.CLASS, Role.STRUCT, Role.ENUM, Role.TRAIT, Role.INTERFACE})

# Role, depth in the tree, node; in file order.
Mark: TypeAlias = "tuple[int, int, Node]"
JsonObject: TypeAlias = dict[str, Json]


def field_name(node: Node) -> str | None:
    """The text of the node's `name` field, None where it has none."""
    return text_of(node.child_by_field_name("name"))


def text_of(node: Node | None) -> str | None:
    """The node's text; None for no node or an empty one."""
    text = node.text if node is not None else None
    return text.decode(errors="replace") if text else None


def first_named(node: Node) -> Node | None:
    """The node's first named child, None where it has none (`named_child` raises)."""
    return node.named_child(0) if node.named_child_count else None


def without_underscore(_: Node, name: str) -> bool:
    """Public by convention: the name does not begin with an underscore."""
    return not name.startswith("_")


def count_parameters(node: Node) -> int | None:
    """Named parts of the `parameters` field, None where there is no such field."""
    parameters = node.child_by_field_name("parameters")
    return None if parameters is None else sum(not child.is_extra for child in parameters.named_children)


# Patterns that match whatever comes.
ANYTHING = frozenset({b"_", b"*"})


def one_way_unless_default(case: Node) -> int:
    """Decisions that a case adds: none where its pattern matches anything."""
    pattern = first_named(case)
    return int(pattern is None or pattern.text not in ANYTHING)


def plain_attribute(_: Node) -> Attribute:
    """For languages whose attributes document nothing."""
    return Attribute.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One language: its grammar's package and the node kinds that mean something.

    `words` are anonymous tokens with a role, `calls` the first words that make a call something
    else, `booleans` the short-circuit operators. `absent` gives the reason for each metric the
    language does not have. `is_adapted`: Campbell does not speak of this language. Where nothing is
    marked as exported (`exports_of` is None), public definitions are: of the top level, or all of
    them (`exports_nested`). KEYs below `deepest_key` in the tree are no symbols. `imports_of` is asked
    for modules and exports as well, and `ways_of` how many decisions a case is.

    `is_beyond` tells of texts that the grammar's scanner cannot hold: it would write outside of its
    memory, or take all there is. `shown` gives as many bytes that the parser is shown instead of a
    text it would misread; nodes have the text as it is. `takes_any_text`: there are no syntax errors
    in this language, what the parser calls one is its own.
    """

    title: str
    package: str
    nodes: Mapping[str, int]
    words: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    booleans: frozenset[str] = frozenset()
    factory: str = "language"
    is_data: bool = False
    takes_any_text: bool = False
    shown: Callable[[bytes], bytes] | None = None
    is_beyond: Callable[[bytes], bool] | None = None
    is_adapted: bool = False
    deepest_key: int = 1
    absent: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, str] = field(default_factory=dict)
    name_of: Callable[[Node], str | None] = field_name
    is_public: Callable[[Node, str], bool] | None = without_underscore
    imports_of: Callable[[Node], list[JsonObject]] | None = None
    exports_of: Callable[[Node], list[JsonObject]] | None = None
    exports_nested: bool = False
    docstring_of: Callable[[Node], Node | None] | None = None
    documents: tuple[bytes, ...] = ()
    ways_of: Callable[[Node], int] = one_way_unless_default
    attribute_of: Callable[[Node], Attribute] = plain_attribute
    parameters_of: Callable[[Node], int | None] = count_parameters


@dataclass(frozen=True, slots=True)
class Grammar:
    """A table compiled: `roles[kind_id]` and `names[kind_id]`, and the parser that makes such trees."""

    table: Table
    parser: Parser
    roles: bytes
    names: tuple[bytes, ...]
    calls: Mapping[bytes, int]
    version: str


# Every kind id fits: those of errors and of missing tokens are the last two.
_KINDS = 65536
_CLOSERS = frozenset({")", "]", "}", "))", "]]", "fi", "done", "esac", "end"})
_QUOTES = frozenset({'"', "'", "`", "'''", '"""', "''"})


@lru_cache
def compiled(table_module: str, table_name: str) -> Grammar:
    """The grammar of one table, imported when its language is first met.

    Raises ImportError where the package is not installed.
    """
    from tree_sitter import Language, Parser

    table: Table = getattr(import_module(f"sot_pipeline.code.grammars.{table_module}"), table_name)
    language = Language(getattr(import_module(table.package.replace("-", "_")), table.factory)())
    roles = bytearray([Role.INNER]) * _KINDS
    names = [b""] * _KINDS
    for kind in range(language.node_kind_count):
        name = language.node_kind_for_id(kind) or ""
        roles[kind] = _role(table, name, is_named=language.node_kind_is_named(kind))
        names[kind] = name.encode()
    calls = {word.encode(): role for word, role in table.calls.items()}
    return Grammar(table, Parser(language), bytes(roles), tuple(names), calls, metadata.version(table.package))


def _role(table: Table, name: str, *, is_named: bool) -> int:
    if is_named:
        return table.nodes.get(name, Role.INNER)
    if name in table.words:
        return table.words[name]
    if name in _QUOTES or not name.strip():
        return Role.CONTENT
    return Role.CLOSER if name in _CLOSERS else Role.OPERATOR
