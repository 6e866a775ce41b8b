"""What reading one ledger gives: entries as records, where they stand, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sot_pipeline.plan import Problem, Record
from sot_pipeline.workspace import LedgerSpec


@dataclass(frozen=True, slots=True)
class Truth:
    """How much a file defines: `unique` ids, and `entries`, which counts an id once a row or section."""

    unique: int
    entries: int


@dataclass(frozen=True, slots=True)
class ParsedLedger:
    """A ledger that could be read.

    `file_hash` is the SHA-256 (hex) of the file's bytes; `records` have unique keys, in order of
    first appearance; `lines` gives each entry's line in that file, counting from 1; `truth` is
    what META and summary should state.
    """

    spec: LedgerSpec
    file_hash: str
    records: tuple[Record, ...]
    lines: Mapping[str, int]
    problems: tuple[Problem, ...]
    truth: Truth


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A ledger that could not be read: what is derived from it stays as it was."""

    spec: LedgerSpec
    problem: Problem
