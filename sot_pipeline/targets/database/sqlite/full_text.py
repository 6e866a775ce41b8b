"""The full text in SQLite: a table of chunks and an FTS5 index over it, kept in step by triggers.

The index holds no text of its own (external content), so a row deleted or changed by anybody
changes the index along with it. Ranking is FTS5's BM25.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from sot_pipeline.plan import RecordKey
from sot_pipeline.targets.database.engine import Document, Scored, scored
from sot_pipeline.targets.database.words import TITLE_WEIGHT

if TYPE_CHECKING:
    from sot_pipeline.targets.database.sqlite.engine import SqliteEngine

_TABLE = """
CREATE TABLE sot_fulltext (
    id INTEGER PRIMARY KEY, project_id TEXT NOT NULL, file_type TEXT NOT NULL, entry_id TEXT NOT NULL,
    chunk INTEGER NOT NULL, fingerprint TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL)
"""
_LOOKUP = "CREATE INDEX sot_fulltext_lookup ON sot_fulltext (project_id, file_type, entry_id, fingerprint)"
_INDEX = "sot_fulltext_index"
_INDEX_TABLE = f"""
CREATE VIRTUAL TABLE {_INDEX} USING fts5(
    entry_id, title, body, content = 'sot_fulltext', content_rowid = 'id', tokenize = 'porter unicode61')
"""
_ADD = (
    "INSERT INTO sot_fulltext_index (rowid, entry_id, title, body) VALUES (NEW.id, NEW.entry_id, NEW.title, NEW.body)"
)
_TAKE = (
    "INSERT INTO sot_fulltext_index (sot_fulltext_index, rowid, entry_id, title, body) "
    "VALUES ('delete', OLD.id, OLD.entry_id, OLD.title, OLD.body)"
)
# None on insert: a trigger takes twice as long as adding all new rows at once, and a row that somebody
# else inserts is missing in the index, which is_ready sees.
_TRIGGERS = {
    "sot_fulltext_deleted": f"AFTER DELETE ON sot_fulltext BEGIN {_TAKE}; END",
    # Nothing of ours updates these rows: whoever does leaves a row without fingerprint.
    "sot_fulltext_updated": (
        "AFTER UPDATE OF id, project_id, file_type, entry_id, chunk, title, body ON sot_fulltext BEGIN "
        f"{_TAKE}; {_ADD}; UPDATE sot_fulltext SET fingerprint = '' WHERE id = NEW.id; END"
    ),
}
# How large the index was when it was last written: FTS5 does not notice that blocks of it were lost.
_SEAL = "CREATE TABLE sot_fulltext_seal (size TEXT NOT NULL)"
_SIZE = "(SELECT count(*) || '/' || total(length(block)) FROM sot_fulltext_index_data)"
_OBJECTS = {
    "sot_fulltext": _TABLE,
    "sot_fulltext_seal": _SEAL,
    "sot_fulltext_lookup": _LOOKUP,
    _INDEX: _INDEX_TABLE,
} | {name: f"CREATE TRIGGER {name} {body}" for name, body in _TRIGGERS.items()}
# FTS5 keeps an index in four tables, and opens one that lacks some of them as if it were empty.
_PARTS = {*_OBJECTS, *(f"{_INDEX}_{part}" for part in ("data", "idx", "docsize", "config"))}
_DELETE = "DELETE FROM sot_fulltext WHERE (project_id, file_type, entry_id) = (?, ?, ?)"
_ADD_NEW = (
    "INSERT INTO sot_fulltext_index (rowid, entry_id, title, body) "
    "SELECT id, entry_id, title, body FROM sot_fulltext WHERE id > ?"
)
_INSERT = (
    "INSERT INTO sot_fulltext (project_id, file_type, entry_id, chunk, fingerprint, title, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)


class SqliteFullText:
    """`FullText` in the file that `engine` has open."""

    def __init__(self, engine: SqliteEngine) -> None:
        self._engine = engine

    def is_ready(self) -> bool:
        """See `FullText.is_ready`."""
        present = {name for (name,) in self._engine.query("SELECT name FROM sqlite_master")}
        if not present.issuperset(_PARTS):
            return False
        try:
            # One row of docsize a document, counted in the smallest b-tree that has them all.
            whole = self._engine.query(
                "SELECT (SELECT count(*) FROM sot_fulltext) = (SELECT count(*) FROM sot_fulltext_index_docsize), "
                f"{_SIZE} IS (SELECT size FROM sot_fulltext_seal)"
            )
        except sqlite3.DatabaseError:
            return False
        return whole == [(1, 1)]

    def prepare(self) -> None:
        """See `FullText.prepare`. The index is made anew from the table, the table is kept."""
        self._drop_index()
        for name in _TRIGGERS:
            self._engine.execute(f"DROP TRIGGER IF EXISTS {name}")
        for name, statement in _OBJECTS.items():
            if not self._engine.query("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)):
                self._engine.execute(statement)
        self._engine.execute(f"INSERT INTO {_INDEX} ({_INDEX}) VALUES ('rebuild')")
        self.finish()

    def _drop_index(self) -> None:
        try:
            self._engine.execute(f"DROP TABLE IF EXISTS {_INDEX}")
        except sqlite3.DatabaseError:
            # FTS5 must open a table to drop it. One that it cannot open is taken out of the schema,
            # and the ordinary tables that it kept its data in are dropped by themselves.
            self._engine.execute("PRAGMA writable_schema = ON")
            self._engine.execute("DELETE FROM sqlite_master WHERE name = ?", (_INDEX,))
            self._engine.execute("PRAGMA writable_schema = RESET")
            for (name,) in self._engine.query("SELECT name FROM sqlite_master WHERE name GLOB ?", (f"{_INDEX}_*",)):
                self._engine.execute(f"DROP TABLE {name}")

    def finish(self) -> None:
        """See `FullText.finish`: seals the index."""
        self._engine.execute("DELETE FROM sot_fulltext_seal")
        self._engine.execute(f"INSERT INTO sot_fulltext_seal SELECT {_SIZE}")

    def unsound(self, project_id: str) -> set[RecordKey]:
        """See `FullText.unsound`. FTS5 compares its index with the text, all or nothing."""
        try:
            self._engine.execute(f"INSERT INTO {_INDEX} ({_INDEX}, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            found = self._engine.query(
                "SELECT DISTINCT project_id, file_type, entry_id FROM sot_fulltext WHERE project_id = ?", (project_id,)
            )
            return {RecordKey(*cast("tuple[str, str, str]", row)) for row in found}
        return set()

    def replace(self, keys: Sequence[RecordKey], documents: Sequence[Document]) -> None:
        """See `FullText.replace`. An index too damaged to be written to is made anew on the way."""
        try:
            self._write(keys, documents)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self.prepare()
            self._write([*keys, *{RecordKey(*document[:3]) for document in documents}], documents)

    def _write(self, keys: Sequence[RecordKey], documents: Sequence[Document]) -> None:
        self._engine.execute_many(_DELETE, keys)
        newest = self._engine.query("SELECT coalesce(max(id), 0) FROM sot_fulltext")[0]
        self._engine.execute_many(_INSERT, documents)
        self._engine.execute(_ADD_NEW, cast("tuple[int]", newest))

    def search(
        self, words: Sequence[str], *, named: Collection[str], where: Mapping[str, Sequence[str]], limit: int
    ) -> list[Scored]:
        """See `FullText.search`. FTS5's bm25() is negative, the better the lower."""
        filters = [self._engine.among(f"t.{column}", values) for column, values in where.items()]
        naming, names = self._engine.among("upper(t.entry_id)", tuple(named))
        # A bare column beside min() comes from the row that has the minimum; bm25() itself works
        # only right on the index, hence two steps.
        sql = f"""
            WITH scored AS MATERIALIZED (
                SELECT rowid, bm25(sot_fulltext_index, {TITLE_WEIGHT}, {TITLE_WEIGHT}, 1) AS score
                FROM sot_fulltext_index WHERE sot_fulltext_index MATCH ?),
            found AS (
                SELECT t.id, t.project_id, t.file_type, t.entry_id, t.chunk, min(s.score) AS score, {naming} AS named
                FROM scored AS s JOIN sot_fulltext AS t ON t.id = s.rowid
                WHERE true {"".join(f" AND {condition}" for condition, _ in filters)}
                GROUP BY t.project_id, t.file_type, t.entry_id
                ORDER BY named DESC, round(min(s.score), 9), t.project_id, t.file_type, t.entry_id LIMIT ?)
            SELECT f.project_id, f.file_type, f.entry_id, f.chunk, -f.score, f.named, t.title, t.body
            FROM found AS f JOIN sot_fulltext AS t USING (id)
            ORDER BY f.named DESC, round(f.score, 9), f.project_id, f.file_type, f.entry_id
        """
        match = " OR ".join(f'"{word}"' for word in words)
        rows = self._engine.query(sql, (match, names, *(values for _, values in filters), limit))
        return [scored(row) for row in rows]


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """True where FTS5 says that its index contradicts itself or the table."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT
