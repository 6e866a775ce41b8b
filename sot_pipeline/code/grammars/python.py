"""Python's table."""

from __future__ import annotations

from tree_sitter import Node

from sot_pipeline.code.grammar import JsonObject, Role, Table, field_name, first_named, text_of
from sot_pipeline.plan import Json


def name_of(node: Node) -> str | None:
    """The name that a definition or a module-level assignment binds, None for targets of several names."""
    if node.type != "assignment":
        return field_name(node) if node.type != "type_alias_statement" else text_of(node.child_by_field_name("left"))
    target = node.child_by_field_name("left")
    return text_of(target) if target is not None and target.type == "identifier" else None


def imports_of(node: Node) -> list[JsonObject]:
    """`import a.b` gives `{name: "a.b"}`, `from .a import b, c` gives `{name: ".a", names: ["b", "c"]}`."""
    named = [_imported(child) for child in node.children_by_field_name("name")]
    if node.type == "import_statement":
        return [{"name": name} for name in named if name]
    is_future = node.type == "future_import_statement"
    module = "__future__" if is_future else text_of(node.child_by_field_name("module_name"))
    if any(child.type == "wildcard_import" for child in node.children):
        named = ["*"]
    return [{"name": module, "names": list[Json](named)}] if module else []


def _imported(node: Node) -> str | None:
    return text_of(node.child_by_field_name("name") if node.type == "aliased_import" else node)


def docstring_of(node: Node) -> Node | None:
    """The string that documents a module, class or function."""
    body = node if node.type == "module" else node.child_by_field_name("body")
    first = _first_statement(body) if body is not None else None
    if first is None or first.type != "expression_statement":
        return None
    string = first_named(first)
    return string if string is not None and string.type in ("string", "concatenated_string") else None


def _first_statement(body: Node) -> Node | None:
    for index in range(body.named_child_count):  # a list of all children would cost more than all else here
        child = body.named_child(index)
        if child is not None and child.type != "comment":
            return child
    return None


def parameters_of(node: Node) -> int | None:
    """How many arguments a caller can give: `self`, `cls`, `*` and `/` are none."""
    parameters = node.child_by_field_name("parameters")
    if parameters is None:
        return None
    given = [child for child in parameters.named_children if child.type not in _NO_PARAMETERS]
    return len(given) - bool(given and given[0].text in (b"self", b"cls"))


_NO_PARAMETERS = frozenset({"keyword_separator", "positional_separator", "comment"})

TABLE = Table(
    title="Python",
    package="tree-sitter-python",
    nodes={
        "identifier": Role.OPERAND,
        "integer": Role.LITERAL,
        "float": Role.LITERAL,
        "true": Role.OPERAND,
        "false": Role.OPERAND,
        "none": Role.OPERAND,
        "ellipsis": Role.OPERAND,
        "string": Role.STRING,
        "string_start": Role.CONTENT,
        "string_content": Role.CONTENT,
        "string_end": Role.CONTENT,
        "comment": Role.COMMENT,
        "line_continuation": Role.CONTENT,
        "function_definition": Role.FUNCTION,
        "lambda": Role.LAMBDA,
        "class_definition": Role.CLASS,
        "type_alias_statement": Role.TYPE,
        "assignment": Role.CONSTANT,
        "decorator": Role.ATTRIBUTE,
        "import_statement": Role.IMPORT,
        "import_from_statement": Role.IMPORT,
        "future_import_statement": Role.IMPORT,
        "if_statement": Role.BRANCH,
        "elif_clause": Role.ELIF,
        "else_clause": Role.ELSE,
        "for_statement": Role.LOOP,
        "while_statement": Role.LOOP,
        "match_statement": Role.SWITCH,
        "case_clause": Role.CASE,
        "except_clause": Role.HANDLER,
        "except_group_clause": Role.HANDLER,
        "conditional_expression": Role.TERNARY,
        "for_in_clause": Role.CLAUSE,
        "if_clause": Role.CLAUSE,
        "boolean_operator": Role.BINARY,
    },
    booleans=frozenset({"and", "or"}),
    absent={
        "struct_count": "Python has no structs",
        "enum_count": "Python's enums are classes",
        "trait_count": "Python has no traits",
        "interface_count": "Python's protocols are classes",
    },
    features={
        "async": "async",
        "await": "async",
        "yield": "generators",
        "lambda": "closures",
        "match": "pattern matching",
        "with": "context managers",
        "->": "type annotations",
        ":=": "assignment expressions",
        "@": "decorators",
    },
    name_of=name_of,
    imports_of=imports_of,
    docstring_of=docstring_of,
    parameters_of=parameters_of,
)
