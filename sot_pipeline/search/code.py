"""Keyword search over the symbols of the code index: which definitions fit, and where they stand now.

How well a name fits is `symbols.py`. A hit is looked up in its file as it is now; whether the rest
of the index lags is told by comparing the hash of every source file with its row.
"""

from __future__ import annotations

from dataclasses import dataclass

from sot_pipeline.code.analyze import analyze
from sot_pipeline.code.languages import language_of
from sot_pipeline.code.text import text_of
from sot_pipeline.errors import FileUnusable
from sot_pipeline.plan import RecordKey
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.search.answer import CODE, Lag, SearchHit
from sot_pipeline.search.fusion import SCORE_DIGITS
from sot_pipeline.search.snippet import SNIPPET_CHARS
from sot_pipeline.search.symbols import Symbol, best_symbols, parts_of, symbol_from
from sot_pipeline.steps.code_sources import look, read_content
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.workspace import Project


@dataclass(frozen=True, slots=True)
class CodeSearch:
    """The code indexes of `projects`, ready to be asked."""

    projects: tuple[Project, ...]
    database: Database
    deadline: Deadline

    def hits(self, query: str, *, limit: int) -> list[SearchHit]:
        """The definitions whose names fit `query`, best first."""
        found: list[SearchHit] = []
        for project in self.projects:
            found += self._hits(project, query, limit)
        return sorted(found, key=lambda hit: (-hit.score, hit.key, hit.path, hit.line or 0))[:limit]

    def behind(self) -> tuple[Lag, ...]:
        """The source files that were added, changed or deleted since they were indexed."""
        lags: list[Lag] = []
        for project in self.projects:
            now = {path: source.content_hash for path, source in look(project, self.deadline).files.items()}
            then = self._index(project).fingerprints(CodeTable.FILES)
            lags += (Lag(project.id, path) for path in sorted({*now, *then}) if now.get(path) != then.get(path))
        return tuple(lags)

    def _index(self, project: Project) -> CodeIndex:
        return CodeIndex(self.database, project.id)

    def _hits(self, project: Project, query: str, limit: int) -> list[SearchHit]:
        files = self._index(project).symbols(parts_of(query), self.deadline)
        symbols = (symbol_from(file.path, stored) for file in files for stored in file.symbols)
        hashes = {file.path: file.content_hash for file in files}
        return [
            self._hit(project, symbol, score, hashes[symbol.path])
            for symbol, score in best_symbols(symbols, query, limit)
        ]

    def _hit(self, project: Project, symbol: Symbol, score: float, indexed_hash: str) -> SearchHit:
        line, text = self._place(project, symbol, indexed_hash)
        return SearchHit(
            key=RecordKey(project.id, CODE, symbol.qualified),
            title=f"{symbol.kind} {symbol.qualified}",
            path=symbol.path,
            line=line,
            score=round(score, SCORE_DIGITS),
            snippet=text.strip()[:SNIPPET_CHARS],
            fresh=line is not None,
        )

    def _place(self, project: Project, symbol: Symbol, indexed_hash: str) -> tuple[int | None, str]:
        """Where the symbol stands now and what that line says; None and nothing where it is gone."""
        language = language_of(symbol.path)
        try:
            content = read_content(project, symbol.path, self.deadline)
        except (OSError, FileUnusable):
            return None, ""
        line: int | None = symbol.line
        if content.content_hash != indexed_hash:
            line = _line_now(symbol, content.head, language or "")
        lines = text_of(content.head, language or "").content.split("\n")
        return line, lines[line - 1] if line and line <= len(lines) else ""


def _line_now(symbol: Symbol, data: bytes, language: str) -> int | None:
    """The line of the definition with that name nearest to where it was."""
    stored = analyze(symbol.path, data, language).file.symbols
    now = [symbol_from(symbol.path, each) for each in stored if isinstance(each, dict)]
    lines = [each.line for each in now if (each.kind, each.qualified) == (symbol.kind, symbol.qualified)]
    return min(lines, key=lambda line: abs(line - symbol.line), default=None)
