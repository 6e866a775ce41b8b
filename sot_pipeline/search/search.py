"""One question over rows and vectors: which entries fit, where they stand, and whether that is still true.

Here the targets are asked and their answers put together. How scores become one ranking is
`fusion.py`, whether they lag behind the files is `freshness.py`, how the collections are asked is
`semantic.py`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from sot_pipeline.errors import RequirementMissing, UsageError
from sot_pipeline.plan import SKILL, RecordKey
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.search.answer import Lag, SearchAnswer, SearchHit, SearchMode, beside
from sot_pipeline.search.freshness import Freshness, LedgerNow, compare, look
from sot_pipeline.search.fusion import SEMANTIC_WEIGHT, Candidate, best_by_entry, fuse, ranked, share_of_best
from sot_pipeline.search.places import Place, lines_of
from sot_pipeline.search.semantic import Asked, Meanings, SemanticIndex, open_semantic_index
from sot_pipeline.search.snippet import snippet, words_in
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.vectors.kinds import CODE, CollectionId, Kind
from sot_pipeline.workspace import Project, Workspace

if TYPE_CHECKING:
    from sot_pipeline.search.code import CodeSearch
    from sot_pipeline.search.skills import SkillsNow

DEFAULT_LIMIT = 10
# How far down each list fusion looks. Min–max is as good as the minimum: with the 100 best chunks of
# 473 alone, hybrid fell behind BM25 (`benchmarks/search.py`: recall@5 .969 for .976 on skills).
CANDIDATES = 1_000
# Queries that are embedded, and whose matches are held, at a time: 50 MB at most.
QUERIES_AT_A_TIME = 16


@dataclass(frozen=True, slots=True)
class Searching:
    """Opened targets, ready to be asked. `mode` is what is searched in the end, `notes` say why.

    `file_types` are the ledgers that are searched, `skilled` the projects whose skills are ranked
    among them; `code` is asked besides where it was named.
    """

    projects: tuple[Project, ...]
    file_types: tuple[str, ...]
    mode: SearchMode
    semantic_weight: float
    deadline: Deadline
    database: Database
    semantic: SemanticIndex | None
    notes: tuple[str, ...]
    skilled: tuple[Project, ...] = ()
    code: CodeSearch | None = None

    def answers(self, queries: Sequence[str], *, limit: int = DEFAULT_LIMIT) -> Iterator[SearchAnswer]:
        """An answer for each query, in their order, with at most `limit` entries each.

        Everything in a query is text. Raises UsageError for a query without any, and whatever the
        targets raise.
        """
        queries = [_storable(query) for query in queries]
        if not all(query.strip() for query in queries):
            raise UsageError("The query is empty.", remedy="Say what to look for: sot search 'stale lock'.")
        for start in range(0, len(queries), QUERIES_AT_A_TIME):
            batch = queries[start : start + QUERIES_AT_A_TIME]
            answers = self._answers(batch, limit)
            yield from self._with_code(self.code, batch, answers, limit) if self.code else answers

    def lagging(self) -> tuple[Lag, ...]:
        """The ledgers in which any answer would lag behind the files."""
        return self._freshness(self._look(), self._meanings((), 1)).behind

    def lagging_skills(self) -> tuple[Lag, ...]:
        """The files of skills in which any answer would lag behind files or rows."""
        return tuple(lag for skills in self._skills(self._meanings((), 1)) for lag in skills.behind(()))

    def _answers(self, queries: Sequence[str], limit: int) -> Iterator[SearchAnswer]:
        ledgers = self._look()
        depth = max(CANDIDATES, limit) if self.mode.meaning else limit
        meanings = self._meanings(queries, depth)
        rankings = [
            self._rank(self._texts(query, depth), found, limit)
            for query, found in zip(queries, meanings.found, strict=True)
        ]
        freshness = self._freshness(ledgers, meanings)
        lines = lines_of(ledgers, self._recorded_lines, {found.key for ranking in rankings for found, _ in ranking})
        paths = {ledger.scope: ledger.spec.path for ledger in ledgers}
        skills = self._skills(meanings)

        for query, ranking in zip(queries, rankings, strict=True):
            found = [candidate for candidate, _ in ranking]
            places = {
                key: Place(paths[key[:2]], lines.get(key), key in lines and key not in freshness.stale)
                for key, *_ in found
                if key[:2] in paths
            }
            for each in skills:
                places |= each.places(found)
            lags = (each.behind([key.entry_id for key in places if each.has(key)]) for each in skills)
            words = words_in(query)
            hits = tuple(_hit(candidate, score, places[candidate.key], words) for candidate, score in ranking)
            yield SearchAnswer(hits, (*freshness.behind, *chain.from_iterable(lags)))

    def _with_code(
        self, code: CodeSearch, queries: Sequence[str], answers: Iterator[SearchAnswer], limit: int
    ) -> Iterator[SearchAnswer]:
        of_code = code.answers(queries, limit=limit, depth=max(CANDIDATES, limit))
        for answer, found in zip(answers, of_code, strict=True):
            yield beside(answer, found.hits, found.behind, limit)

    def _texts(self, query: str, depth: int) -> list[Candidate]:
        file_types = (*self.file_types, *[SKILL] * bool(self.skilled))
        if not self.mode.text or not file_types:
            return []
        found = self.database.search(
            query,
            project_ids=[project.id for project in self.projects],
            file_types=file_types,
            limit=depth,
            deadline=self.deadline,
        )
        return [Candidate(match.key, match.score, match.title, match.body) for match in found]

    def _meanings(self, queries: Sequence[str], depth: int) -> Meanings:
        ledgers = self.projects if self.file_types else ()
        asked = [Asked(CollectionId(project.id, Kind.DOCS), self.file_types) for project in ledgers]
        asked += [Asked(CollectionId(project.id, Kind.SKILLS), (SKILL,)) for project in self.skilled]
        if self.semantic is None or not asked:
            return Meanings(found=((),) * len(queries), held={})
        return self.semantic.ask(queries, asked, limit=depth, deadline=self.deadline)

    def _skills(self, meanings: Meanings) -> tuple[SkillsNow, ...]:
        if not self.skilled:
            return ()
        from sot_pipeline.search.skills import skills_now  # who has no skills need not wait for it

        return skills_now(self.database, self.skilled, meanings.held if self.semantic else None)

    def _rank(
        self, texts: Sequence[Candidate], meanings: Sequence[Candidate], limit: int
    ) -> list[tuple[Candidate, float]]:
        """The best entries with the chunk that shows why: where words matched, the one with the words."""
        known = {(project.id, spec.file_type) for project in self.projects for spec in project.ledgers}
        known |= {(project.id, SKILL) for project in self.skilled}
        by_text = best_by_entry(found for found in texts if found.key[:2] in known)
        by_meaning = best_by_entry(found for found in meanings if found.key[:2] in known)
        bm25 = {key: found.score for key, found in by_text.items()}
        cosine = {key: found.score for key, found in by_meaning.items()}
        if self.mode is SearchMode.HYBRID:
            scores = fuse(bm25, cosine, self.semantic_weight)
        else:
            scores = share_of_best(bm25) if self.mode.text else cosine
        best = by_meaning | by_text
        return [(best[key], score) for key, score in ranked(scores, limit)]

    def _look(self) -> tuple[LedgerNow, ...]:
        """The ledgers beside what they were indexed from, read before the search: never too good."""
        indexed_from = {
            (source.project_id, source.file_type): source
            for source in self.database.sources([project.id for project in self.projects], self.deadline)
        }
        return tuple(
            look(project, spec, indexed_from.get((project.id, spec.file_type)))
            for project in self.projects
            for spec in project.ledgers
            if spec.file_type in self.file_types
        )

    def _recorded_lines(self, ledger: LedgerNow) -> Mapping[str, int]:
        return self.database.lines(ledger.project.id, ledger.spec.file_type, self.deadline)

    def _freshness(self, ledgers: Sequence[LedgerNow], meanings: Meanings) -> Freshness:
        if (self.semantic is None or not ledgers) and all(ledger.unchanged for ledger in ledgers):
            return Freshness(stale=frozenset(), behind=())
        indexed: dict[RecordKey, str] = {}
        for project in self.projects:
            indexed |= self.database.indexed(project.id, self.deadline)
        searched = [indexed] * self.mode.text + [meanings.held] * self.mode.meaning
        return compare(ledgers, indexed, searched)


def _hit(found: Candidate, score: float, place: Place, words: Sequence[str]) -> SearchHit:
    return SearchHit(
        key=found.key,
        title=found.title,
        path=place.path,
        line=place.line,
        score=score,
        snippet=snippet(found.text, words),
        fresh=place.fresh,
    )


def _storable(query: str) -> str:
    """`query` without what no ledger can hold and no database takes: NUL, halves of surrogate pairs."""
    return query.replace("\0", " ").encode("utf-8", "replace").decode()


@contextmanager
def open_search(
    workspace: Workspace,
    projects: tuple[Project, ...],
    *,
    mode: SearchMode = SearchMode.HYBRID,
    file_types: Sequence[str] = (),
    deadline: Deadline,
) -> Iterator[Searching]:
    """Open what `mode` asks, for any number of queries; `file_types` empty means every ledger and all skills.

    Code is searched where `file_types` names "code": symbols by keyword, and where it is embedded
    chunks by meaning. A hybrid search without Qdrant is one by keyword, with a note. Raises
    UsageError for an unknown file_type, RequirementMissing where the mode's targets cannot be used.
    A database or a collection that was never synced is empty, and its answers are not fresh.
    """
    skilled = tuple(project for project in projects if project.skills and (not file_types or SKILL in file_types))
    elsewhere = {CODE, *[SKILL] * bool(skilled)}
    wanted = _file_types(projects, [name for name in file_types if name not in elsewhere])
    code_mode = _mode_of_code(projects, mode) if CODE in file_types else None
    if code_mode and set(file_types) == {CODE}:
        mode = code_mode
    if file_types and elsewhere.issuperset(file_types):
        wanted = ()
    notes: tuple[str, ...] = ()
    if workspace.qdrant is None and mode is SearchMode.HYBRID:
        mode = SearchMode.KEYWORD
        code_mode = code_mode and mode
        notes = ("Qdrant is not configured, so this is a keyword search (--mode keyword is that without a note).",)
    semantic = open_semantic_index(workspace, deadline) if mode.meaning else None
    weight = SEMANTIC_WEIGHT if workspace.semantic_weight is None else workspace.semantic_weight
    with Database(workspace.database_url) as database:
        searching = Searching(projects, wanted, mode, weight, deadline, database, semantic, notes, skilled)
        yield replace(searching, code=_open_code(searching, code_mode)) if code_mode else searching


def _mode_of_code(projects: Sequence[Project], mode: SearchMode) -> SearchMode:
    """How code is searched: by keyword alone where none is embedded. Raises RequirementMissing for `SEMANTIC` then."""
    if any(project.embeds_code for project in projects):
        return mode
    if mode is SearchMode.SEMANTIC:
        raise RequirementMissing(
            "Code is not embedded, so it has no meaning to search by.",
            remedy="Write embed = true under [project.code] in sot.toml and run sot code index --execute, or leave out "
            "--mode semantic: names are searched without.",
        )
    return SearchMode.KEYWORD


def _open_code(searching: Searching, mode: SearchMode) -> CodeSearch:
    from sot_pipeline.metrics import coded  # parsers: who searches ledgers need not wait for them
    from sot_pipeline.search.code import CodeSearch

    return CodeSearch(
        projects=coded(searching.projects),
        database=searching.database,
        deadline=searching.deadline,
        mode=mode,
        semantic=searching.semantic if mode.meaning else None,
        semantic_weight=searching.semantic_weight,
    )


def _file_types(projects: Sequence[Project], wanted: Sequence[str]) -> tuple[str, ...]:
    known = tuple(dict.fromkeys(spec.file_type for project in projects for spec in project.ledgers))
    for file_type in wanted:
        if file_type not in known:
            there_are = ", ".join(dict.fromkeys((*known, SKILL, CODE)))
            raise UsageError(f"Nothing searched has the type '{file_type}'.", remedy=f"There are: {there_are}.")
    return tuple(dict.fromkeys(wanted)) or known


def search(
    workspace: Workspace,
    projects: tuple[Project, ...],
    query: str,
    *,
    mode: SearchMode = SearchMode.HYBRID,
    file_types: Sequence[str] = (),
    limit: int = DEFAULT_LIMIT,
    deadline: Deadline,
) -> SearchAnswer:
    """The entries that fit `query` best; raises as `open_search` and `Searching.answers` do."""
    with open_search(workspace, projects, mode=mode, file_types=file_types, deadline=deadline) as searching:
        return next(searching.answers([query], limit=limit))
