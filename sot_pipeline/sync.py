"""Bring the targets into agreement with the files: read → plan → apply → verify.

Each step is a function of its own, so that the command line (all steps of a mode) and Dagster
(one asset a step) run the same code. No Dagster and no printing here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sot_pipeline.ledgers.model import ParsedLedger, Quarantined
from sot_pipeline.plan import Counts, Problem, RecordKey
from sot_pipeline.workspace import Project


class Mode(StrEnum):
    """Which targets a sync reads and writes."""

    DOCS_ONLY = "docs-only"
    DB_ONLY = "db-only"
    QDRANT_ONLY = "qdrant-only"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class ParsedProject:
    """All ledgers of one project, read. `hash` covers the bytes of every ledger file."""

    project: Project
    ledgers: tuple[ParsedLedger, ...]
    quarantined: tuple[Quarantined, ...]
    problems: tuple[Problem, ...]
    hash: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the change table: what happens to which entry, and where it stands."""

    action: str  # "insert", "update", "delete"
    record: RecordKey
    title: str
    path: str
    line: int | None


@dataclass(frozen=True, slots=True)
class RowsOutcome:
    """What was (or would be) done to the rows."""

    counts: Counts
    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class VectorsOutcome:
    """What was (or would be) done to the points; counts are points, the other two texts."""

    counts: Counts
    embedded: int
    cached: int
    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadmeOutcome:
    """Whether the README's summary changes. `summary` is the text between the markers."""

    changed: bool
    summary: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Keys in which one target differs from the files (`database`, `full_text` or `vectors`)."""

    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """True where nothing is missing, extra or stale."""
        return not (self.missing or self.extra or self.stale)


@dataclass(frozen=True, slots=True)
class ProjectAgreement:
    """What `verify` found in one project. A target that is not configured is None."""

    project_id: str
    database: Disagreement | None
    vectors: Disagreement | None
    readme_stale: bool | None
    counts: dict[str, dict[str, int]] = field(default_factory=dict)  # file_type → target → entries
    problems: tuple[Problem, ...] = ()
