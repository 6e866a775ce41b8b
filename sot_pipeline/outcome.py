"""What a sync or a verification found and did, as values. Nothing here computes or prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sot_pipeline.errors import EXIT_CONFLICTS, EXIT_DISAGREE, EXIT_OK, EXIT_PROBLEMS, SotError
from sot_pipeline.plan import Counts, Json, K, KeyedT, Plan, Problem, RecordKey, Severity


class Mode(StrEnum):
    """Which targets a sync reads and writes."""

    DOCS_ONLY = "docs-only"
    DB_ONLY = "db-only"
    QDRANT_ONLY = "qdrant-only"
    FULL = "full"
    # What a watcher writes where Qdrant is not configured, or is away; no flag asks for it.
    WITHOUT_VECTORS = "without-vectors"

    @property
    def database(self) -> bool:
        """True where the mode opens the database: for rows, cache, activity or leases."""
        return self is not Mode.DOCS_ONLY

    @property
    def rows(self) -> bool:
        """True where the mode covers the database."""
        return self in {Mode.DB_ONLY, Mode.FULL, Mode.WITHOUT_VECTORS}

    @property
    def vectors(self) -> bool:
        """True where the mode covers the collection."""
        return self in {Mode.QDRANT_ONLY, Mode.FULL}

    @property
    def readme(self) -> bool:
        """True where the mode covers the README."""
        return self in {Mode.FULL, Mode.WITHOUT_VECTORS}


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the change table: what happens to which entry, and where it stands.

    `action` is "insert", "update" or "delete"; a deleted entry stands nowhere, so its line is None.
    """

    action: str
    record: RecordKey
    title: str
    path: str
    line: int | None


@dataclass(frozen=True, slots=True)
class RowsOutcome:
    """What was, or without `execute` would be, done to the rows."""

    counts: Counts
    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class VectorsOutcome:
    """What was, or would be, done to the points: `counts` are points, the other two texts."""

    counts: Counts
    embedded: int
    cached: int
    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def document(self) -> dict[str, Json]:
        """The counts in the words of the JSON documents."""
        return {**self.counts._asdict(), "embedded": self.embedded, "cached": self.cached}


@dataclass(frozen=True, slots=True)
class ReadmeOutcome:
    """Whether the README's summary changes; `summary` is the text between the markers."""

    changed: bool
    summary: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectOutcome:
    """One project's part of a sync. Targets outside the mode are None; `seconds` is per phase."""

    project_id: str
    parsed: Mapping[str, int]
    problems: tuple[Problem, ...]
    database: RowsOutcome | None = None
    vectors: VectorsOutcome | None = None
    readme: ReadmeOutcome | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def targets(self) -> dict[str, Json]:
        """What was done to each target, in the words of the JSON documents; None outside the mode."""
        return {
            "database": self.database.counts._asdict() if self.database else None,
            "vectors": self.vectors.document if self.vectors else None,
            "readme": {"changed": self.readme.changed} if self.readme else None,
        }

    def is_complete(self, mode: Mode, *, readme: bool) -> bool:
        """True where every target of `mode` was written; `readme` says whether the project has one."""
        done = {"database": mode.rows, "vectors": mode.vectors, "readme": mode.readme and readme}
        return all(self.targets[name] is not None for name, wanted in done.items() if wanted)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """A whole run. `error` is what stopped it, if anything did; what was done before stays.

    `notes` are things to know that are no problem, such as running without a cache.
    """

    mode: Mode
    executed: bool
    targets: Mapping[str, str | None]
    projects: tuple[ProjectOutcome, ...]
    error: SotError | None = None
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """The exit code of the run: what stopped it, else 1 for a problem of severity error."""
        if self.error:
            return self.error.exit_code
        problems = (problem for project in self.projects for problem in project.problems)
        return EXIT_PROBLEMS if any(problem.severity is Severity.ERROR for problem in problems) else EXIT_OK


@dataclass(frozen=True, slots=True)
class FileChange:
    """One line of the change table of the code index: `action` is "insert", "update" or "delete"."""

    action: str
    path: str


@dataclass(frozen=True, slots=True)
class CodeOutcome:
    """What was, or without `execute` would be, done to the code index of one project.

    `files` and `metadata` count rows of the two tables (None: not asked for); `relations` counts
    those of a full pass whose project metrics differed or not (None: there was none), `security`
    those that a scanner looked at; `points` is what became of its collection (None: not asked for).
    `left_out` leads from what is no source file to the rule that says so. `error` is what stopped it
    or kept the tables in `incomplete` from being written, if anything did; what was done before
    stays and is counted.
    """

    project_id: str
    files: Counts | None = None
    metadata: Counts | None = None
    relations: Counts | None = None
    security: Counts | None = None
    points: VectorsOutcome | None = None
    changes: tuple[FileChange, ...] = ()
    problems: tuple[Problem, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    error: SotError | None = None
    incomplete: frozenset[str] = frozenset()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """That of what stopped it, else 1 for a problem of severity error."""
        if self.error:
            return self.error.exit_code
        broken = any(problem.severity is Severity.ERROR for problem in self.problems)
        return EXIT_PROBLEMS if broken else EXIT_OK


@dataclass(frozen=True, slots=True)
class SkillChanges:
    """What happened, or would, to the skills of one side, by path; one that is renamed may be updated too."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    @property
    def counts(self) -> Counts:
        """Created, updated or renamed, and deleted skills; `unchanged` is not known of one side."""
        touched = {*self.updated, *(new for _, new in self.renamed)}
        return Counts(len(self.created), len(touched), len(self.deleted))


@dataclass(frozen=True, slots=True)
class SkillConflict:
    """Something of the skill at `path` that both sides changed: a key, "body", a file, "skill_path" or "skill"."""

    path: str
    field: str
    base: str | None
    ours: str | None
    theirs: str | None


@dataclass(frozen=True, slots=True)
class SkillsOutcome:
    """What was, or without `execute` would be, done to the skills of one project.

    A side that the command does not write is None. `unchanged` counts skills on which both agreed.
    `quarantined` leads from paths to the reason why those are left alone. `error` is what stopped it.
    """

    project_id: str
    files: SkillChanges | None = None
    database: SkillChanges | None = None
    unchanged: int = 0
    conflicts: tuple[SkillConflict, ...] = ()
    quarantined: Mapping[str, str] = field(default_factory=dict)
    points: VectorsOutcome | None = None
    problems: tuple[Problem, ...] = ()
    error: SotError | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """That of what stopped it, else 1 for an error, 7 for conflicts, 1 for the quarantined, 0."""
        if self.error:
            return self.error.exit_code
        if any(problem.severity is Severity.ERROR for problem in self.problems):
            return EXIT_PROBLEMS
        if self.conflicts:
            return EXIT_CONFLICTS
        return EXIT_PROBLEMS if self.quarantined else EXIT_OK

    @property
    def waiting(self) -> tuple[Problem, ...]:
        """The skills that wait for a person, as problems: those in conflict and those left alone."""
        decide = "See 'sot skills conflicts', and decide with 'sot skills resolve'."
        conflicts = (
            Problem("skill_conflicts", Severity.ERROR, each.path, None, f"Both sides changed '{each.field}'. {decide}")
            for each in self.conflicts
        )
        left_alone = (
            Problem("skills_readable", Severity.ERROR, path, None, reason) for path, reason in self.quarantined.items()
        )
        return (*conflicts, *left_alone)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Keys in which one target differs from the files."""

    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    @classmethod
    def told_by(cls, plan: Plan[K, KeyedT]) -> Disagreement:
        """What `plan` would mend: inserts are missing, deletes extra, updates stale."""
        missing, stale = ([record.key for record in records] for records in (plan.inserts, plan.updates))
        return cls(*(tuple(sorted(map(str, keys))) for keys in (missing, plan.deletes, stale)))

    @property
    def agrees(self) -> bool:
        """True where nothing is missing, extra or stale."""
        return not (self.missing or self.extra or self.stale)


@dataclass(frozen=True, slots=True)
class CodeAgreement:
    """What a verification found in the code index of one project.

    Paths in which a table differs from the files, and keys of points in which the collection
    differs from `code_files` (None: nothing is embedded, or Qdrant is not configured).
    """

    files: Disagreement
    metadata: Disagreement
    sources: int
    problems: tuple[Problem, ...] = ()
    points: Disagreement | None = None

    @property
    def agree(self) -> bool:
        """True where both tables agree with the files, and the points with the rows."""
        return self.files.agrees and self.metadata.agrees and (self.points is None or self.points.agrees)


@dataclass(frozen=True, slots=True)
class SkillsAgreement:
    """What a verification found in the skills of one project: paths, and how many are as they were agreed on.

    `points` are None where Qdrant is not configured.
    """

    skills: Disagreement
    agreed: int
    problems: tuple[Problem, ...] = ()
    points: Disagreement | None = None

    @property
    def agree(self) -> bool:
        """True where both sides agree, and points with the rows."""
        return self.skills.agrees and (self.points is None or self.points.agrees)


@dataclass(frozen=True, slots=True)
class ProjectAgreement:
    """What a verification found in one project; a target that is not configured is None.

    `counts` is the cross-count table: file_type → target ("files", "rows", "points") → entries.
    """

    project_id: str
    database: Disagreement
    full_text: Disagreement
    vectors: Disagreement | None
    readme_stale: bool | None
    counts: Mapping[str, Mapping[str, int]]
    problems: tuple[Problem, ...] = ()
    code: CodeAgreement | None = None
    skills: SkillsAgreement | None = None

    @property
    def agree(self) -> bool:
        """True where every target agrees with the files."""
        return (
            self.ledgers_agree and (self.code is None or self.code.agree) and (self.skills is None or self.skills.agree)
        )

    @property
    def ledgers_agree(self) -> bool:
        """True where everything that is derived from ledgers agrees with them."""
        vectors = self.vectors is None or self.vectors.agrees
        return self.database.agrees and self.full_text.agrees and vectors and not self.readme_stale

    @property
    def exit_code(self) -> int:
        """6 where targets disagree, 1 where a ledger could not be read, else 0."""
        if not self.agree:
            return EXIT_DISAGREE
        broken = any(problem.severity is Severity.ERROR for problem in self.problems)
        return EXIT_PROBLEMS if broken else EXIT_OK
