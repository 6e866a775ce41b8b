"""Chunks: nothing is lost, limits hold, cuts fall where a reader would make them."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from sot_pipeline.targets.chunks import chunk_text, utf8_size

PIECES = ["# One", "## Two", "```", "~~~ py", "- item", "  - inner", "> quote", "| a | b |", "", " ", "\t", "1. x"]
PIECES += ["<!-- open", "-->", "[a]: /b", "===", "---", "    code", "éé e\u0301\u0301", "👩\u200d👩\u200d👧 日本語"]
MARKDOWN = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.text(max_size=40),
    ),
    max_size=30,
).map("\n".join)


def without_white(text: str) -> str:
    return "".join(text.split())


@given(MARKDOWN, st.integers(1, 60), st.one_of(st.none(), st.integers(4, 60)))
@settings(max_examples=300)
def test_no_character_is_lost_or_reordered_and_the_limit_holds(content: str, soft: int, hard: int | None) -> None:
    chunks = chunk_text(content, soft_chars=soft, hard_chars=hard, measure=utf8_size)

    assert without_white("".join(chunks)) == without_white(content)
    assert chunks
    assert hard is None or all(utf8_size(chunk) <= hard for chunk in chunks)
    assert chunks == chunk_text(content, soft_chars=soft, hard_chars=hard, measure=utf8_size)


@given(MARKDOWN, st.integers(1, 60))
def test_the_limit_holds_in_characters_too(content: str, hard: int) -> None:
    chunks = chunk_text(content, soft_chars=10, hard_chars=hard)

    assert all(len(chunk) <= hard for chunk in chunks)


def test_short_text_is_one_chunk_byte_for_byte() -> None:
    content = "  ## Heading\n\ntext\n\n"

    assert chunk_text(content, soft_chars=100, hard_chars=100) == [content]


def test_empty_text_is_one_empty_chunk() -> None:
    assert chunk_text("", soft_chars=10, hard_chars=10) == [""]
    assert chunk_text(" \n" * 50, soft_chars=10, hard_chars=10) == [""]


def test_long_text_is_cut_at_headings_and_small_neighbours_stay_together() -> None:
    content = "## A\naaaa\n## B\nbbbb\n## C\n" + "c" * 40

    assert chunk_text(content, soft_chars=24, hard_chars=None) == ["## A\naaaa\n## B\nbbbb", "## C\n" + "c" * 40]


def test_long_text_without_headings_stays_whole_below_the_hard_limit() -> None:
    content = "word " * 100

    assert chunk_text(content, soft_chars=50, hard_chars=None) == [content]
    assert chunk_text(content, soft_chars=50, hard_chars=1000) == [content]


def test_a_hash_in_a_fence_or_a_word_is_no_heading() -> None:
    content = "```sh\n# comment\n```\n#hashtag\n" + "x" * 50

    assert chunk_text(content, soft_chars=20, hard_chars=None) == [content]


def test_a_fence_closes_only_with_its_own_marks() -> None:
    content = "````\n```\n# inside\n~~~~\n# inside\n````\n# outside\ntext"

    assert chunk_text(content, soft_chars=20, hard_chars=None) == [
        "````\n```\n# inside\n~~~~\n# inside\n````",
        "# outside\ntext",
    ]


def test_a_heading_without_text_stays_with_what_follows() -> None:
    content = "intro text here\n## Part\n### First\n" + "f" * 30

    assert chunk_text(content, soft_chars=20, hard_chars=None) == ["intro text here", "## Part\n### First\n" + "f" * 30]


def test_beyond_the_hard_limit_blocks_stay_whole() -> None:
    content = (
        "First paragraph.\nIts second line.\n- item one\n- item two\n\n```py\na = 1\n\nb = 2\n```\n\nLast paragraph."
    )

    assert chunk_text(content, soft_chars=10, hard_chars=40) == [
        "First paragraph.\nIts second line.",
        "- item one\n- item two",
        "```py\na = 1\n\nb = 2\n```\n\nLast paragraph.",
    ]


def test_a_block_beyond_the_limit_is_cut_at_lines_then_spaces() -> None:
    content = "| a | b |\n| c | d |\n" + "word " * 6

    assert chunk_text(content, soft_chars=10, hard_chars=12) == [
        "| a | b |",
        "| c | d |",
        "word word",
        "word word",
        "word word",
    ]


def test_what_is_inside_a_list_or_quote_is_no_boundary() -> None:
    content = "- one\n  - inner\n\n    text\n- two\n\n> quote\n> - inner\n\nend of it"

    assert chunk_text(content, soft_chars=10, hard_chars=36) == [
        "- one\n  - inner\n\n    text\n- two",
        "> quote\n> - inner\n\nend of it",
    ]


def test_a_cut_never_separates_a_letter_from_its_accents() -> None:
    content = "e\u0301" * 30

    chunks = chunk_text(content, soft_chars=5, hard_chars=7)

    assert all(chunk.startswith("e") and chunk.endswith("\u0301") for chunk in chunks)


def test_hostile_text_is_cut_in_bounded_time() -> None:
    hostile = ["[" * 200_000, "> " * 100_000, "- " * 100_000, "<!--\n" * 40_000, "`" * 200_000, "```\n" * 50_001]
    hostile += ["a" * 400_000, "\n" * 200_000 + "x", "# \n" * 60_000, "|" * 200_000, "1. a\n  2. b\n" * 15_000]

    started = time.monotonic()
    for text in hostile:
        chunks = chunk_text(text, soft_chars=1600, hard_chars=8000, measure=utf8_size)
        assert without_white("".join(chunks)) == without_white(text)

    assert time.monotonic() - started < 20
