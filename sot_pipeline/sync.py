"""A whole sync: the steps of a mode over projects, and what they came to.

What a step does is in `steps`, one module a target; Dagster runs these one an asset. No Dagster
and no printing here; opening targets is `session.py`, checking them `verify.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sot_pipeline.errors import SotError
from sot_pipeline.ledgers.project import read_project
from sot_pipeline.outcome import Mode, ProjectOutcome, SyncReport
from sot_pipeline.per_project import run_projects
from sot_pipeline.plan import Problem
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.runtime.order import LOCK_WAIT_SECONDS
from sot_pipeline.runtime.progress import Progress, silent
from sot_pipeline.runtime.stopwatch import Stopwatch
from sot_pipeline.workspace import Project, Workspace

if TYPE_CHECKING:
    from sot_pipeline.session import Session

# Sessions and steps are imported where a mode needs them: `sot sync` alone only reads files, and
# all that knows databases, collections and locks would be a fifth of its time.


@dataclass
class _Steps:
    """The steps of one project: each is timed, and the first error keeps the later ones from running."""

    outcome: ProjectOutcome
    error: SotError | None = None
    watch: Stopwatch = field(default_factory=Stopwatch)

    @contextmanager
    def step(self, phase: str) -> Iterator[None]:
        try:
            with self.watch.phase(phase):
                yield
        except SotError as error:
            self.error = error
        finally:
            self.outcome = replace(self.outcome, seconds=dict(self.watch.seconds))


def sync_project(
    session: Session,
    project: Project,
    mode: Mode,
    *,
    execute: bool,
    rebuild: bool = False,
    allow_mass_delete: bool = False,
) -> tuple[ProjectOutcome, SotError | None]:
    """All steps of `mode` for one project.

    An error stops this project's remaining steps and is returned beside what was done before it,
    so that nothing that was committed goes unreported.
    """
    steps = _Steps(ProjectOutcome(project.id, {}, ()))
    reach(Failpoint.LOCKED)
    with steps.step("parse"):
        parsed = read_project(project)
        steps.outcome = replace(steps.outcome, parsed=parsed.parsed, problems=parsed.problems)
        session.check(f"before the targets of {project.id}")
    if mode.rows and not steps.error:
        from sot_pipeline.steps.rows import sync_rows

        with steps.step("database"):
            rows = sync_rows(session, parsed, execute=execute, allow_mass_delete=allow_mass_delete)
            steps.outcome = replace(steps.outcome, database=rows, problems=_merged(steps, rows.problems))
    if mode.vectors and not steps.error:
        from sot_pipeline.steps.vectors import sync_vectors

        with steps.step("vectors"):
            vectors = sync_vectors(
                session, parsed, execute=execute, rebuild=rebuild, allow_mass_delete=allow_mass_delete
            )
            steps.outcome = replace(steps.outcome, vectors=vectors, problems=_merged(steps, vectors.problems))
    if mode.readme and not steps.error:
        from sot_pipeline.steps.readme import sync_readme

        with steps.step("readme"):
            readme = sync_readme(session, parsed, execute=execute)
            found = readme.problems if readme else ()
            steps.outcome = replace(steps.outcome, readme=readme, problems=_merged(steps, found))
    return steps.outcome, steps.error


def _merged(steps: _Steps, found: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems so far and new ones; rows and points report the same lost ledger once."""
    return tuple(dict.fromkeys((*steps.outcome.problems, *found)))


def _read_only(projects: tuple[Project, ...], deadline: Deadline) -> tuple[tuple[ProjectOutcome, ...], SotError | None]:
    """What the ledgers hold, and what stopped the reading; no target is looked at."""
    outcomes: list[ProjectOutcome] = []
    for project in projects:
        steps = _Steps(ProjectOutcome(project.id, {}, ()))
        with steps.step("parse"):
            deadline.check(f"before the ledgers of {project.id}")
            parsed = read_project(project)
            steps.outcome = replace(steps.outcome, parsed=parsed.parsed, problems=parsed.problems)
        if steps.error:
            return tuple(outcomes), steps.error
        outcomes.append(steps.outcome)
    return tuple(outcomes), None


def sync_projects(
    workspace: Workspace,
    mode: Mode,
    *,
    projects: tuple[Project, ...],
    execute: bool,
    deadline: Deadline,
    rebuild: bool = False,
    allow_mass_delete: bool = False,
    lock_wait: float = LOCK_WAIT_SECONDS,
    lock_reads: bool = False,
    progress: Progress = silent,
) -> SyncReport:
    """Run `mode` over `projects`: what the command line calls.

    Never raises SotError: what stopped the run is in the report, beside what was done before, as
    `run_projects` says.
    """
    if mode is Mode.DOCS_ONLY and not lock_reads:
        return SyncReport(mode, execute, workspace.targets, *_read_only(projects, deadline))
    from sot_pipeline.session import open_session

    def sync(session: Session, project: Project) -> tuple[ProjectOutcome, SotError | None]:
        return sync_project(
            session, project, mode, execute=execute, rebuild=rebuild, allow_mass_delete=allow_mass_delete
        )

    opening = open_session(
        workspace,
        mode,
        projects=projects,
        execute=execute,
        deadline=deadline,
        rebuild=rebuild,
        lock_wait=lock_wait,
        lock_reads=lock_reads,
        progress=progress,
    )
    run = run_projects(opening, projects, sync)
    return SyncReport(mode, execute, workspace.targets, run.outcomes, run.error, run.notes)
