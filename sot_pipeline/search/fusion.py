"""Keyword and semantic scores made into one ranking. Pure.

Scores are fused, not ranks: how far the best entry is ahead of the second says more than that it
is ahead. Where the two lists come from is `search.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sot_pipeline.plan import K, RecordKey

# Share of the semantic score in a hybrid one. On 624 questions over real ledgers and 717 over real
# skill folders (recall@5 / MRR@10) this weight gave .784/.709 and .985/.957, BM25 alone .772/.707
# and .986/.957, the local embedder alone .659/.545 and .925/.826, rank fusion (RRF, k = 60)
# .740/.651 and .969/.919. `benchmarks/search.py` measures it again. A better embedder deserves
# more: `semantic_weight` under [search] in sot.toml.
SEMANTIC_WEIGHT = 0.2

# Digits that count: what differs less is a tie, so that rounding never decides an order.
SCORE_DIGITS = 6


class Candidate(NamedTuple):
    """A chunk of an entry that one of the indexes found, with that index's score (higher is better)."""

    key: RecordKey
    score: float
    title: str
    text: str


def best_by_entry(found: Iterable[Candidate]) -> dict[RecordKey, Candidate]:
    """The best chunk of each entry; of equal ones the first."""
    best: dict[RecordKey, Candidate] = {}
    for candidate in found:
        known = best.get(candidate.key)
        if known is None or candidate.score > known.score:
            best[candidate.key] = candidate
    return best


def share_of_best(scores: Mapping[K, float]) -> dict[K, float]:
    """BM25 scores as shares of the highest, 0 to 1; all 0 where none is positive."""
    highest = max(scores.values(), default=0.0)
    if highest <= 0:
        return dict.fromkeys(scores, 0.0)
    return {key: max(score, 0.0) / highest for key, score in scores.items()}


def between_extremes(scores: Mapping[K, float]) -> dict[K, float]:
    """Cosines spread over 0 (the lowest) to 1 (the highest); all 1 where they do not differ."""
    if not scores:
        return {}
    lowest, highest = min(scores.values()), max(scores.values())
    spread = highest - lowest
    if spread < 10**-SCORE_DIGITS:
        return dict.fromkeys(scores, 1.0)
    return {key: (score - lowest) / spread for key, score in scores.items()}


def fuse(
    keyword: Mapping[K, float], semantic: Mapping[K, float], semantic_weight: float = SEMANTIC_WEIGHT
) -> dict[K, float]:
    """Entry → (1 - weight) × BM25 / highest BM25 + weight × min–max cosine, 0 to 1.

    An entry that one of the lists does not hold has 0 there.
    """
    words, meaning = share_of_best(keyword), between_extremes(semantic)
    return {
        key: (1 - semantic_weight) * words.get(key, 0.0) + semantic_weight * meaning.get(key, 0.0)
        for key in dict.fromkeys((*words, *meaning))
    }


def ranked(scores: Mapping[RecordKey, float], limit: int) -> list[tuple[RecordKey, float]]:
    """The `limit` best entries, best first, scores rounded to `SCORE_DIGITS`; ties in order of their keys."""
    rounded = ((key, round(score, SCORE_DIGITS)) for key, score in scores.items())
    return sorted(rounded, key=lambda entry: (-entry[1], entry[0]))[:limit]
