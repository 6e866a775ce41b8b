from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sot_pipeline.orchestration.escape import escape_markdown

MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")
HOSTILE = st.text(alphabet=st.sampled_from(list("<>&|`*_[]()!#~\\-+=:/\"'.\n\r\t ab1\u2028\u202e\x00")), max_size=60)


def cells(text: str) -> list[list[str]]:
    """The table that a renderer makes of one row with `text` in its middle cell, as literal text."""
    tokens = MARKDOWN.parse(f"| a | b | c |\n| --- | --- | --- |\n| left | {escape_markdown(text)} | right |")
    rows, row = [], []
    for token in tokens:
        if token.type == "inline":
            assert all(child.type == "text" or child.type == "text_special" for child in token.children or []), token
            row.append("".join(child.content for child in token.children or []))
        if token.type == "tr_close":
            rows.append(row)
            row = []
    return rows


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "![x](javascript:alert(1))",
        "[x](https://example.invalid)",
        "a | b | c",
        "two\nlines\r\nand more",
        "`code` **bold** ~~gone~~",
        "&lt;b&gt; & &#60;",
        "```",
        "\\| \\\\|",
        "<!-- comment",
    ],
)
def test_hostile_title_stays_one_cell_of_literal_text(text: str) -> None:
    assert cells(text) == [["a", "b", "c"], ["left", " ".join(text.split()), "right"]]


@given(HOSTILE | st.text(max_size=60))
def test_no_text_makes_markup_or_leaves_its_cell(text: str) -> None:
    head, row = cells(text)

    assert head == ["a", "b", "c"]
    assert (row[0], row[2]) == ("left", "right")


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u2028"), max_size=40))
def test_visible_text_is_kept_letter_for_letter(text: str) -> None:
    assert html.unescape(escape_markdown(text)) == text


def test_long_text_is_cut_and_says_so() -> None:
    assert escape_markdown("x" * 300, limit=10) == "x" * 9 + "…"


def test_direction_marks_and_control_characters_vanish() -> None:
    assert escape_markdown("a\u202eb\x07c") == "ab c"
