"""Elixir's table: `def`, `if` and `case` are calls, known by the word they begin with."""

from __future__ import annotations

from tree_sitter import Node

from sot_pipeline.code.grammar import ANYTHING, Attribute, JsonObject, Role, Table, first_named, text_of
from sot_pipeline.plan import Json

_PRIVATE = (b"defp ", b"defmacrop ", b"defguardp ", b"defp(", b"defmacrop(", b"defguardp(")


def name_of(node: Node) -> str | None:
    """What a `def…` defines: a module's alias, a function's name, an operator; `__struct__` for `defstruct`."""
    if (node.text or b"").startswith((b"defstruct", b"defexception")):
        return "__struct__"
    named = _first_argument(node)
    while named is not None and named.type == "binary_operator":
        operator = named.child_by_field_name("operator")
        if operator is not None and operator.type != "when":
            return operator.type
        named = named.child_by_field_name("left")
    if named is not None and named.type == "call":
        named = named.child_by_field_name("target")
    return text_of(named)


def _first_argument(node: Node) -> Node | None:
    arguments = next((child for child in node.named_children if child.type == "arguments"), None)
    return None if arguments is None else first_named(arguments)


def is_public(node: Node, _: str) -> bool:
    """Not by `defp` and the like, and no module that says `@moduledoc false`."""
    if (node.text or b"").startswith(_PRIVATE):
        return False
    about = _moduledoc(node)
    return about is None or attribute_of(about) != Attribute.HIDES


def docstring_of(node: Node) -> Node | None:
    """The `@moduledoc` of a module that has one."""
    about = _moduledoc(node)
    return about if about is not None and attribute_of(about) == Attribute.DOCUMENTS else None


def _moduledoc(node: Node) -> Node | None:
    if not (node.text or b"").startswith(b"defmodule"):
        return None
    body = next((child for child in node.named_children if child.type == "do_block"), None)
    if body is None:
        return None
    return next((child for child in body.named_children if (child.text or b"").startswith(b"@moduledoc")), None)


def attribute_of(node: Node) -> Attribute:
    """`@doc` documents what follows, `@doc false` hides it, `@spec` and the like say nothing about either."""
    word, _, value = (node.text or b"").partition(b" ")
    if word not in (b"@doc", b"@moduledoc", b"@typedoc"):
        return Attribute.NOTHING
    return Attribute.HIDES if value.strip() == b"false" else Attribute.DOCUMENTS


def imports_of(node: Node) -> list[JsonObject]:
    """`alias A.{B, C}` gives `A.B` and `A.C`; `import`, `use` and `require` give their module."""
    if (node.text or b"").startswith(b"def"):
        return []
    of = _first_argument(node)
    if of is not None and of.type == "dot":
        left, right = text_of(of.child_by_field_name("left")), of.child_by_field_name("right")
        names: list[Json] = [text_of(child) for child in right.named_children] if right is not None else []
        return [{"name": f"{left}.{name}"} for name in names]
    return [{"name": text_of(of)}] if of is not None and of.type == "alias" else []


def ways_of(clause: Node) -> int:
    """One for a clause, none for what always matches: `_`, the first clause of an `fn`, the `true` of a `cond`."""
    around = clause.parent
    if around is None or around.type == "block":  # (a -> b) in a type
        return 0
    if around.type == "anonymous_function":
        first = first_named(around)
        return int(first is not None and first != clause)
    left = clause.child_by_field_name("left")
    pattern = left.text if left is not None else b""
    if pattern == b"true":
        return int(not (around.parent is not None and (around.parent.text or b"").startswith(b"cond")))
    return int(pattern not in ANYTHING)


TABLE = Table(
    title="Elixir",
    package="tree-sitter-elixir",
    nodes={
        "identifier": Role.OPERAND,
        "operator_identifier": Role.OPERAND,
        "alias": Role.OPERAND,
        "keyword": Role.OPERAND,
        "boolean": Role.OPERAND,
        "nil": Role.OPERAND,
        "integer": Role.LITERAL,
        "float": Role.LITERAL,
        "char": Role.LITERAL,
        "atom": Role.LITERAL,
        "string": Role.STRING,
        "charlist": Role.STRING,
        "sigil": Role.STRING,
        "quoted_atom": Role.STRING,
        "quoted_keyword": Role.STRING,
        "quoted_content": Role.CONTENT,
        "escape_sequence": Role.CONTENT,
        "sigil_name": Role.CONTENT,
        "sigil_modifiers": Role.CONTENT,
        "comment": Role.COMMENT,
        "call": Role.CALL,
        "unary_operator": Role.CALL,
        "anonymous_function": Role.LAMBDA,
        "stab_clause": Role.CASE,
        "else_block": Role.ELSE,
        "rescue_block": Role.SWITCH,
        "catch_block": Role.SWITCH,
        "binary_operator": Role.BINARY,
    },
    words={'"""': Role.CONTENT, "'''": Role.CONTENT, "~": Role.CONTENT, "when": Role.DECISION},
    calls={
        "@": Role.ATTRIBUTE,
        "def": Role.FUNCTION,
        "defp": Role.FUNCTION,
        "defmacro": Role.FUNCTION,
        "defmacrop": Role.FUNCTION,
        "defguard": Role.FUNCTION,
        "defguardp": Role.FUNCTION,
        "defmodule": Role.MODULE,
        "defprotocol": Role.INTERFACE,
        "defimpl": Role.IMPL,
        "defstruct": Role.STRUCT,
        "defexception": Role.STRUCT,
        "alias": Role.IMPORT,
        "import": Role.IMPORT,
        "use": Role.IMPORT,
        "require": Role.IMPORT,
        "if": Role.BRANCH,
        "unless": Role.BRANCH,
        "with": Role.BRANCH,
        "for": Role.LOOP,
        "case": Role.SWITCH,
        "cond": Role.SWITCH,
        "receive": Role.SWITCH,
    },
    booleans=frozenset({"&&", "||", "and", "or"}),
    is_adapted=True,
    absent={
        "class_count": "Elixir has no classes",
        "enum_count": "Elixir has no enums",
        "trait_count": "Elixir has no traits; protocols are counted as interfaces",
    },
    features={"|>": "pipelines", "fn": "closures", "<-": "comprehensions", "&": "captures", "rescue": "exceptions"},
    name_of=name_of,
    is_public=is_public,
    imports_of=imports_of,
    docstring_of=docstring_of,
    attribute_of=attribute_of,
    ways_of=ways_of,
    exports_nested=True,
)
