"""Nix's table: everything is an expression; a function is one that an attribute is bound to."""

from __future__ import annotations

import re

from tree_sitter import Node

from sot_pipeline.code.grammar import JsonObject, Role, Table, text_of

# A comma before the end of a function's parameters, which Nix takes and the grammar does not; texts
# and comments are matched to be passed over. A comma has no other use in Nix.
_LAST_COMMA = re.compile(rb'"(?:[^"\\\n]|\\.)*"|#[^\n]*|,((?:\s|#[^\n]*\n)*\})')
_PATHS = frozenset({"path_expression", "spath_expression", "hpath_expression"})


def name_of(node: Node) -> str | None:
    """The attribute path that a function is bound to; None for any other function."""
    around = node.parent
    if around is None or around.type != "binding":
        return None
    return text_of(around.child_by_field_name("attrpath"))


def shown(text: bytes) -> bytes:
    """Nix as the grammar takes it: without a comma after the last parameter."""
    return _LAST_COMMA.sub(lambda found: found[0] if found[1] is None else b" " + found[1], text)


def imports_of(node: Node) -> list[JsonObject]:
    """The path that `import` or `callPackage` is applied to, as it is written."""
    function, argument = node.child_by_field_name("function"), node.child_by_field_name("argument")
    is_path = argument is not None and argument.type in _PATHS
    is_direct = function is not None and function.type != "apply_expression"
    return [{"name": text_of(argument)}] if is_path and is_direct else []


TABLE = Table(
    title="Nix",
    package="tree-sitter-nix",
    nodes={
        "identifier": Role.OPERAND,
        "integer_expression": Role.LITERAL,
        "float_expression": Role.LITERAL,
        "path_expression": Role.LITERAL,
        "spath_expression": Role.LITERAL,
        "hpath_expression": Role.LITERAL,
        "uri_expression": Role.LITERAL,
        "string_expression": Role.STRING,
        "indented_string_expression": Role.STRING,
        "string_fragment": Role.CONTENT,
        "escape_sequence": Role.CONTENT,
        "dollar_escape": Role.CONTENT,
        "comment": Role.COMMENT,
        "function_expression": Role.FUNCTION,
        "apply_expression": Role.CALL,
        "if_expression": Role.BRANCH,
        "binary_expression": Role.BINARY,
    },
    calls={"import": Role.IMPORT, "callPackage": Role.IMPORT, "pkgs": Role.IMPORT},
    booleans=frozenset({"&&", "||", "->"}),
    absent={
        "cognitive_complexity": "not defined for Nix: all of a file is one expression",
        "class_count": "Nix has no classes",
        "struct_count": "Nix has no structs",
        "enum_count": "Nix has no enums",
        "trait_count": "Nix has no traits",
        "interface_count": "Nix has no interfaces",
        "exports": "a Nix file is one expression, and that is what it exports",
        "documentation_coverage": "Nix has nothing that is public by itself",
    },
    features={"with": "with", "rec": "recursive sets", "inherit": "inherit", "assert": "assertions"},
    shown=shown,
    name_of=name_of,
    is_public=None,
    imports_of=imports_of,
)
