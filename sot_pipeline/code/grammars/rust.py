"""Rust's table."""

from __future__ import annotations

from tree_sitter import Node

from sot_pipeline.code.grammar import ANYTHING, JsonObject, Role, Table, field_name, text_of


def name_of(node: Node) -> str | None:
    """The name of an item; of an `impl`, that of its type; None for a module that another file holds."""
    if node.type == "impl_item":
        of = node.child_by_field_name("type")
        return text_of(of.child_by_field_name("type") or of) if of is not None else None
    if node.type == "mod_item" and node.child_by_field_name("body") is None:
        return None
    return field_name(node)


def is_public(node: Node, _: str) -> bool:
    """With any `pub`; what a trait declares and where methods are implemented is as public as the type."""
    if node.type == "impl_item":
        return True
    if any(child.type == "visibility_modifier" for child in node.children):
        return True
    body = node.parent
    return body is not None and body.parent is not None and body.parent.type == "trait_item"


def imports_of(node: Node) -> list[JsonObject]:
    """`use a::{b, c::d}` gives `a::b` and `a::c::d`; `mod x;` and `extern crate x` give `x`, marked as `mod`."""
    if node.type == "mod_item":
        return [] if node.child_by_field_name("body") is not None else [{"name": field_name(node), "mod": True}]
    if node.type == "extern_crate_declaration":
        return [{"name": field_name(node)}]
    found: list[JsonObject] = []
    left = [("", node.child_by_field_name("argument"))]
    for prefix, part in left:  # which grows meanwhile
        if part is None:
            continue
        if part.type in ("use_list", "scoped_use_list"):
            path = text_of(part.child_by_field_name("path"))
            below = f"{prefix}{path}::" if path else prefix
            parts = part.child_by_field_name("list") or part
            left += [(below, child) for child in parts.named_children]
        else:
            name = text_of(part.child_by_field_name("path") if part.type == "use_as_clause" else part)
            found.append({"name": f"{prefix}{name}".removesuffix("::self")})
    return found


def ways_of(arm: Node) -> int:
    """One for a pattern that is not `_`, one more for a guard."""
    pattern = arm.child_by_field_name("pattern")
    if pattern is None:
        return 1
    first = next(iter(pattern.children), None)
    is_default = first is not None and first.text in ANYTHING
    return (not is_default) + (pattern.child_by_field_name("condition") is not None)


TABLE = Table(
    title="Rust",
    package="tree-sitter-rust",
    nodes={
        "identifier": Role.OPERAND,
        "type_identifier": Role.OPERAND,
        "field_identifier": Role.OPERAND,
        "shorthand_field_identifier": Role.OPERAND,
        "primitive_type": Role.OPERAND,
        "self": Role.OPERAND,
        "super": Role.OPERAND,
        "crate": Role.OPERAND,
        "metavariable": Role.OPERAND,
        "mutable_specifier": Role.OPERATOR,
        "integer_literal": Role.LITERAL,
        "float_literal": Role.LITERAL,
        "char_literal": Role.LITERAL,
        "boolean_literal": Role.OPERAND,
        "string_literal": Role.STRING,
        "raw_string_literal": Role.STRING,
        "string_content": Role.CONTENT,
        "escape_sequence": Role.CONTENT,
        "line_comment": Role.COMMENT,
        "block_comment": Role.COMMENT,
        "shebang": Role.COMMENT,
        "function_item": Role.FUNCTION,
        "closure_expression": Role.LAMBDA,
        "struct_item": Role.STRUCT,
        "union_item": Role.STRUCT,
        "enum_item": Role.ENUM,
        "trait_item": Role.TRAIT,
        "impl_item": Role.IMPL,
        "mod_item": Role.MODULE,
        "type_item": Role.TYPE,
        "const_item": Role.CONSTANT,
        "static_item": Role.CONSTANT,
        "attribute_item": Role.ATTRIBUTE,
        "use_declaration": Role.IMPORT,
        "extern_crate_declaration": Role.IMPORT,
        "if_expression": Role.BRANCH,
        "else_clause": Role.ELSE,
        "for_expression": Role.LOOP,
        "while_expression": Role.LOOP,
        "loop_expression": Role.LOOP,
        "match_expression": Role.SWITCH,
        "match_arm": Role.CASE,
        "try_expression": Role.DECISION,
        "binary_expression": Role.BINARY,
        "let_chain": Role.BINARY,
        "break_expression": Role.JUMP,
        "continue_expression": Role.JUMP,
    },
    booleans=frozenset({"&&", "||"}),
    absent={"class_count": "Rust has no classes", "interface_count": "Rust's interfaces are traits"},
    features={
        "async": "async",
        "await": "async",
        "unsafe": "unsafe code",
        "macro_rules!": "macros",
        "match": "pattern matching",
        "?": "error propagation",
        "dyn": "trait objects",
        "impl": "implementations",
    },
    name_of=name_of,
    is_public=is_public,
    imports_of=imports_of,
    ways_of=ways_of,
    documents=(b"///", b"/**"),
)
