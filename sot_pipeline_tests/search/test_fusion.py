from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.plan import RecordKey
from sot_pipeline.search.fusion import (
    SCORE_DIGITS,
    Candidate,
    best_by_entry,
    between_extremes,
    fuse,
    ranked,
    share_of_best,
)


def key(entry_id: str, file_type: str = "build_history", project_id: str = "demo") -> RecordKey:
    return RecordKey(project_id, file_type, entry_id)


A, B, C = key("BUILD-1"), key("BUILD-2"), key("BUILD-3")

keys = st.builds(
    RecordKey, st.sampled_from(["a", "b"]), st.sampled_from(["build_history", "debug_log"]), st.text(max_size=3)
)
bm25 = st.floats(min_value=0, max_value=1e6)
cosine = st.floats(min_value=-1, max_value=1)
keyword_scores = st.dictionaries(keys, bm25, max_size=12)
semantic_scores = st.dictionaries(keys, cosine, max_size=12)
weights = st.floats(min_value=0, max_value=1)


def test_weighted_scores_are_summed_as_documented() -> None:
    keyword = {A: 10.0, B: 5.0}
    semantic = {B: 0.9, C: 0.5, A: 0.1}

    fused = fuse(keyword, semantic, 0.2)

    assert fused == pytest.approx({A: 0.8, B: 0.8 * 0.5 + 0.2, C: 0.2 * 0.5})


def test_an_entry_that_only_one_list_holds_is_kept() -> None:
    assert fuse({A: 3.0}, {B: 0.4}, 0.2) == pytest.approx({A: 0.8, B: 0.2})


def test_the_best_chunk_decides_and_of_equal_ones_the_first() -> None:
    scores = [(A, 1.0, "first"), (B, 2.0, "only"), (A, 3.0, "best"), (A, 3.0, "as good")]
    chunks = [Candidate(entry, score, "Title", text) for entry, score, text in scores]

    assert best_by_entry(chunks) == {A: chunks[2], B: chunks[1]}


def test_ties_are_ordered_by_project_file_type_and_id() -> None:
    tied = [key("B", project_id="z"), key("A", "debug_log"), key("B"), key("A")]

    assert [entry for entry, _ in ranked(dict.fromkeys(tied, 0.5), 10)] == [
        key("A"),
        key("B"),
        key("A", "debug_log"),
        key("B", project_id="z"),
    ]


def test_a_difference_below_the_digits_that_count_is_a_tie() -> None:
    assert ranked({B: 0.5 + 1e-12, A: 0.5}, 2) == [(A, 0.5), (B, 0.5)]


def test_scores_of_zero_divide_nothing() -> None:
    assert share_of_best({A: 0.0, B: 0.0}) == {A: 0.0, B: 0.0}
    assert share_of_best({}) == {}
    assert between_extremes({A: 0.3}) == {A: 1.0}
    assert between_extremes({}) == {}


@given(keyword_scores, semantic_scores, weights)
def test_every_entry_comes_once_with_a_score_between_0_and_1(
    keyword: dict[RecordKey, float], semantic: dict[RecordKey, float], weight: float
) -> None:
    found = ranked(fuse(keyword, semantic, weight), 100)

    assert {entry for entry, _ in found} == keyword.keys() | semantic.keys()
    assert len(found) == len({entry for entry, _ in found})
    assert all(0 <= score <= 1 + 10**-SCORE_DIGITS and math.isfinite(score) for _, score in found)


@given(keyword_scores, semantic_scores, weights, st.randoms(), st.integers(0, 5))
def test_the_order_of_the_lists_never_changes_the_answer(
    keyword: dict[RecordKey, float],
    semantic: dict[RecordKey, float],
    weight: float,
    rng: random.Random,
    limit: int,
) -> None:
    words, meaning = list(keyword.items()), list(semantic.items())
    rng.shuffle(words)
    rng.shuffle(meaning)

    assert ranked(fuse(dict(words), dict(meaning), weight), limit) == ranked(fuse(keyword, semantic, weight), limit)


@given(keyword_scores)
def test_without_semantic_scores_the_order_is_bm25s(keyword: dict[RecordKey, float]) -> None:
    found = [entry for entry, _ in ranked(fuse(keyword, {}, 0.2), 100)]

    best = max(keyword.values(), default=1.0) or 1.0
    shares = [keyword[entry] / best for entry in found]
    assert all(a >= b - 10**-SCORE_DIGITS * 2 for a, b in pairwise(shares))


@given(keyword_scores, semantic_scores, weights, st.sampled_from([0.5, 2.0, 16.0]))
def test_the_scale_of_bm25_does_not_matter(
    keyword: dict[RecordKey, float], semantic: dict[RecordKey, float], weight: float, factor: float
) -> None:
    keyword = {entry: score for entry, score in keyword.items() if score > 1e-100}
    scaled = {entry: score * factor for entry, score in keyword.items()}

    assert fuse(scaled, semantic, weight) == pytest.approx(fuse(keyword, semantic, weight))
