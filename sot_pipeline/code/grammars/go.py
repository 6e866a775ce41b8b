"""Go's table."""

from __future__ import annotations

from tree_sitter import Node

from sot_pipeline.code.grammar import JsonObject, Role, Table, field_name, text_of


def name_of(node: Node) -> str | None:
    """The declared name; a struct's and an interface's is that of the type declaration around it."""
    if node.type in ("struct_type", "interface_type"):
        around = node.parent
        return field_name(around) if around is not None and around.type == "type_spec" else None
    if node.type == "type_spec":
        of = node.child_by_field_name("type")
        return None if of is not None and of.type in ("struct_type", "interface_type") else field_name(node)
    return field_name(node)


def is_public(_: Node, name: str) -> bool:
    """Exported names begin with a capital letter."""
    return name[:1].isupper()


def imports_of(node: Node) -> list[JsonObject]:
    """`{name: "os/exec"}` for one import of a declaration."""
    return [{"name": (text_of(node.child_by_field_name("path")) or "")[1:-1]}]


def parameters_of(node: Node) -> int | None:
    """Names in the parameter list, `a, b int` being two; an unnamed parameter is one."""
    parameters = node.child_by_field_name("parameters")
    if parameters is None:
        return None
    declared = [child for child in parameters.named_children if not child.is_extra]
    return sum(len(child.children_by_field_name("name")) or 1 for child in declared)


TABLE = Table(
    title="Go",
    package="tree-sitter-go",
    nodes={
        "identifier": Role.OPERAND,
        "type_identifier": Role.OPERAND,
        "field_identifier": Role.OPERAND,
        "package_identifier": Role.OPERAND,
        "label_name": Role.OPERAND,
        "blank_identifier": Role.OPERAND,
        "true": Role.OPERAND,
        "false": Role.OPERAND,
        "nil": Role.OPERAND,
        "iota": Role.OPERAND,
        "int_literal": Role.LITERAL,
        "float_literal": Role.LITERAL,
        "imaginary_literal": Role.LITERAL,
        "rune_literal": Role.LITERAL,
        "interpreted_string_literal": Role.STRING,
        "raw_string_literal": Role.STRING,
        "interpreted_string_literal_content": Role.CONTENT,
        "raw_string_literal_content": Role.CONTENT,
        "escape_sequence": Role.CONTENT,
        "comment": Role.COMMENT,
        "function_declaration": Role.FUNCTION,
        "method_declaration": Role.FUNCTION,
        "func_literal": Role.LAMBDA,
        "struct_type": Role.STRUCT,
        "interface_type": Role.INTERFACE,
        "type_spec": Role.TYPE,
        "type_alias": Role.TYPE,
        "const_spec": Role.CONSTANT,
        "var_spec": Role.CONSTANT,
        "import_spec": Role.IMPORT,
        "if_statement": Role.BRANCH,
        "for_statement": Role.LOOP,
        "expression_switch_statement": Role.SWITCH,
        "type_switch_statement": Role.SWITCH,
        "select_statement": Role.SWITCH,
        "expression_case": Role.CASE,
        "type_case": Role.CASE,
        "communication_case": Role.CASE,
        "binary_expression": Role.BINARY,
        "goto_statement": Role.JUMP,
        "break_statement": Role.JUMP,
        "continue_statement": Role.JUMP,
    },
    words={"else": Role.ELSE_WORD},
    booleans=frozenset({"&&", "||"}),
    absent={
        "class_count": "Go has no classes",
        "enum_count": "Go has no enums",
        "trait_count": "Go has no traits",
    },
    features={
        "go": "goroutines",
        "chan": "channels",
        "<-": "channels",
        "select": "channels",
        "defer": "defer",
        "interface": "interfaces",
        "fallthrough": "fallthrough",
    },
    name_of=name_of,
    is_public=is_public,
    imports_of=imports_of,
    parameters_of=parameters_of,
    documents=(b"//", b"/*"),
)
