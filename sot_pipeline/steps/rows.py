"""The step on rows and full text."""

from __future__ import annotations

import time
from collections.abc import Collection

from sot_pipeline.ledgers.project import ParsedProject
from sot_pipeline.outcome import RowsOutcome
from sot_pipeline.plan import Record, RecordKey
from sot_pipeline.reconcile import Reconciled, changes_of, reconcile
from sot_pipeline.session import Session
from sot_pipeline.steps.activity import activity_of
from sot_pipeline.targets.database import LedgerFile


def sync_rows(
    session: Session, parsed: ParsedProject, *, execute: bool, allow_mass_delete: bool = False
) -> RowsOutcome:
    """Make rows and full-text index agree with the ledgers, in one transaction.

    Without `execute` only plans. Raises DatabaseUnavailable or DeadlineExceeded with nothing of
    this project written.
    """
    database = session.require_database()
    project_id = parsed.project.id
    started = time.perf_counter()
    session.check(f"before the rows of {project_id}")
    deep = database.disagreed(project_id, "database")
    if not execute:
        found = _plan_rows(parsed, database.fingerprints(project_id, deep=deep), allow_mass_delete)
        return _rows_outcome(found)
    with database.writing(project_id, session.deadline) as rows:
        found = _plan_rows(parsed, rows.fingerprints(deep=deep), allow_mass_delete)
        rows.apply(found.plan)
        untouchable = found.parsed.protected | found.refused
        rows.apply_fulltext(parsed.records, keep=untouchable | parsed.project.beside_ledgers, deep=deep)
        rows.record_sources(_agreed_files(parsed, untouchable), keep=untouchable)
        outcome = _rows_outcome(found)
        rows.record(activity_of("database", len(parsed.records), outcome.counts, outcome.problems, started))
    return outcome


def _agreed_files(parsed: ParsedProject, kept: Collection[str]) -> list[LedgerFile]:
    """The ledger files that the rows now agree with."""
    return [
        LedgerFile(ledger.spec.file_type, ledger.spec.path, ledger.file_hash, ledger.lines)
        for ledger in parsed.ledgers
        if ledger.spec.file_type not in kept
    ]


def _plan_rows(
    parsed: ParsedProject, present: dict[RecordKey, str], allow_mass_delete: bool
) -> Reconciled[RecordKey, Record]:
    return reconcile(parsed, parsed.records, present, _itself, allow_mass_delete=allow_mass_delete)


def _rows_outcome(found: Reconciled[RecordKey, Record]) -> RowsOutcome:
    changes = changes_of(found.plan, found.parsed, _itself, lambda record: record.title)
    return RowsOutcome(found.plan.counts(), changes, found.problems)


def _itself(key: RecordKey) -> RecordKey:
    return key
