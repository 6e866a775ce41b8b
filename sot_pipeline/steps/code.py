"""The step on the code index: both tables are made to agree with the source files, and a full pass relates the files.

Which files there are is `code_sources.py`, what is to be done to a table `code_plan.py`, how it is
done `code_batches.py`, what only the files together tell `code_relations.py`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sot_pipeline.code.files import visible
from sot_pipeline.code.model import ParseStatus
from sot_pipeline.errors import SotError
from sot_pipeline.outcome import CodeOutcome
from sot_pipeline.plan import Counts, Plan, Problem, Severity
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.stopwatch import Stopwatch
from sot_pipeline.session import Session
from sot_pipeline.steps.activity import activity_of
from sot_pipeline.steps.code_batches import TableWriter, write_changed
from sot_pipeline.steps.code_plan import changes_of, plan_table
from sot_pipeline.steps.code_sources import Source, look
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.workspace import Project

# What `sync_activity` calls this step.
ACTIVITY = "code"
PARSE_CHECK = "parse_errors"


def code_index(session: Session, project: Project) -> CodeIndex:
    """The project's rows as this analysis makes them. Raises RequirementMissing without a database."""
    return CodeIndex(session.require_database(), project.id)


def sync_code(
    session: Session,
    project: Project,
    *,
    execute: bool,
    full: bool = False,
    paths: Collection[str] | None = None,
    tables: Collection[CodeTable] = tuple(CodeTable),
    coverage: Path | None = None,
    security: bool = False,
    allow_mass_delete: bool = False,
) -> CodeOutcome:
    """Make `tables` agree with the source files, those of `paths` alone where they are given.

    A file whose bytes are those of its rows is neither analysed nor written. With `full` the
    project metrics of all files are computed as well and written where they differ, `coverage`
    being the file that tells which lines tests ran; with `security` a scanner looks at the files it
    did not see yet, which takes its time. Without `execute` only plans.

    Raises RequirementMissing where the project has no `[project.code]`, FileUnusable for a root
    that is missing or cannot be read, and what the database raises when it is asked what it has.
    What stops it later is the outcome's `error`.
    """
    index, watch, started = code_index(session, project), Stopwatch(), time.perf_counter()
    many = allow_mass_delete or paths is not None
    rows = None if paths is None else [visible(path) for path in paths]
    with watch.phase("look"):
        sources = look(project, session.deadline, paths)
        plans = {table: plan_table(sources, index.fingerprints(table, rows), may_delete_many=many) for table in tables}
    writers = {table: _writer(index, table, found.plan, session.deadline) for table, found in plans.items()}
    refused = [problem for found in plans.values() for problem in found.problems]
    outcome = CodeOutcome(
        project.id,
        changes=changes_of(*(found.plan for found in plans.values())),
        problems=tuple(dict.fromkeys((*sources.problems, *refused))),
        left_out=sources.left_out,
        seconds=watch.seconds,
    )
    if not execute:
        return _counted(outcome, {table: found.plan.counts() for table, found in plans.items()})
    with watch.phase("write"):
        outcome = _written(session, project, writers, outcome)
        if not outcome.error:
            outcome = replace(outcome, problems=(*outcome.problems, *_parse_errors(index, rows)))
    if full and not outcome.error:
        with watch.phase("relate"):
            outcome = _related(session, project, index, outcome, coverage=coverage, security=security)
    if outcome.changes or paths is None:  # nothing is written for an event that changed nothing
        outcome = _recorded(session, index, outcome, started)
    return outcome


def _parse_errors(index: CodeIndex, paths: Collection[str] | None) -> Iterator[Problem]:
    """What is wrong in these files; that one is skipped by its nature is no problem."""
    for path, status, reason in index.unread(paths):
        if status is ParseStatus.PARTIAL:
            yield Problem(PARSE_CHECK, Severity.WARNING, path, None, f"Read in part: {reason}.")


def _writer(index: CodeIndex, table: CodeTable, plan: Plan[str, Source], deadline: Deadline) -> TableWriter:
    write = index.apply_files if table is CodeTable.FILES else index.apply_metadata
    return TableWriter(plan, lambda rows, gone: write(rows, gone, deadline))


def _counted(outcome: CodeOutcome, counts: Mapping[CodeTable, Counts]) -> CodeOutcome:
    return replace(outcome, files=counts.get(CodeTable.FILES), metadata=counts.get(CodeTable.METADATA))


def _written(
    session: Session, project: Project, writers: Mapping[CodeTable, TableWriter], outcome: CodeOutcome
) -> CodeOutcome:
    """The outcome after the plans were applied as far as they could be."""
    problems = list(outcome.problems)
    try:
        write_changed(session, project, tuple(writers.values()), problems)
    except SotError as error:
        outcome = replace(outcome, error=error, incomplete=frozenset(writers))
    failed = {table: writer.error for table, writer in writers.items() if writer.error}
    if failed and not outcome.error:
        outcome = replace(outcome, error=next(iter(failed.values())), incomplete=frozenset(failed))
    outcome = replace(outcome, problems=tuple(problems))
    return _counted(outcome, {table: writer.done for table, writer in writers.items()})


def _related(
    session: Session, project: Project, index: CodeIndex, outcome: CodeOutcome, *, coverage: Path | None, security: bool
) -> CodeOutcome:
    """The outcome after a full pass."""
    # Graphs and arrays: whoever writes one file need not wait for them.
    from sot_pipeline.steps.code_relations import relate_project, scan_project

    try:
        outcome = replace(outcome, relations=relate_project(session, project, index, coverage))
        return replace(outcome, security=scan_project(session, project, index)) if security else outcome
    except SotError as error:
        return replace(outcome, error=error)


def _recorded(session: Session, index: CodeIndex, outcome: CodeOutcome, started: float) -> CodeOutcome:
    """The outcome after its line was appended to `sync_activity`, where the database still takes one."""
    counts = outcome.files or outcome.metadata or Counts()
    done = activity_of(ACTIVITY, sum(counts) - counts.deleted, counts, outcome.problems, started)
    if outcome.error:
        done = replace(done, status="failed", error_message=str(outcome.error))
    try:
        index.database.record_activity(index.project_id, done, session.deadline)
    except SotError as error:
        return replace(outcome, error=outcome.error or error)
    return outcome
