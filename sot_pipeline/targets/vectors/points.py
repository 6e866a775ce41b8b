"""Records → points: their chunks, keys, ids and fingerprints. Pure.

What a collection stores for a point beside its vector is `payload.py`; engines stand in files of
their own.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from functools import cache

from sot_pipeline.plan import Record, RecordKey
from sot_pipeline.targets.chunks import CHARS_PER_TOKEN, chunk_text, shortened, utf8_size
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.store import Point

# The standard namespace, so that any program can compute the id of a point from its key alone.
POINT_NAMESPACE = uuid.NAMESPACE_URL

# A text is head, blank line, chunk; the tokenizer may add a mark at its start and its end.
AROUND_A_CHUNK = len("\n\n") + 2

_UTF8_WIDEST = 4  # bytes of a character at most (RFC 3629)


def point_key(record: RecordKey, chunk: int) -> str:
    """`{project_id}_{file_type}_{entry_id}#{chunk}`; chunks count from 0."""
    return f"{record.project_id}_{record.file_type}_{record.entry_id}#{chunk}"


def point_id(key: str) -> str:
    """Id of the point with this key: its UUIDv5 (RFC 9562) in `POINT_NAMESPACE`."""
    return str(uuid.uuid5(POINT_NAMESPACE, key))


def record_of_point(listed: str, collection: CollectionId) -> RecordKey:
    """The record a point of `collection` belongs to, from its key as `fingerprints` lists it.

    The kind of the collection says which file_types there are. Those of ledgers are lower case, so
    one ends before the entry id's prefix. (A prefix in lower case that itself holds a "_" cannot be
    told apart and is read as part of the file_type.) A point without a usable key belongs to no
    file_type: ("", its id).
    """
    found = _key_pattern(collection.kind).fullmatch(listed.removeprefix(f"{collection.project_id}_"))
    return RecordKey(collection.project_id, *(found.groups() if found else ("", listed)))


@cache
def _key_pattern(kind: Kind) -> re.Pattern[str]:
    """file_type and entry id in a key, behind its project. The chunk comes after the last "#": an id may hold more."""
    return re.compile(f"({kind.file_types})_(.*)#[0-9]+", re.DOTALL)


def listed_id(listed: str) -> str | int:
    """Id behind what `fingerprints` lists: a point's key (it holds a "#"), or an id as text."""
    if "#" in listed:
        return point_id(listed)
    return int(listed) if listed.isdecimal() else listed


def points_of(record: Record, path: str, *, chunk_tokens: int, max_tokens: int) -> tuple[Point, ...]:
    """The points of one entry, at least one.

    Entries longer than about `chunk_tokens` are cut at headings; no text has more than
    `max_tokens` tokens (UTF-8 bytes are counted, which a tokenizer cannot exceed). `path` is
    where the entry's ledger stands, relative to the project root.
    """
    head = shortened(record.title, max_tokens // 4)
    soft, hard = chunk_tokens * CHARS_PER_TOKEN, max_tokens - utf8_size(head) - AROUND_A_CHUNK
    chunks = [record.content]
    if len(record.content) > min(soft, hard // _UTF8_WIDEST):
        chunks = chunk_text(record.content, soft_chars=soft, hard_chars=hard, measure=utf8_size)
    texts = (f"{head}\n\n{chunk}" if head else chunk for chunk in chunks)
    return tuple(
        point_of(record.key, number, record.title, path, text, record.content_hash) for number, text in enumerate(texts)
    )


def point_of(record: RecordKey, chunk: int, title: str, path: str, text: str, entry_hash: str) -> Point:
    """The point of one chunk, with its key and its fingerprint."""
    key = point_key(record, chunk)
    fingerprint = fingerprint_of(key, record, chunk, title, path, text, entry_hash)
    return Point(key, record, chunk, title, path, text, entry_hash, fingerprint)


def fingerprint_of(key: str, record: RecordKey, chunk: int, title: str, path: str, text: str, entry_hash: str) -> str:
    """`{entry_hash}-` and 16 hex characters of the SHA-256 over every stored field but the vector's projection.

    Each field is preceded by its length (a netstring), so that no two payloads read the same. The
    entry's hash in front tells whoever lists fingerprints which version of each entry is there.
    """
    project, file_type, entry = record
    digest = hashlib.sha256(
        f"{len(key)}:{key}{len(project)}:{project}{len(file_type)}:{file_type}{len(entry)}:{entry}{chunk}:"
        f"{len(title)}:{title}{len(path)}:{path}{len(entry_hash)}:{entry_hash}{text}".encode()
    ).hexdigest()
    return f"{entry_hash}-{digest[:16]}"


def entry_hashes(listed: Mapping[str, str], collection: CollectionId) -> dict[RecordKey, str]:
    """Entry → content hash it was indexed with, from what `fingerprints` lists; "" where its chunks differ."""
    held: dict[RecordKey, str] = {}
    for key, fingerprint in listed.items():
        entry, found = record_of_point(key, collection), fingerprint.partition("-")[0]
        held[entry] = found if held.setdefault(entry, found) == found else ""
    return held
