"""The scanner against markdown-it-py: the same top-level ATX headings, whatever hides the others.

One difference is meant and left out: markdown-it-py lets a lone tag begin an HTML block right below
a link reference definition, where the specification sees a paragraph going on.
"""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sot_pipeline.ledgers.scan import scan

COMMONMARK = MarkdownIt("commonmark")

FRAGMENTS = st.sampled_from(
    [
        "",
        "",
        "   ",
        "text",
        "more text | with | pipes",
        "# one",
        "## BUILD-12 | 2026-01-01 | Title",
        " ### three ##",
        "   ## indented by three",
        "    ## indented code",
        "  ## indented by two",
        "     # five",
        "\t# tab",
        "#",
        "##\tafter a tab",
        "#no heading",
        "####### seven",
        "```",
        "```python",
        "``` a`b",
        "````",
        "  ```",
        "    ```",
        "~~~",
        "~~~ `x` ~~~",
        "~~~~~",
        "<!-- comment",
        "-->",
        "<!-- one line -->",
        "<!-- META",
        "text <!-- inline",
        "<div>",
        "</div>",
        "<b>bold</b>",
        "<span>",
        "</span>",
        '<a href="x">',
        "<pre>",
        "</pre>",
        "<script>",
        "</script> tail",
        "<?php",
        "?>",
        "<!DOCTYPE html>",
        "<![CDATA[",
        "]]>",
        "- item",
        "-   wide item",
        "-      code in an item",
        "-",
        "* star",
        "+ plus",
        "1. first",
        "10) tenth",
        "2. second",
        "  - nested",
        "    - deeper",
        "      ## in the nested item",
        "- ## heading in an item",
        "- ```",
        "  continued",
        "> quote",
        "> ## quoted",
        "> ```",
        "> - item in a quote",
        "---",
        "***",
        "- - -",
        "| a | b |",
        "|---|---|",
        "form\ffeed # no heading",
        "\f## after a form feed",
        "next\x85# no heading",
        "next\u2028# no heading",
        "\\# escaped",
    ]
)
DOCUMENTS = st.builds(
    lambda lines, end: "\n".join(lines) + end, st.lists(FRAGMENTS, max_size=14), st.sampled_from(["", "\n"])
)
RAW = st.text(alphabet=st.sampled_from(list("#`~<>!-*+1.) \t\na/?[]")), max_size=60)


def oracle(text: str) -> list[tuple[int, int]]:
    """(line from 0, level) of every top-level ATX heading."""
    return [
        (token.map[0], int(token.tag[1]))
        for token in COMMONMARK.parse(text)
        if token.type == "heading_open" and token.level == 0 and token.markup.startswith("#") and token.map
    ]


def found(text: str) -> list[tuple[int, int]]:
    data = text.encode()
    return [(data.count(b"\n", 0, heading.start), heading.level) for heading in scan(data).headings]


@settings(max_examples=400, deadline=None)
@given(DOCUMENTS)
@example("- item\n\n      ## code in the item\n## out")
@example("-\n\n  ## not in the empty item\n")
@example("- <div>\n  ## html in an item\n\n  ## heading in it\n ## out")
@example("- <!-- one line -->\n  <!--\n   ## hidden in an item\n  -->\n  ## in\n ## out")
@example("> <b>\n> text\n\n <b>\n ## hidden by the tag\n\n ## out")
@example("- ~~~\n  ## code\n  ~~~\n   ## in\n ## out")
@example("text\n===\n<b>\n ## hidden\n")
@example("text\n   -\n ## after an underline\n")
@example("text\n2. no list\n   ## out\n")
def test_headings_of_realistic_documents_are_the_oracles(text: str) -> None:
    assert found(text) == oracle(text)


@settings(max_examples=400, deadline=None)
@given(RAW)
def test_headings_of_raw_text_are_the_oracles(text: str) -> None:
    assert found(text) == oracle(text)
