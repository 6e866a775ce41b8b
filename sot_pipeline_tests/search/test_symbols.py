from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.search.symbols import Symbol, best_symbols, parts_of, symbol_from


def symbol(name: str, path: str = "a.py", parent: str | None = None, line: int = 1) -> Symbol:
    return Symbol(path, name, "function", parent, line)


def names(symbols: list[Symbol], query: str) -> list[str]:
    return [found.name for found, _ in best_symbols(symbols, query, 10)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("parse_ledger", ("parse", "ledger")),
        ("parseLedgerFile", ("parse", "ledger", "file")),
        ("HTTPServer", ("http", "server")),
        ("__init__", ("init",)),
        ("utf8_text2", ("utf8", "text2")),
        ("größe_ändern", ("größe", "ändern")),
        ("how do I parse?", ("how", "do", "i", "parse")),
        ("日本語", ("日本語",)),
        ("--", ()),
    ],
)
def test_names_are_read_as_people_read_them(text: str, parts: tuple[str, ...]) -> None:
    assert parts_of(text) == parts


def test_a_name_that_says_all_words_comes_first_whatever_its_case() -> None:
    found = names(
        [symbol("parse"), symbol("ParseLedger"), symbol("parse_ledger_file"), symbol("write")], "parse ledger"
    )

    assert found == ["ParseLedger", "parse_ledger_file", "parse"]


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    common = [symbol(f"get_{letter}", line=line) for line, letter in enumerate("abcdefgh", 1)]

    assert names([*common, symbol("fence")], "get fence")[0] == "fence"


def test_where_a_symbol_stands_counts_less_than_what_it_is_called() -> None:
    inside, named = symbol("close", parent="Shard"), symbol("Shard")

    assert [found for found, _ in best_symbols([inside, named], "shard", 10)] == [named, inside]
    assert inside.qualified == "Shard.close"


def test_beginnings_and_parts_of_words_are_found_too() -> None:
    assert names([symbol("configuration"), symbol("reconfigured"), symbol("figure")], "config") == [
        "configuration",
        "reconfigured",
    ]


@pytest.mark.parametrize("query", ["", "?!", "absent"])
def test_a_query_that_no_name_says_has_no_answer(query: str) -> None:
    assert best_symbols([symbol("parse")], query, 10) == []


def test_a_symbol_that_lacks_what_symbols_have_is_no_error() -> None:
    assert symbol_from("a.py", {"line": "x"}) == Symbol("a.py", "", "symbol", None, 1)


@given(st.lists(st.text(max_size=12), max_size=20), st.text(max_size=20))
def test_scores_are_shares_and_ordered(found: list[str], query: str) -> None:
    ranking = best_symbols([symbol(name, line=line) for line, name in enumerate(found, 1)], query, 5)

    scores = [score for _, score in ranking]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 + 1e-9 for score in scores)
    assert len(ranking) <= 5
