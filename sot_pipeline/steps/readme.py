"""The step on the README's summary."""

from __future__ import annotations

import time

from sot_pipeline.errors import FileChangedMeanwhile, FileUnusable, ReadmeMarkersError
from sot_pipeline.ledgers.project import ParsedProject, quarantine_lost
from sot_pipeline.ledgers.summary import summarize
from sot_pipeline.outcome import ReadmeOutcome
from sot_pipeline.plan import Counts, Problem, Severity
from sot_pipeline.runtime.contained import real_path
from sot_pipeline.session import Session
from sot_pipeline.steps.activity import activity_of
from sot_pipeline.targets.readme import read_summary, update_readme


def sync_readme(session: Session, parsed: ParsedProject, *, execute: bool) -> ReadmeOutcome | None:
    """Make the README's summary true; None where the project names no README.

    While a ledger cannot be read the summary stays as it is. Unusable markers are a problem, not
    an exception: the other targets are as they should be.
    """
    name = parsed.project.readme
    if name is None:
        return None
    started = time.perf_counter()
    database, project_id = session.database, parsed.project.id
    if database:
        parsed = quarantine_lost(parsed, database.counts(project_id).keys())
    summary = summarize(parsed.ledgers)
    if parsed.quarantined:
        return ReadmeOutcome(changed=False, summary=summary)
    session.check(f"before the README of {project_id}")
    try:
        path = real_path(parsed.project.root, name)
        changed = update_readme(path, summary) if execute else read_summary(path) != summary
    except (ReadmeMarkersError, FileChangedMeanwhile, FileUnusable) as error:
        problem = Problem("readme_markers", Severity.ERROR, name, None, str(error))
        return ReadmeOutcome(changed=False, summary=summary, problems=(problem,))
    if execute and database:
        database.record_readme(project_id, summary, session.deadline)
        counts = Counts(updated=int(changed), unchanged=int(not changed))
        database.record_activity(project_id, activity_of("readme", 1, counts, (), started), session.deadline)
    return ReadmeOutcome(changed, summary)
