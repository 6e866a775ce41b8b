"""What a search answers, as values, and as the JSON document of the command line's contract. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sot_pipeline.plan import Json, RecordKey


class SearchMode(StrEnum):
    """Which of the two indexes a search asks."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    KEYWORD = "keyword"

    @property
    def text(self) -> bool:
        """True where the mode asks the full text."""
        return self in {SearchMode.HYBRID, SearchMode.KEYWORD}

    @property
    def meaning(self) -> bool:
        """True where the mode asks the collection."""
        return self in {SearchMode.HYBRID, SearchMode.SEMANTIC}


class Lag(NamedTuple):
    """A ledger that is not what was indexed; `path` is relative to the project root."""

    project_id: str
    path: str


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One entry found.

    `line` is where it stands in the file now, None where it stands there no more. `score` is 0 to
    1 in keyword mode (share of the best entry's BM25) and in hybrid mode (see `fusion.fuse`), and
    the cosine similarity, -1 to 1, in semantic mode. `fresh` is false where the file says
    something else about this entry than what was searched.
    """

    key: RecordKey
    title: str
    path: str
    line: int | None
    score: float
    snippet: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Entries, best first, and the ledgers in which the answer lags behind the files."""

    results: tuple[SearchHit, ...]
    behind: tuple[Lag, ...]

    @property
    def fresh(self) -> bool:
        """True where everything that was searched is what the files say."""
        return not self.behind and all(hit.fresh for hit in self.results)


def beside(answer: SearchAnswer, hits: Iterable[SearchHit], behind: Iterable[Lag], limit: int) -> SearchAnswer:
    """`answer` with what another index found for the same query: the `limit` best of both, best first."""
    results = sorted((*answer.results, *hits), key=lambda hit: -hit.score)
    return SearchAnswer(tuple(results[:limit]), (*answer.behind, *behind))


def answer_document(answer: SearchAnswer) -> dict[str, Json]:
    """The document of `sot search`; with `--batch` one a line."""
    return {
        "fresh": answer.fresh,
        "behind": list(dict.fromkeys(lag.path for lag in answer.behind)),
        "results": [_hit(hit) for hit in answer.results],
    }


def _hit(hit: SearchHit) -> Json:
    return {
        **hit.key._asdict(),
        "title": hit.title,
        "path": hit.path,
        "line": hit.line,
        "score": hit.score,
        "snippet": hit.snippet,
        "fresh": hit.fresh,
    }
