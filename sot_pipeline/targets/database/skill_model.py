"""Skills as the database has them, and what a sync keeps about them, as values. No SQL here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sot_pipeline.skills.model import Fields, File, Move, Skill


@dataclass(frozen=True, slots=True)
class StoredSkill:
    """A row of `skills` with its members; not yet a document, which rendering makes of it.

    `template` is SKILL.md before the `body`, `files` are the others, by path below the folder.
    `row_version` is what the row had when it was read, and what it is expected to have when it is
    written again. With a `problem` the row cannot be used; the rest is what could be read of it.
    """

    uid: str
    path: str
    fields: Fields = field(default_factory=Fields)
    template: bytes = b""
    body: str = ""
    files: Mapping[str, File] = field(default_factory=dict)
    executable: bool = False
    row_version: int = 0
    problem: str | None = None


class Version(NamedTuple):
    """Where a row says its skill is, and its row version."""

    path: str
    row_version: int


class Base(NamedTuple):
    """What was last agreed on: folder, row version then, and `Skill.folder_hash`."""

    path: str
    row_version: int
    folder_hash: str


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch.

    `versions`: uid → row version, of every skill that was inserted or updated. `deleted`: uids that
    are no longer there. `moved`: uids left as they are because the row is not the one that was
    expected, or its path is somebody else's. `refused`: uid → what of it neither database can hold.
    """

    versions: Mapping[str, int]
    deleted: frozenset[str]
    moved: frozenset[str]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a sync changes in the database, all or nothing but for rows that somebody else changed meanwhile.

    `deletes`: uid → row version. `agreed`: what is then agreed on; `seen`: with which row
    version, where it is not the one that this batch gives the row. `buried`: uid → side where it was
    deleted first. `moves` are begun when it is committed, and `finished` ones forgotten; `arrived`:
    uid → where the folder is now that was agreed on elsewhere; of `forgotten` nothing was agreed on.
    """

    inserts: Sequence[StoredSkill] = ()
    updates: Sequence[StoredSkill] = ()
    deletes: Mapping[str, int] = field(default_factory=dict)
    agreed: Mapping[str, Skill] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)
    buried: Mapping[str, str] = field(default_factory=dict)
    moves: Sequence[Move] = ()
    finished: Collection[str] = ()
    arrived: Mapping[str, str] = field(default_factory=dict)
    forgotten: Collection[str] = ()


class Tombstone(NamedTuple):
    """A skill that was deleted: where it last was, when (naive UTC), and on which side first."""

    path: str
    deleted_at: datetime
    side: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """One thing that files (ours) and database (theirs) both changed since `base`.

    The texts are the values, for people; the bytes the whole file that they stand in. None where a
    side has none. `uid` is "" where the database has no such skill.
    """

    uid: str
    path: str
    field: str
    base: str | None
    ours: str | None
    theirs: str | None
    base_bytes: bytes | None = None
    ours_bytes: bytes | None = None
    theirs_bytes: bytes | None = None


@dataclass(frozen=True, slots=True)
class StoredConflict:
    """A row of `skill_conflicts`. It is open until `resolved_at` (naive UTC).

    An open one with a `resolution` was decided, and the next sync does it: "ours", "theirs", or
    "file", the bytes of which are `chosen`.
    """

    conflict: Conflict
    found_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    chosen: bytes | None
