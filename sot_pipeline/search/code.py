"""Search over the code index: definitions by their names, chunks of files by their meaning, and where they stand now.

How well a name fits is `symbols.py`, how the collections are asked `semantic.py`. A hit is looked
up in its file as it is now; whether the rest of the index lags is told by comparing the hash of
every source file with its row, and that of the row with its points.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sot_pipeline.code.analyze import analyze
from sot_pipeline.code.languages import language_of
from sot_pipeline.code.text import text_of
from sot_pipeline.errors import FileUnusable
from sot_pipeline.plan import RecordKey
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.search.answer import Lag, SearchHit, SearchMode
from sot_pipeline.search.freshness import Hashes
from sot_pipeline.search.fusion import SCORE_DIGITS, SEMANTIC_WEIGHT, Candidate, fuse
from sot_pipeline.search.semantic import Asked, Meanings, SemanticIndex
from sot_pipeline.search.snippet import SNIPPET_CHARS, snippet, words_in
from sot_pipeline.search.symbols import Symbol, best_symbols, parts_of, symbol_from
from sot_pipeline.steps.code_sources import Content, look, read_content
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.targets.database.code_texts import CodeTexts
from sot_pipeline.targets.vectors.kinds import CODE, CollectionId, Kind
from sot_pipeline.workspace import Project


class CodeAnswer(NamedTuple):
    """What the code index answers to one query, best first, and the source files in which it lags."""

    hits: tuple[SearchHit, ...]
    behind: tuple[Lag, ...]


class _Place(NamedTuple):
    """What is found: a definition, or (without a name, line 0) a file by one of its chunks."""

    project_id: str
    path: str
    name: str = ""
    line: int = 0


class _Found(NamedTuple):
    """A definition with the hash of its file when it was indexed, and how well its name fits."""

    symbol: Symbol
    indexed_hash: str
    score: float


@dataclass(frozen=True, slots=True)
class CodeSearch:
    """The code indexes of `projects`, ready to be asked.

    By meaning those are asked whose code is embedded; `semantic` is None where `mode` asks for no meaning.
    """

    projects: tuple[Project, ...]
    database: Database
    deadline: Deadline
    mode: SearchMode = SearchMode.KEYWORD
    semantic: SemanticIndex | None = None
    semantic_weight: float = SEMANTIC_WEIGHT

    def answers(self, queries: Sequence[str], *, limit: int, depth: int) -> Iterator[CodeAnswer]:
        """An answer for each query, in their order, of at most `limit` hits; `depth` is how far fusion looks."""
        meanings = self._meanings(queries, depth)
        behind = self._behind(meanings.held)
        for query, candidates in zip(queries, meanings.found, strict=True):
            yield CodeAnswer(self._hits(query, candidates, limit, depth if self.semantic else limit), behind)

    def behind(self) -> tuple[Lag, ...]:
        """The source files that were added, changed or deleted since they were indexed."""
        return self._behind(self._meanings((), 1).held)

    def _behind(self, held: Hashes) -> tuple[Lag, ...]:
        lags: list[Lag] = []
        for project in self.projects:
            now = {path: source.content_hash for path, source in look(project, self.deadline).files.items()}
            then = CodeIndex(self.database, project.id).fingerprints(CodeTable.FILES)
            changed = {path for path in {*now, *then} if now.get(path) != then.get(path)}
            lags += (Lag(project.id, path) for path in sorted(changed | self._without_points(project, held)))
        return tuple(lags)

    def _without_points(self, project: Project, held: Hashes) -> set[str]:
        """The files whose points are not those of their rows."""
        if not (self.semantic and project.embeds_code):
            return set()
        rows = {path: text.content_hash for path, text in CodeTexts(self.database, project.id).listed().items()}
        points = {key.entry_id: stored for key, stored in held.items() if key.project_id == project.id}
        return {path for path in {*rows, *points} if rows.get(path) != points.get(path)}

    def _meanings(self, queries: Sequence[str], depth: int) -> Meanings:
        if self.semantic is None:
            return Meanings(found=((),) * len(queries), held={})
        asked = [
            Asked(CollectionId(project.id, Kind.CODE), (CODE,)) for project in self.projects if project.embeds_code
        ]
        return self.semantic.ask(queries, asked, limit=depth, deadline=self.deadline)

    def _hits(self, query: str, candidates: Sequence[Candidate], limit: int, depth: int) -> tuple[SearchHit, ...]:
        found = self._symbols(query, depth) if self.mode.text else {}
        chunks = _by_place(candidates, found)
        names = {place: each.score for place, each in found.items()}
        meanings = {place: chunk.score for place, chunk in chunks.items()}
        scores = names or meanings
        if self.mode is SearchMode.HYBRID and self.semantic:
            scores = fuse(names, meanings, self.semantic_weight)
        best = sorted(scores.items(), key=lambda each: (-round(each[1], SCORE_DIGITS), each[0]))[:limit]
        words = words_in(query)
        return tuple(
            self._symbol_hit(place, found[place], score)
            if place in found
            else self._chunk_hit(place, chunks[place], score, words)
            for place, score in best
        )

    def _symbols(self, query: str, depth: int) -> dict[_Place, _Found]:
        """The definitions whose names fit best, of all projects."""
        found: dict[_Place, _Found] = {}
        for project in self.projects:
            files = CodeIndex(self.database, project.id).symbols(parts_of(query), self.deadline)
            hashes = {file.path: file.content_hash for file in files}
            symbols = (symbol_from(file.path, stored) for file in files for stored in file.symbols)
            for symbol, score in best_symbols(symbols, query, depth):
                place = _Place(project.id, symbol.path, symbol.qualified, symbol.line)
                found.setdefault(place, _Found(symbol, hashes[symbol.path], score))
        return found

    def _symbol_hit(self, place: _Place, found: _Found, score: float) -> SearchHit:
        symbol, line, text = found.symbol, None, ""
        content = self._content(place)
        if content:
            line = symbol.line
            if content.content_hash != found.indexed_hash:
                line = _line_now(symbol, content.head, language_of(symbol.path) or "")
            lines = _text(place, content).split("\n")
            text = lines[line - 1] if line and line <= len(lines) else ""
        return SearchHit(
            key=RecordKey(place.project_id, CODE, symbol.qualified),
            title=f"{symbol.kind} {symbol.qualified}",
            path=symbol.path,
            line=line,
            score=round(score, SCORE_DIGITS),
            snippet=text.strip()[:SNIPPET_CHARS],
            fresh=line is not None,
        )

    def _chunk_hit(self, place: _Place, chunk: Candidate, score: float, words: Sequence[str]) -> SearchHit:
        """A chunk stands where its text does; where nobody finds it any more, it says what was indexed."""
        content = self._content(place)
        text = chunk.text.partition("\n\n")[2]  # behind path and names
        start = _text(place, content).find(text) if content else -1
        return SearchHit(
            key=chunk.key,
            title=chunk.title,
            path=place.path,
            line=_text(place, content).count("\n", 0, start) + 1 if content and start >= 0 else None,
            score=round(score, SCORE_DIGITS),
            snippet=snippet(text, words),
            fresh=start >= 0,
        )

    def _content(self, place: _Place) -> Content | None:
        """The file as it is now, None where it cannot be read."""
        project = next(project for project in self.projects if project.id == place.project_id)
        try:
            return read_content(project, place.path, self.deadline)
        except (OSError, FileUnusable):
            return None


def _by_place(candidates: Iterable[Candidate], found: Mapping[_Place, _Found]) -> dict[_Place, Candidate]:
    """The best chunk of each definition of `found` that stands in one, and of each file where it holds none of them."""
    by_file: dict[tuple[str, str], list[_Place]] = {}
    for place in found:
        by_file.setdefault(place[:2], []).append(place)
    best: dict[_Place, Candidate] = {}
    for candidate in candidates:
        file = (candidate.key.project_id, candidate.key.entry_id)
        names = candidate.title.split(", ")
        for place in [place for place in by_file.get(file, ()) if place.name in names] or [_Place(*file)]:
            if place not in best or candidate.score > best[place].score:
                best[place] = candidate
    return best


def _text(place: _Place, content: Content) -> str:
    return text_of(content.head, language_of(place.path) or "").content


def _line_now(symbol: Symbol, data: bytes, language: str) -> int | None:
    """The line of the definition with that name nearest to where it was."""
    stored = analyze(symbol.path, data, language).file.symbols
    now = [symbol_from(symbol.path, each) for each in stored if isinstance(each, dict)]
    lines = [each.line for each in now if (each.kind, each.qualified) == (symbol.kind, symbol.qualified)]
    return min(lines, key=lambda line: abs(line - symbol.line), default=None)
