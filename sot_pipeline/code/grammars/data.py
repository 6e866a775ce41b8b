"""The tables of JSON, TOML, YAML and Markdown: lines, comments, top-level keys, headings; no program to measure."""

from __future__ import annotations

from tree_sitter import Node

from sot_pipeline.code.grammar import Role, Table, first_named, text_of


def key_of(node: Node) -> str | None:
    """The key of a pair, or of a table's header, without quotes."""
    text = text_of(node.child_by_field_name("key") or first_named(node))
    return text.strip("\"'") if text else None


def heading_of(node: Node) -> str | None:
    """A heading's text."""
    text = text_of(node.child_by_field_name("heading_content"))
    return text.strip().rstrip("#").strip() or None if text else None


JSON = Table(
    title="JSON",
    package="tree-sitter-json",
    is_data=True,
    nodes={
        "string": Role.STRING,
        "string_content": Role.CONTENT,
        "number": Role.LITERAL,
        "comment": Role.COMMENT,
        "pair": Role.KEY,
    },
    deepest_key=2,
    name_of=key_of,
)
TOML = Table(
    title="TOML",
    package="tree-sitter-toml",
    is_data=True,
    nodes={
        "string": Role.STRING,
        "comment": Role.COMMENT,
        "pair": Role.KEY,
        "table": Role.KEY,
        "table_array_element": Role.KEY,
    },
    deepest_key=1,
    name_of=key_of,
)
YAML = Table(
    title="YAML",
    package="tree-sitter-yaml",
    is_data=True,
    nodes={
        "plain_scalar": Role.LITERAL,
        "block_scalar": Role.LITERAL,
        "double_quote_scalar": Role.LITERAL,
        "single_quote_scalar": Role.LITERAL,
        "comment": Role.COMMENT,
        "block_mapping_pair": Role.KEY,
    },
    deepest_key=4,
    name_of=key_of,
)
MARKDOWN = Table(
    title="Markdown",
    package="tree-sitter-markdown",
    is_data=True,
    nodes={
        "inline": Role.LITERAL,
        "code_fence_content": Role.LITERAL,
        "atx_heading": Role.HEADING,
        "setext_heading": Role.HEADING,
    },
    name_of=heading_of,
)
