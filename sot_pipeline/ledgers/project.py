"""All ledgers of one project, read together: what the targets are compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from sot_pipeline.ledgers.model import ParsedLedger, Quarantined
from sot_pipeline.ledgers.read import read_ledger
from sot_pipeline.plan import Problem, Record, RecordKey, Severity
from sot_pipeline.workspace import Project


@dataclass(frozen=True)
class ParsedProject:
    """The ledgers that could be read and those that could not (`quarantined`)."""

    project: Project
    ledgers: tuple[ParsedLedger, ...]
    quarantined: tuple[Quarantined, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """Every entry of every readable ledger."""
        return tuple(record for ledger in self.ledgers for record in ledger.records)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong in the ledgers, file by file."""
        found = [problem for ledger in self.ledgers for problem in ledger.problems]
        return (*(ledger.problem for ledger in self.quarantined), *found)

    @property
    def parsed(self) -> dict[str, int]:
        """Entries by file_type."""
        return {ledger.spec.file_type: len(ledger.records) for ledger in self.ledgers}

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) over which ledgers there are and the bytes of each."""
        state = [f"{ledger.spec.file_type}={ledger.file_hash}" for ledger in self.ledgers]
        state += [f"{ledger.spec.file_type}!{ledger.problem.message}" for ledger in self.quarantined]
        return hashlib.sha256("\n".join(sorted(state)).encode()).hexdigest()

    @cached_property
    def paths(self) -> Mapping[str, str]:
        """file_type → path below the project root."""
        return {spec.file_type: spec.path for spec in self.project.ledgers}

    @cached_property
    def protected(self) -> frozenset[str]:
        """file_types whose derived data must stay as they are, because the file could not be read."""
        return frozenset(ledger.spec.file_type for ledger in self.quarantined)

    def line_of(self, key: RecordKey) -> int | None:
        """The line at which an entry stands now; None where it stands nowhere."""
        for ledger in self.ledgers:
            if ledger.spec.file_type == key.file_type:
                return ledger.lines.get(key.entry_id)
        return None


def read_project(project: Project) -> ParsedProject:
    """Read every ledger of `project`. A ledger that cannot be read is quarantined, never raised."""
    read = [read_ledger(project, spec) for spec in project.ledgers]
    return ParsedProject(
        project=project,
        ledgers=tuple(ledger for ledger in read if isinstance(ledger, ParsedLedger)),
        quarantined=tuple(ledger for ledger in read if isinstance(ledger, Quarantined)),
    )


def quarantine_lost(parsed: ParsedProject, derived: Collection[str]) -> ParsedProject:
    """`parsed` with every ledger quarantined that is gone while `derived` (file_types) still holds it.

    A default ledger whose file never was is simply not kept; one that was there and is gone is not
    to be taken for an empty one.
    """
    found = parsed.protected.union(ledger.spec.file_type for ledger in parsed.ledgers)
    lost = [spec for spec in parsed.project.ledgers if spec.file_type in derived and spec.file_type not in found]
    if not lost:
        return parsed
    gone = tuple(
        Quarantined(
            spec,
            Problem(
                check="entries_parse",
                severity=Severity.ERROR,
                path=spec.path,
                line=None,
                message="The ledger is gone, but entries derived from it are kept. Restore the file; to drop the "
                "entries, put an empty ledger in its place and sync with --allow-mass-delete.",
            ),
        )
        for spec in lost
    )
    return replace(parsed, quarantined=parsed.quarantined + gone)
