"""Is what a search reads still what the files say?

A file whose bytes are those that the rows were made from needs no more than its hash. Any other
file is parsed and compared entry by entry, so that an edit that changes no entry (line ends, META)
is no lag, and one that does is seen whatever it touched. What was indexed is read from the
targets themselves.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sot_pipeline.ledgers.model import ParsedLedger, Quarantined
from sot_pipeline.plan import RecordKey
from sot_pipeline.search.answer import Lag
from sot_pipeline.targets.database.model import Source
from sot_pipeline.workspace import LedgerSpec, Project

Hashes = Mapping[RecordKey, str]  # entry → content hash


@dataclass(frozen=True, slots=True)
class LedgerNow:
    """A ledger as its file is now.

    With `unchanged` it has the bytes that were indexed and was not parsed; else `read` is what
    parsing gave (None: there is no such file and none is declared).
    """

    project: Project
    spec: LedgerSpec
    unchanged: bool
    read: ParsedLedger | Quarantined | None

    @property
    def scope(self) -> tuple[str, str]:
        """Project id and file_type: what the keys of its entries begin with."""
        return (self.project.id, self.spec.file_type)


def look(project: Project, spec: LedgerSpec, indexed_from: Source | None) -> LedgerNow:
    """The ledger as it is now; parsed only where it is not what `indexed_from` says.

    A default ledger that never was is as unchanged as one can be.
    """
    file = project.root / spec.path
    if indexed_from is None and not spec.declared and not os.path.lexists(file):
        return LedgerNow(project, spec, unchanged=True, read=None)
    if indexed_from and indexed_from.intact and indexed_from.file_hash == _hash_of(file):
        return LedgerNow(project, spec, unchanged=True, read=None)
    from sot_pipeline.ledgers.read import read_ledger

    return LedgerNow(project, spec, unchanged=False, read=read_ledger(project, spec))


def _hash_of(file: Path) -> str | None:
    """SHA-256 (hex) of a file's bytes; None where there is no file that can be read."""
    if not file.is_file():
        return None
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How a search compares with the files.

    `stale` are the entries that an index holds in another version than the file does, or that the
    file holds no more; `behind` are the ledgers with such entries, with entries that an index
    lacks, or that cannot be read.
    """

    stale: frozenset[RecordKey]
    behind: tuple[Lag, ...]


def compare(ledgers: Iterable[LedgerNow], indexed: Hashes, searched: Iterable[Hashes]) -> Freshness:
    """How what was `searched`, each an index, compares with `ledgers`.

    `indexed` is what the full text holds: the truth about every ledger that is unchanged.
    """
    stale: set[RecordKey] = set()
    behind: list[Lag] = []
    indexes = [_by_ledger(index) for index in searched]
    truths = _by_ledger(indexed)
    for ledger in ledgers:
        truth = truths.get(ledger.scope, {}) if ledger.unchanged else _hashes_in(ledger)
        lags = isinstance(ledger.read, Quarantined)
        for index in indexes:
            held = index.get(ledger.scope, {})
            wrong = [key for key, content_hash in held.items() if truth.get(key) != content_hash]
            stale.update(wrong)
            lags = lags or bool(wrong) or not truth.keys() <= held.keys()
        if lags:
            behind.append(Lag(ledger.project.id, ledger.spec.path))
    return Freshness(frozenset(stale), tuple(behind))


def _hashes_in(ledger: LedgerNow) -> Hashes:
    """What the file says; nothing where it cannot be read, so that nothing from it counts as fresh."""
    records = ledger.read.records if isinstance(ledger.read, ParsedLedger) else ()
    return {record.key: record.content_hash for record in records}


def _by_ledger(index: Hashes) -> dict[tuple[str, str], dict[RecordKey, str]]:
    parts: dict[tuple[str, str], dict[RecordKey, str]] = {}
    for key, content_hash in index.items():
        parts.setdefault((key.project_id, key.file_type), {})[key] = content_hash
    return parts
