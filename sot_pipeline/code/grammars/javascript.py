"""JavaScript's table, and TypeScript's with and without JSX, which add types to it."""

from __future__ import annotations

from dataclasses import replace

from tree_sitter import Node

from sot_pipeline.code.grammar import JsonObject, Role, Table, field_name, first_named, text_of
from sot_pipeline.plan import Json

# A function or class without a name of its own has that of what it is assigned to: node kind → field.
_BINDINGS = {
    "variable_declarator": "name",
    "pair": "key",
    "assignment_expression": "left",
    "field_definition": "property",
    "public_field_definition": "name",
}
_VALUES = frozenset({"arrow_function", "function_expression", "generator_function", "class"})
_PRIVATE = frozenset({b"private", b"protected"})


def name_of(node: Node) -> str | None:
    """The node's name, or that of the variable, key, member or field it becomes; `default` where exported as that."""
    if node.type == "variable_declarator":
        return _variable(node)
    own = field_name(node)
    if node.type not in _VALUES or node.parent is None:
        return own
    if node.parent.type == "export_statement":
        return own or "default"
    bound = _BINDINGS.get(node.parent.type)
    return own if bound is None else text_of(node.parent.child_by_field_name(bound))


def _variable(node: Node) -> str | None:
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    is_plain = name is not None and name.type == "identifier" and (value is None or value.type not in _VALUES)
    return text_of(name) if is_plain else None


def is_public(node: Node, name: str) -> bool:
    """Exported where it is defined, or a member that is not private."""
    member, above = node, node.parent
    while above is not None and above.type not in ("program", "statement_block"):
        if above.type == "class_body":
            return not name.startswith("#") and not _is_private(member)
        if above.type == "export_statement" or (above.type == "assignment_expression" and _is_exports(above)):
            return True
        member, above = above, above.parent
    return False


def _is_private(member: Node) -> bool:
    return any(child.type == "accessibility_modifier" and child.text in _PRIVATE for child in member.children)


def _is_exports(assignment: Node) -> bool:
    target = text_of(assignment.child_by_field_name("left")) or ""
    return target.startswith(("module.exports", "exports."))


def imports_of(node: Node) -> list[JsonObject]:
    """`import`, `export … from`, `require("…")` and `import("…")` of a literal: `{name: "./x"}`."""
    source = node.child_by_field_name("source")
    if node.type == "call_expression":
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        called = function is not None and function.type in ("identifier", "import")
        source = first_named(arguments) if called and arguments is not None else None
    if source is None or source.type != "string":
        return []
    return [{"name": (text_of(source) or "")[1:-1]}]


def exports_of(node: Node) -> list[JsonObject]:
    """The names that one `export` or `module.exports =` gives to other modules; `*` for all of another module."""
    if node.type == "expression_statement":
        return _common_js(first_named(node))
    declaration = node.child_by_field_name("declaration")
    names: list[str | None] = []
    for child in node.children:
        if child.type == "default":
            return [{"name": "default"}]
        if child.type == "*":
            names.append("*")
        if child.type == "export_clause":
            names += [_specified(each) for each in child.named_children]
    if declaration is not None:
        variables = [each for each in declaration.named_children if each.type == "variable_declarator"]
        names += [field_name(each) for each in variables] or [field_name(declaration)]
    return [{"name": name} for name in names if name]


def _specified(specifier: Node) -> str | None:
    return text_of(specifier.child_by_field_name("alias") or specifier.child_by_field_name("name"))


def _common_js(assignment: Node | None) -> list[JsonObject]:
    if assignment is None or assignment.type != "assignment_expression" or not _is_exports(assignment):
        return []
    target = text_of(assignment.child_by_field_name("left")) or ""
    value = assignment.child_by_field_name("right")
    if target != "module.exports":
        return [{"name": target.rpartition(".")[2]}]
    if value is None or value.type != "object":
        return [{"name": "default"}]
    keys: list[Json] = [text_of(each.child_by_field_name("key") or each) for each in value.named_children]
    return [{"name": key} for key in keys]


JAVASCRIPT = Table(
    title="JavaScript",
    package="tree-sitter-javascript",
    nodes={
        "identifier": Role.OPERAND,
        "property_identifier": Role.OPERAND,
        "private_property_identifier": Role.OPERAND,
        "shorthand_property_identifier": Role.OPERAND,
        "shorthand_property_identifier_pattern": Role.OPERAND,
        "statement_identifier": Role.OPERAND,
        "number": Role.LITERAL,
        "regex": Role.LITERAL,
        "jsx_text": Role.LITERAL,
        "true": Role.OPERAND,
        "false": Role.OPERAND,
        "null": Role.OPERAND,
        "this": Role.OPERAND,
        "super": Role.OPERAND,
        "undefined": Role.OPERAND,
        "string": Role.STRING,
        "template_string": Role.STRING,
        "string_fragment": Role.CONTENT,
        "escape_sequence": Role.CONTENT,
        "comment": Role.COMMENT,
        "html_comment": Role.COMMENT,
        "hash_bang_line": Role.COMMENT,
        "function_declaration": Role.FUNCTION,
        "generator_function_declaration": Role.FUNCTION,
        "method_definition": Role.FUNCTION,
        "arrow_function": Role.FUNCTION,
        "function_expression": Role.FUNCTION,
        "generator_function": Role.FUNCTION,
        "class_declaration": Role.CLASS,
        "class": Role.CLASS,
        "variable_declarator": Role.CONSTANT,
        "decorator": Role.ATTRIBUTE,
        "import_statement": Role.IMPORT,
        "export_statement": Role.EXPORT,
        "call_expression": Role.CALL,
        "expression_statement": Role.CALL,
        "if_statement": Role.BRANCH,
        "else_clause": Role.ELSE,
        "for_statement": Role.LOOP,
        "for_in_statement": Role.LOOP,
        "while_statement": Role.LOOP,
        "do_statement": Role.LOOP,
        "switch_statement": Role.SWITCH,
        "switch_case": Role.CASE,
        "catch_clause": Role.HANDLER,
        "ternary_expression": Role.TERNARY,
        "binary_expression": Role.BINARY,
        "break_statement": Role.JUMP,
        "continue_statement": Role.JUMP,
    },
    calls={"require": Role.IMPORT, "import": Role.IMPORT, "module": Role.EXPORT, "exports": Role.EXPORT},
    booleans=frozenset({"&&", "||", "??"}),
    absent={
        "struct_count": "JavaScript has no structs",
        "enum_count": "JavaScript has no enums",
        "trait_count": "JavaScript has no traits",
        "interface_count": "JavaScript has no interfaces",
    },
    features={
        "async": "async",
        "await": "async",
        "yield": "generators",
        "=>": "closures",
        "class": "classes",
        "?.": "optional chaining",
        "...": "spread",
        "${": "template strings",
    },
    name_of=name_of,
    is_public=is_public,
    imports_of=imports_of,
    exports_of=exports_of,
    documents=(b"/**",),
)
TYPESCRIPT = replace(
    JAVASCRIPT,
    title="TypeScript",
    package="tree-sitter-typescript",
    factory="language_typescript",
    nodes={
        **JAVASCRIPT.nodes,
        "type_identifier": Role.OPERAND,
        "predefined_type": Role.OPERAND,
        "abstract_class_declaration": Role.CLASS,
        "interface_declaration": Role.INTERFACE,
        "enum_declaration": Role.ENUM,
        "type_alias_declaration": Role.TYPE,
        "internal_module": Role.MODULE,
        "module": Role.MODULE,
    },
    absent={"struct_count": "TypeScript has no structs", "trait_count": "TypeScript has no traits"},
    features={**JAVASCRIPT.features, "interface": "interfaces", "enum": "enums", "keyof": "type operators"},
)
TSX = replace(TYPESCRIPT, factory="language_tsx")
