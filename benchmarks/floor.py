"""The floor: the same work with nothing around it.

Read the file, hash every entry, compare with the stored hashes, write what differs in one batch.
No metadata, no full text, no embedding cache, no checks, no locks; the yardstick, not a peer.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import psycopg
import qdrant_edge
from counting import CountingEmbedder
from subject import Held, Setting, fingerprint

from sot_pipeline.runtime.deadline import Deadline

# The literal first characters, and no MULTILINE, make the search three times as fast.
_HEADING = re.compile(r"\n### (?P<id>\S+) \| .* \| (?P<title>.*)")
_POINTS_AT_A_TIME = 2_000

_TABLE = "CREATE TABLE floor_entries (id TEXT PRIMARY KEY, title TEXT, body TEXT, hash {blob})"
_UPSERT = "ON CONFLICT (id) DO UPDATE SET title = excluded.title, body = excluded.body, hash = excluded.hash"


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    title: str
    body: str
    hash: bytes

    @property
    def text(self) -> str:
        return f"{self.title}\n\n{self.body}"


class _Rows(Protocol):
    def hashes(self) -> dict[str, bytes]: ...
    def write(self, rows: Sequence[_Row], gone: Sequence[str]) -> None: ...
    def bodies(self) -> Iterable[tuple[str, str]]: ...
    def close(self) -> None: ...


class _SqliteRows:
    """Rows by executemany, in WAL mode."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        if not self._connection.execute("SELECT 1 FROM sqlite_master").fetchall():
            self._connection.execute(_TABLE.format(blob="BLOB"))

    def hashes(self) -> dict[str, bytes]:
        return dict(self._connection.execute("SELECT id, hash FROM floor_entries"))

    def write(self, rows: Sequence[_Row], gone: Sequence[str]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            f"INSERT INTO floor_entries VALUES (?, ?, ?, ?) {_UPSERT}",
            [(row.id, row.title, row.body, row.hash) for row in rows],
        )
        self._connection.executemany("DELETE FROM floor_entries WHERE id = ?", [(id_,) for id_ in gone])
        self._connection.execute("COMMIT")

    def bodies(self) -> Iterable[tuple[str, str]]:
        return self._connection.execute("SELECT id, body FROM floor_entries")

    def close(self) -> None:
        self._connection.close()


class _PostgresRows:
    """Rows by COPY into a temporary table and one INSERT … SELECT … ON CONFLICT."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self._connection.execute(_TABLE.format(blob="BYTEA").replace("TABLE", "TABLE IF NOT EXISTS"))

    def hashes(self) -> dict[str, bytes]:
        return dict(self._connection.execute("SELECT id, hash FROM floor_entries", binary=True).fetchall())

    def write(self, rows: Sequence[_Row], gone: Sequence[str]) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            if rows:
                cursor.execute("CREATE TEMP TABLE stage (LIKE floor_entries) ON COMMIT DROP")
                with cursor.copy("COPY stage FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(("text", "text", "text", "bytea"))
                    for row in rows:
                        copy.write_row((row.id, row.title, row.body, row.hash))
                cursor.execute(f"INSERT INTO floor_entries SELECT * FROM stage {_UPSERT}")
            if gone:
                cursor.execute("DELETE FROM floor_entries WHERE id = ANY(%s)", (list(gone),))

    def bodies(self) -> Iterable[tuple[str, str]]:
        return self._connection.execute("SELECT id, body FROM floor_entries").fetchall()

    def close(self) -> None:
        self._connection.close()


class _Points:
    """Points in a shard of the embedded engine that stays open."""

    def __init__(self, folder: Path, dimension: int) -> None:
        params = qdrant_edge.EdgeVectorParams(size=dimension, distance=qdrant_edge.Distance.Cosine)
        if folder.exists():
            self._shard = qdrant_edge.EdgeShard.load(str(folder))
        else:
            folder.mkdir()
            self._shard = qdrant_edge.EdgeShard.create(str(folder), qdrant_edge.EdgeConfig(vectors=params))

    def write(self, rows: Sequence[_Row], vectors: np.ndarray, gone: Sequence[str]) -> None:
        for start in range(0, len(rows), _POINTS_AT_A_TIME):
            end = start + _POINTS_AT_A_TIME
            batch = zip(rows[start:end], vectors[start:end].tolist(), strict=True)
            points = [
                qdrant_edge.Point(_point_id(row.id), vector, {"id": row.id, "title": row.title, "text": row.text})
                for row, vector in batch
            ]
            self._shard.update(qdrant_edge.UpdateOperation.upsert_points(points))
        if gone:
            self._shard.update(qdrant_edge.UpdateOperation.delete_points([_point_id(id_) for id_ in gone]))
        if len(rows) or gone:
            self._shard.flush()

    def held(self) -> Iterator[tuple[str, str]]:
        offset = None
        while True:
            request = qdrant_edge.ScrollRequest(offset, 5_000, with_payload=True)
            page, offset = self._shard.scroll(request)
            for point in page:
                payload = point.payload or {}
                yield str(payload["id"]), str(payload["text"])
            if offset is None:
                return

    def close(self) -> None:
        self._shard.close()


def _point_id(entry_id: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, entry_id))


class Floor:
    """The floor as a `Subject`."""

    def __init__(self, setting: Setting) -> None:
        self._embedder = CountingEmbedder(setting.dimension)
        url = setting.database_url
        path = Path(url.removeprefix("sqlite:///"))
        self._rows: _Rows = _SqliteRows(path) if url.startswith("sqlite") else _PostgresRows(url)
        self._points = _Points(setting.folder / "points", setting.dimension) if setting.vectors else None
        self._path = setting.ledger

    def sync(self) -> None:
        """See Subject."""
        stored, found = self._rows.hashes(), set()
        changed = []
        for row in _read(self._path):
            found.add(row.id)
            if stored.get(row.id) != row.hash:
                changed.append(row)
        gone = [id_ for id_ in stored if id_ not in found]
        if self._points and (changed or gone):
            vectors = self._embedder.embed([row.text for row in changed], Deadline.never())
            self._points.write(changed, vectors, gone)
        if changed or gone:
            self._rows.write(changed, gone)

    def embedded(self) -> int:
        """See Subject."""
        return self._embedder.texts

    def phases(self) -> dict[str, float]:
        """See Subject: it has none."""
        return {}

    def held(self) -> Held:
        """See Subject."""
        rows = {id_: fingerprint(body) for id_, body in self._rows.bodies()}
        points = {id_: fingerprint(text) for id_, text in self._points.held()} if self._points else None
        return Held(rows, points)

    def close(self) -> None:
        """See Subject."""
        self._rows.close()
        if self._points:
            self._points.close()


def _read(path: Path) -> Iterator[_Row]:
    text = path.read_text(encoding="utf-8")
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=True):
        body = text[heading.end() : end].strip().removesuffix("---").rstrip()
        yield _Row(heading["id"], heading["title"], body, hashlib.sha256(text[heading.start() : end].encode()).digest())
