"""The words every room shares: record, key, fingerprint, plan, problem.

Pure values and one pure function, `diff`. No I/O, no clock and no knowledge of any target: a
plan is the difference between what should be and what a target says it has, and applying it
does exactly what it says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar, cast

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


# The file_type of skills, which share full text and answers with ledgers.
SKILL = "skill"


class RecordKey(NamedTuple):
    """Identity of a ledger entry everywhere: rows, points, search results."""

    project_id: str
    file_type: str
    entry_id: str

    def __str__(self) -> str:
        return f"{self.project_id}_{self.file_type}_{self.entry_id}"


@dataclass(frozen=True, slots=True)
class Record:
    """One ledger entry as every target stores it.

    `created_at` is the entry's own date (naive, UTC) or None where the entry states none.
    `content_hash` is `hash_record` of the other fields.
    """

    key: RecordKey
    title: str
    content: str
    metadata: Mapping[str, Json] = field(hash=False)
    created_at: datetime | None
    content_hash: str


# One encoder for all calls: making one costs as much as encoding an entry. What is encoded never holds itself.
_CANONICAL = json.JSONEncoder(check_circular=False, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical_json(value: Json | Mapping[str, Json]) -> str:
    """JSON with sorted keys and no white space: equal values give equal text."""
    return _CANONICAL.encode(value)


def hash_text(text: str) -> str:
    """First 16 hex characters of the SHA-256 of `text` in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hash_record(
    key: RecordKey, title: str, content: str, metadata: Mapping[str, Json], created_at: datetime | None
) -> str:
    """The content hash of an entry: 16 hex characters over a canonical JSON of every stored field.

    The project id is left out, so that the same entry has the same hash in every project.
    """
    when = created_at.isoformat() if created_at else None
    fields: list[Json] = [key.file_type, key.entry_id, title, content, dict(metadata), when]
    return hash_text(canonical_json(fields))


K = TypeVar("K", bound=Hashable)
K_co = TypeVar("K_co", bound=Hashable, covariant=True)


class Keyed(Protocol[K_co]):
    """Anything that can be planned: it has a key and the hash of what it holds."""

    @property
    def key(self) -> K_co:
        """What identifies it within its target."""
        ...

    @property
    def content_hash(self) -> str:
        """Fingerprint of everything it holds."""
        ...


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Plan(Generic[K, R]):
    """What applying would do to one target. `unchanged` counts records already right."""

    inserts: tuple[R, ...] = ()
    updates: tuple[R, ...] = ()
    deletes: tuple[K, ...] = ()
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        """True where applying changes nothing."""
        return not (self.inserts or self.updates or self.deletes)

    @property
    def upserts(self) -> tuple[R, ...]:
        """Inserts and updates, in that order."""
        return self.inserts + self.updates

    def counts(self) -> Counts:
        """The four numbers that every report prints."""
        return Counts(len(self.inserts), len(self.updates), len(self.deletes), self.unchanged)


class Counts(NamedTuple):
    """inserted, updated, deleted, unchanged: what a plan did or would do."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    def plus(self, other: Counts) -> Counts:
        """Field by field sum."""
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


KeyedT = TypeVar("KeyedT", bound="Keyed[Hashable]")


def diff(wanted: Iterable[KeyedT], present: Mapping[K, str]) -> Plan[K, KeyedT]:
    """Plan that turns `present` (key → fingerprint, as the target tells it) into `wanted`.

    Keys of `wanted` are unique; a key in `present` that nobody wants is deleted. Pure.
    """
    inserts: list[KeyedT] = []
    updates: list[KeyedT] = []
    unchanged = 0
    left = dict(present)
    for record in wanted:
        found = left.pop(cast("K", record.key), None)
        if found is None:
            inserts.append(record)
        elif found == record.content_hash:
            unchanged += 1
        else:
            updates.append(record)
    return Plan(tuple(inserts), tuple(updates), tuple(left), unchanged)


# A plan that deletes more than this share of a file's entries, and more than this many, is refused.
MASS_DELETE_SHARE = 0.20
MASS_DELETE_COUNT = 5


def is_mass_delete(deleted: int, present: int) -> bool:
    """True where deleting `deleted` of `present` entries of one file looks like a lost file."""
    return deleted > MASS_DELETE_COUNT and deleted > MASS_DELETE_SHARE * present


class Severity(StrEnum):
    """How bad a problem is: an error makes `sot sync` exit 1, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a source, as a value: which check, where, and what to do about it.

    `path` is relative to the project root with forward slashes; `line` counts from 1, as an
    editor does, and is None where the problem is the file itself.
    """

    check: str
    severity: Severity
    path: str
    line: int | None
    message: str
