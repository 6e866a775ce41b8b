from __future__ import annotations

import time
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.search.snippet import SNIPPET_CHARS, snippet, words_in

FILLER = "Nothing to see in this sentence at all. " * 20


def test_the_snippet_shows_where_the_words_stand_together() -> None:
    text = f"A lock somewhere. {FILLER} The stale lock is broken after ten minutes. {FILLER}"

    shown = snippet(text, words_in("stale lock broken"))

    assert "stale lock is broken" in shown
    assert shown.startswith("…") and shown.endswith("…")


def test_a_short_text_is_shown_whole() -> None:
    assert snippet("All of it.", ("it",)) == "All of it."


def test_words_are_not_cut() -> None:
    text = "alphabet " * 30 + "needle " + "omega " * 60

    words = snippet(text, ("needle",)).strip("…").split()

    assert "needle" in words
    assert set(words) <= {"alphabet", "needle", "omega"}


def test_words_that_stemming_makes_equal_are_found() -> None:
    assert "tests" in snippet(f"{FILLER} these tests run. {FILLER}", words_in("testing"))


def test_short_words_do_not_outweigh_the_one_that_matters() -> None:
    text = f"Why the hardware is as it is and what the parts are. {FILLER} The lease expired. {FILLER}"

    assert "lease expired" in snippet(text, words_in("why is the lease as it is"))


def test_a_word_is_not_found_inside_another() -> None:
    text = f"Hardware and software. {FILLER} They are here. {FILLER}"

    assert "They are here" in snippet(text, words_in("are"))


def test_markup_is_left_out() -> None:
    text = (
        "### BUILD-1 | Title\n\n- **Problem**: see [the page](docs/a.md) and `code`\n"
        "\n| a | b |\n|---|:-:|\n| one | two |\n```python\nx = snake_case * 2\n```\n<!-- hidden -->\n> quoted"
    )

    assert snippet(text, ("problem",)) == (
        "BUILD-1 Title Problem: see the page and code a b one two x = snake_case * 2 quoted"
    )


def test_white_space_and_control_characters_become_one_space() -> None:
    assert snippet("one\r\n\ttwo\x1b[31m\x00three\u2028four", ("two",)) == "one two [31m three four"


def test_a_text_without_spaces_is_cut_between_letters() -> None:
    text = "資料庫" * 200 + "鎖定" + "檔案" * 200

    shown = snippet(text, words_in("鎖定"))

    assert "鎖定" in shown
    assert len(shown) <= SNIPPET_CHARS + 2


def test_an_emoji_is_never_cut_in_two() -> None:
    family = "👩\u200d👩\u200d👧\u200d👦"
    text = family * 100

    shown = snippet(text, ()).strip("…")

    assert shown == family * (len(shown) // len(family))


def test_an_accent_stays_on_its_letter() -> None:
    text = "e\u0301" * 400

    shown = snippet(text, ()).strip("…")

    assert not unicodedata.combining(shown[0])
    assert len(shown) % 2 == 0


def test_a_match_in_markup_alone_still_gives_the_text_around_it() -> None:
    text = f"{FILLER} see [the page](docs/needle.md) for more. {FILLER}"

    assert "the page" in snippet(text, ("needle",))


def test_a_huge_chunk_costs_milliseconds() -> None:
    text = "lorem ipsum | dolor `sit` amet\n" * 60_000

    started = time.perf_counter()
    shown = snippet(text, ("dolor", "nowhere"))

    assert "dolor" in shown
    assert time.perf_counter() - started < 0.5


def test_empty_text_and_no_words_are_fine() -> None:
    assert snippet("", ("a",)) == ""
    assert snippet("", ()) == ""
    assert snippet("Some text.", ()) == "Some text."


@given(st.text(max_size=2_000), st.text(max_size=40), st.integers(20, 200))
def test_any_text_gives_one_short_printable_line(text: str, query: str, width: int) -> None:
    shown = snippet(text, words_in(query), width)

    assert len(shown) <= width + 2
    assert shown.splitlines() in ([], [shown])
    assert not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in shown)


@given(st.text(alphabet="ab \n*|`[]()#->", max_size=400), st.integers(20, 60))
def test_text_that_is_left_out_is_marked(text: str, width: int) -> None:
    shown = snippet(text, ("a",), width)

    letters = [letter for letter in text if letter in "ab"]
    if "…" not in shown and "](" not in text and "<!--" not in text:
        assert [letter for letter in shown if letter in "ab"] == letters
