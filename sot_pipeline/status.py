"""How things stand, for each project and ledger: entries, last sync, its result, lag behind the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sot_pipeline.errors import SotError
from sot_pipeline.ledgers.project import ParsedProject, quarantine_lost, read_project
from sot_pipeline.outcome import Mode
from sot_pipeline.plan import Problem, RecordKey, diff
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session
from sot_pipeline.targets.database import Database, LoggedActivity
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.workspace import Project, Workspace

TARGETS = ("database", "vectors", "readme", "verify")


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One ledger: entries in the file and in the rows, and how many rows lag behind the file.

    `skipped` says why a ledger is not synced, None where it is.
    """

    file_type: str
    path: str
    entries: int
    rows: int
    lag: int
    skipped: str | None


@dataclass(frozen=True, slots=True)
class PointsStatus:
    """The points of code: how many there are, and of how many files they lag behind the rows.

    `trouble` says why nobody knows, None where it is known.
    """

    points: int
    lag: int
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class CodeStatus:
    """The code index: source files, rows, how many files lag, and how many were read in part or not at all.

    `left_out` leads from what is no source file, where it was met, to the rule that says so;
    `points` is None where the code is not embedded.
    """

    files: int
    rows: int
    lag: int
    partial: int
    skipped: int
    left_out: Mapping[str, str]
    points: PointsStatus | None = None


@dataclass(frozen=True, slots=True)
class SkillsStatus:
    """Skills: how many folders and rows, how many of them a sync would write, and how many it would not.

    `warnings` counts what is against the public convention in the files.
    """

    files: int
    rows: int
    lag: int
    conflicts: int
    quarantined: int
    warnings: int


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """One project: ledgers, code index and skills if it has some, and the last run of each target (None: never)."""

    project_id: str
    sources: tuple[SourceStatus, ...]
    last: dict[str, LoggedActivity | None]
    problems: tuple[Problem, ...]
    code: CodeStatus | None = None
    skills: SkillsStatus | None = None

    @property
    def lag(self) -> int:
        """Entries whose row is missing, stale or extra."""
        return sum(source.lag for source in self.sources)


def workspace_status(
    workspace: Workspace, projects: tuple[Project, ...], deadline: Deadline
) -> tuple[ProjectStatus, ...]:
    """The status of each project. Raises DatabaseUnavailable; reads only."""
    with Database(workspace.database_url) as database:
        database.check(deadline)
        session = Session(workspace, deadline, database, store=None, embedder=None)
        return tuple(_project_status(session, database, project) for project in projects)


def _project_status(session: Session, database: Database, project: Project) -> ProjectStatus:
    rows = database.fingerprints(project.id)
    parsed = quarantine_lost(read_project(project), {key.file_type for key in rows})
    return ProjectStatus(
        project_id=project.id,
        sources=_sources(parsed, rows),
        last={target: database.last_activity(project.id, target) for target in _targets(project)},
        problems=parsed.problems,
        code=_code_status(session.workspace, database, project, session.deadline) if project.code else None,
        skills=_skills_status(session, project) if project.skills else None,
    )


def _targets(project: Project) -> tuple[str, ...]:
    more = (("code", project.code), ("code_points", project.embeds_code), ("skills", project.skills))
    return (*TARGETS, *(name for name, section in more if section))


def _code_status(workspace: Workspace, database: Database, project: Project, deadline: Deadline) -> CodeStatus:
    # Only a project with a code index waits for what reads one.
    from sot_pipeline.code.model import ParseStatus
    from sot_pipeline.steps.code_plan import changes_of, plan_table
    from sot_pipeline.steps.code_sources import look
    from sot_pipeline.targets.database.code_index import CodeIndex
    from sot_pipeline.targets.database.code_rows import CodeTable

    index = CodeIndex(database, project.id)
    sources = look(project, deadline)
    rows = {table: index.fingerprints(table) for table in CodeTable}
    plans = [plan_table(sources, present, may_delete_many=True).plan for present in rows.values()]
    statuses = Counter(unread.status for unread in index.unread())
    return CodeStatus(
        files=len(sources.files),
        rows=len(rows[CodeTable.FILES]),
        lag=len({change.path for change in changes_of(*plans)}),
        partial=statuses[ParseStatus.PARTIAL],
        skipped=statuses[ParseStatus.SKIPPED],
        left_out=sources.left_out,
        points=_points_status(workspace, project, deadline) if project.embeds_code else None,
    )


def _points_status(workspace: Workspace, project: Project, deadline: Deadline) -> PointsStatus:
    from sot_pipeline.session import open_session
    from sot_pipeline.steps.code_points import code_rows
    from sot_pipeline.steps.row_points import lag_of_points

    try:
        with open_session(
            workspace,
            Mode.FULL,
            projects=(),  # whether they fit the embedder is not asked: that may cost a request
            execute=False,
            deadline=deadline,
            embeds=False,
            kind=Kind.CODE,
        ) as session:
            return PointsStatus(*lag_of_points(session, code_rows(session, project)))
    except SotError as error:
        return PointsStatus(0, 0, str(error))


def _skills_status(session: Session, project: Project) -> SkillsStatus:
    # Only a project with skills waits for what reads them.
    from sot_pipeline.skills.files import read_skills
    from sot_pipeline.skills.reconcile import Direction
    from sot_pipeline.steps.skills import skill_folders, skill_store, sync_skills
    from sot_pipeline.sync_skills import touched, warnings_of

    planned = sync_skills(session, project, Direction.SYNC, execute=False, allow_mass_delete=True)
    found = read_skills(skill_folders(project).root)
    return SkillsStatus(
        files=len(found.skills),
        rows=len(skill_store(session, project).versions()),
        lag=len(touched(planned)),
        conflicts=len({conflict.path for conflict in planned.conflicts}),
        quarantined=len(planned.quarantined),
        warnings=len(warnings_of(found.skills.values())),
    )


def _sources(parsed: ParsedProject, rows: dict[RecordKey, str]) -> tuple[SourceStatus, ...]:
    plan = diff(parsed.records, rows)
    lag = Counter(record.key.file_type for record in plan.upserts)
    lag.update(key.file_type for key in plan.deletes)
    held = Counter(key.file_type for key in rows)
    skipped = {ledger.spec.file_type: ledger.problem.message for ledger in parsed.quarantined}
    return tuple(
        SourceStatus(
            file_type=kind,
            path=parsed.paths.get(kind, ""),
            entries=parsed.parsed.get(kind, 0),
            rows=held[kind],
            lag=0 if kind in skipped else lag[kind],
            skipped=skipped.get(kind),
        )
        for kind in dict.fromkeys((*parsed.parsed, *skipped, *held))
    )
