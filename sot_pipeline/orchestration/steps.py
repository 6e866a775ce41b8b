"""What every asset and check does around its one call of `sync.py` or `verify.py`.

Opens the session, turns errors into Dagster failures and problems into log lines. No asset and
no check is defined here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from sot_pipeline.errors import (
    DatabaseUnavailable,
    EmbeddingFailed,
    FileChangedMeanwhile,
    LockNotAcquired,
    SotError,
    VectorStoreUnavailable,
)
from sot_pipeline.ledgers.project import ParsedProject, read_project
from sot_pipeline.orchestration.snapshots import LedgerSnapshot
from sot_pipeline.outcome import Mode, ProjectAgreement
from sot_pipeline.plan import Problem, Severity
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.visible import visible
from sot_pipeline.session import Session, open_session
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.verify import verify_project
from sot_pipeline.workspace import Project, Workspace

VERIFY_SECONDS = 600.0

# These pass by themselves, so that trying again a little later makes sense; the others need a person.
PASSING = (DatabaseUnavailable, VectorStoreUnavailable, EmbeddingFailed, LockNotAcquired, FileChangedMeanwhile)
RETRIES = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL)


class WriteOptions(dg.Config):
    """What an operator can say in the launchpad before a target is written."""

    allow_mass_delete: bool = Field(
        default=False, description="Apply the plan even if it deletes a large part of a ledger's entries."
    )
    max_seconds: float = Field(default=3600.0, gt=0, description="Deadline of the step, in seconds.")


@contextmanager
def explained() -> Iterator[None]:
    """Turn a SotError into a Dagster failure that shows message and remedy instead of a traceback."""
    try:
        yield
    except SotError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"error": type(error).__name__, "exit_code": error.exit_code},
            allow_retries=isinstance(error, PASSING),
        ) from error


@contextmanager
def writing(
    workspace: Workspace,
    project: Project,
    mode: Mode,
    options: WriteOptions,
    *,
    rebuild: bool = False,
    kind: Kind = Kind.DOCS,
) -> Iterator[Session]:
    """A session that writes the targets of `mode` under the locks; errors come out as Dagster failures.

    Runs take turns: a writer waits for the locks as long as its deadline allows.
    """
    wait = options.max_seconds
    deadline = Deadline(wait)
    with (
        explained(),
        open_session(
            workspace,
            mode,
            projects=(project,),
            execute=True,
            deadline=deadline,
            rebuild=rebuild,
            kind=kind,
            lock_wait=wait,
        ) as session,
    ):
        yield session


@contextmanager
def reading(
    workspace: Workspace, projects: tuple[Project, ...], mode: Mode, kind: Kind = Kind.DOCS
) -> Iterator[Session]:
    """A session that reads the targets of `mode`; errors come out as Dagster failures.

    The collections of `projects`, those of `kind`, must fit the embedder.
    """
    deadline = Deadline(VERIFY_SECONDS)
    with (
        explained(),
        open_session(
            workspace, mode, projects=projects, execute=False, deadline=deadline, embeds=False, kind=kind
        ) as session,
    ):
        yield session


def verified(workspace: Workspace, project: Project, mode: Mode) -> ProjectAgreement:
    """Read the targets of `mode` again and compare them with the files as they are now."""
    with reading(workspace, (project,), mode) as session:
        return verify_project(session, read_project(project))


def read_current(context: dg.AssetExecutionContext, workspace: Workspace, snapshot: LedgerSnapshot) -> ParsedProject:
    """The ledgers as they are now: targets follow the files, never an old snapshot.

    A difference from the snapshot is logged; the sensor starts a run for it anyway.
    """
    parsed = read_project(workspace.project(context.partition_key))
    if parsed.hash != snapshot.files_hash:
        context.log.warning("The ledgers changed after they were parsed; this step writes what they hold now.")
    return parsed


def errors_in(problems: Iterable[Problem]) -> list[Problem]:
    """Those of severity error."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def log_problems(context: dg.AssetExecutionContext, problems: Iterable[Problem]) -> None:
    """One log line for each problem, at the level of its severity."""
    for problem in problems:
        place = problem.path if problem.line is None else f"{problem.path}:{problem.line}"
        say = context.log.error if problem.severity is Severity.ERROR else context.log.warning
        say(visible(f"{place}: {problem.message} [{problem.check}]"))
