"""From source files and a code table's fingerprints to a plan that is safe to apply. Pure.

The same two protections as in `reconcile`: rows of what cannot be read are not touched, and a
plan that would lose a large part of the rows is refused. A file that moved is not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sot_pipeline.outcome import FileChange
from sot_pipeline.plan import Plan, Problem, Severity, diff, is_mass_delete
from sot_pipeline.steps.code_sources import Source, Sources

MASS_DELETE_CHECK = "mass_delete"


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What to do to one table, and what was refused on the way."""

    plan: Plan[str, Source]
    problems: tuple[Problem, ...] = ()


def plan_table(sources: Sources, present: Mapping[str, str], *, may_delete_many: bool) -> TablePlan:
    """Plan that makes a table holding `present` (path → hash) hold `sources`.

    Without `may_delete_many` a plan that loses over a fifth of the rows deletes nothing.
    """
    open_ = {path: stored for path, stored in present.items() if not sources.is_kept(path)}
    plan = diff(sources.files.values(), open_)
    arrived = {source.content_hash for source in plan.inserts}
    lost = [path for path in plan.deletes if present[path] not in arrived]
    if may_delete_many or not is_mass_delete(len(lost), len(present)):
        return TablePlan(plan)
    refused = Problem(
        check=MASS_DELETE_CHECK,
        severity=Severity.ERROR,
        path=".",
        line=None,
        message=f"{len(lost)} of {len(present)} files are gone: refused, no row is deleted. If they are meant to be, "
        "run again with --allow-mass-delete.",
    )
    return TablePlan(replace(plan, deletes=()), (refused,))


def changes_of(*plans: Plan[str, Source]) -> tuple[FileChange, ...]:
    """The change table of both tables' plans: each file and action once, in the order of the paths."""
    found = [
        *(FileChange("insert", source.path) for plan in plans for source in plan.inserts),
        *(FileChange("update", source.path) for plan in plans for source in plan.updates),
        *(FileChange("delete", path) for plan in plans for path in plan.deletes),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda change: (change.path, change.action)))
