"""The table of shell scripts, read as Bash."""

from __future__ import annotations

import re

from tree_sitter import Node

from sot_pipeline.code.grammar import JsonObject, Role, Table, text_of


def imports_of(node: Node) -> list[JsonObject]:
    """`source ./x.sh` and `. ./x.sh` give the path as it is written."""
    argument = node.child_by_field_name("argument")
    return [{"name": (text_of(argument) or "").strip("\"'")}] if argument is not None else []


# An unfinished pipeline takes memory by the square of its length: 10,000 commands more than a gigabyte.
_LONGEST_PIPELINE = 2_000
_CONTINUED = re.compile(rb"\|\s*(?:#.*)?\n\s*")


def is_endless_pipeline(data: bytes) -> bool:
    """True where a line, continued after each `|` at its end, has more commands than anybody writes."""
    if data.count(b"|") <= _LONGEST_PIPELINE:
        return False
    return any(line.count(b"|") > _LONGEST_PIPELINE for line in _CONTINUED.sub(b"|", data).split(b"\n"))


TABLE = Table(
    title="Bash",
    is_beyond=is_endless_pipeline,
    package="tree-sitter-bash",
    nodes={
        "word": Role.OPERAND,
        "variable_name": Role.OPERAND,
        "special_variable_name": Role.OPERAND,
        "extglob_pattern": Role.OPERAND,
        "file_descriptor": Role.OPERAND,
        "test_operator": Role.OPERATOR,
        "number": Role.LITERAL,
        "regex": Role.LITERAL,
        "raw_string": Role.LITERAL,
        "ansi_c_string": Role.LITERAL,
        "string": Role.STRING,
        "translated_string": Role.STRING,
        "heredoc_body": Role.STRING,
        "string_content": Role.CONTENT,
        "heredoc_content": Role.CONTENT,
        "heredoc_start": Role.CONTENT,
        "heredoc_end": Role.CONTENT,
        "comment": Role.COMMENT,
        "function_definition": Role.FUNCTION,
        "command": Role.CALL,
        "if_statement": Role.BRANCH,
        "elif_clause": Role.ELIF,
        "else_clause": Role.ELSE,
        "for_statement": Role.LOOP,
        "c_style_for_statement": Role.LOOP,
        "while_statement": Role.LOOP,
        "case_statement": Role.SWITCH,
        "case_item": Role.CASE,
        "ternary_expression": Role.TERNARY,
        "list": Role.BINARY,
        "binary_expression": Role.BINARY,
    },
    calls={"source": Role.IMPORT, ".": Role.IMPORT},
    booleans=frozenset({"&&", "||"}),
    is_adapted=True,
    absent={
        "class_count": "Bash has no classes",
        "struct_count": "Bash has no structs",
        "enum_count": "Bash has no enums",
        "trait_count": "Bash has no traits",
        "interface_count": "Bash has no interfaces",
        "exports": "a Bash script exports variables to processes, nothing to other files",
    },
    features={"<<": "here documents", "[[": "extended tests", "|": "pipelines", "<(": "process substitution"},
    imports_of=imports_of,
    documents=(b"#",),
)
