"""The line of `sync_activity` that each step leaves."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sot_pipeline.plan import Counts, Problem, Severity
from sot_pipeline.targets.database import Activity


def activity_of(target: str, entries: int, counts: Counts, problems: Iterable[Problem], started: float) -> Activity:
    """How the step on `target` ended that began at `started` (`time.perf_counter`)."""
    errors = [problem.message for problem in problems if problem.severity is Severity.ERROR]
    return Activity(
        sync_type=target,
        entries_synced=entries,
        status="problems" if errors else "success",
        error_message=" ".join(errors) or None,
        counts=counts,
        duration_seconds=time.perf_counter() - started,
    )
