"""The tables of JSON, TOML, YAML and Markdown: lines, comments, top-level keys, headings; no program to measure."""

from __future__ import annotations

import re

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


# The scanners of YAML (0.7) and Markdown (0.5) keep a stack of open blocks in 1,024 bytes and write beyond them where
# some 250 blocks are open. A column of YAML opens two blocks at most: a key, and a sequence no further to the right.
_DEEP_YAML = re.compile(rb"^(?:[ \t]|[-?:](?=\s)){100}", re.MULTILINE)
# In Markdown two columns open a block, or a mark does; a tab is four columns. What is shorter opens less than 200.
_MARGIN = re.compile(rb"^[ \t>*+\-.)\d]{100,}", re.MULTILINE)
_LIST_MARK = re.compile(rb"[-+*.)](?=\s)")
_MOST_BLOCKS = 200


def is_deep_yaml(data: bytes) -> bool:
    """True where a line is indented, or begins sequences, as far as only deep nesting needs."""
    return _DEEP_YAML.search(data) is not None


def is_deep_markdown(data: bytes) -> bool:
    """True where a line is indented, quoted or listed as far as only deep nesting needs."""
    return any(_blocks(found.group()) >= _MOST_BLOCKS for found in _MARGIN.finditer(data))


def _blocks(margin: bytes) -> int:
    marks = margin.count(b">") + len(_LIST_MARK.findall(margin))
    return margin.count(b" ") // 2 + 2 * margin.count(b"\t") + marks


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
    is_beyond=is_deep_yaml,
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


_ASCII = bytes(byte if byte < 0x80 else ord("x") for byte in range(256))


def _ascii(text: bytes) -> bytes:
    """An `x` for each byte above 127: the scanner asks isdigit() of whole code points, which only takes bytes."""
    return text.translate(_ASCII)


MARKDOWN = Table(
    title="Markdown",
    is_beyond=is_deep_markdown,
    takes_any_text=True,
    shown=_ascii,
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
