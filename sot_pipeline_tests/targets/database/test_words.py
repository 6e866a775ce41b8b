from __future__ import annotations

import itertools
import sqlite3
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.targets.database.stem import Stems, stem
from sot_pipeline.targets.database.words import names_in, query_words, weigh, words_of

ROOTS = """
a be cat hop fil tann agree troubl conflat siz fall hiss fail happy sky relat condition vali hesit digit conform radic
different vil analog viet predic operat feudal decisi hopeful callous formal sensitiv triplic form electr good reviv
allow infer airlin gyroscop adjust defens irrit replac adopt homolog communis activ angul effect bowdl rat ceas control
roll generous syzygy yyz ox
"""
ENDINGS = """
s es ies ed eed ing y ational tional enci anci izer abli alli entli eli ousli ization ation ator alism iveness fulness
ousness aliti iviti biliti icate ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent ion
sion tion ou ism ate iti ous ive ize e le ll lle bl iz at ly ology
"""


def fts5_terms(text: str) -> set[str]:
    """What SQLite's tokenizer makes of a text."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(body, tokenize = 'porter unicode61')")
    connection.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'row')")
    connection.execute("INSERT INTO t VALUES (?)", (text,))
    return {term for (term,) in connection.execute("SELECT term FROM v")}


def test_stems_are_those_of_sqlite() -> None:
    words = {
        root + "".join(ends)
        for root in ROOTS.split()
        for ends in [(), *itertools.product(ENDINGS.split(), ["", "s", "ed", "ly"])]
    }
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(body, tokenize = 'porter unicode61')")
    connection.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'instance')")
    connection.executemany("INSERT INTO t (rowid, body) VALUES (?, ?)", enumerate(sorted(words)))

    theirs = dict(connection.execute("SELECT doc, term FROM v"))

    assert {word: stem(word) for word in words} == {word: theirs[n] for n, word in enumerate(sorted(words))}


@given(st.text(string.ascii_lowercase, min_size=1, max_size=12))
def test_any_letters_stem_as_in_sqlite(word: str) -> None:
    assert {stem(word)} == fts5_terms(word)


def test_every_word_of_three_letters_stems_as_in_sqlite() -> None:
    words = ["".join(letters) for letters in itertools.product(string.ascii_lowercase, repeat=3)]
    assert {stem(word) for word in words} == fts5_terms(" ".join(words))


@pytest.mark.parametrize("word", ["据s", "éed", "füres", "größer", "naïveness", "数数ational", "x²s", "ñ" * 32 + "s"])
def test_letters_beyond_ascii_count_as_many_as_their_bytes(word: str) -> None:
    assert {stem(each) for each in words_of(word)} == fts5_terms(word)


@given(st.text(string.printable + "éüñÅ–→…数据“”", max_size=60))
def test_words_are_cut_as_in_sqlite(text: str) -> None:
    assert {stem(word) for word in words_of(text)} == fts5_terms(text)


def test_paths_and_ids_fall_apart_into_words() -> None:
    assert words_of("see docs/BUILD_HISTORY.md:412 (DEC-034)") == [
        "see",
        "docs",
        "build",
        "history",
        "md",
        "412",
        "dec",
        "034",
    ]


def test_query_words_are_distinct() -> None:
    assert query_words("Retry retry RETRY again") == ["retry", "again"]


def test_words_in_the_heading_weigh_three() -> None:
    assert weigh(["retries"], ["retry", "once", "retry"], Stems()) == {"retri": 5, "onc": 1}


def test_what_could_be_an_id_is_more_than_letters() -> None:
    assert names_in("Why (build-163)? See craft/kiln, testing and `DEC-7`.") == {"BUILD-163", "CRAFT/KILN", "DEC-7"}
