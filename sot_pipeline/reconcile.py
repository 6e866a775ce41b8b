"""From parsed ledgers and a target's fingerprints to a plan that is safe to apply. Pure.

Two protections stand between a diff and a target: what is derived from a ledger that cannot be
read is not touched, and a plan that would delete a large part of a file's entries is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic

from sot_pipeline.ledgers.project import ParsedProject, quarantine_lost
from sot_pipeline.outcome import Change
from sot_pipeline.plan import K, KeyedT, Plan, Problem, RecordKey, Severity, diff, is_mass_delete


@dataclass(frozen=True, slots=True)
class Reconciled(Generic[K, KeyedT]):
    """A plan that may be applied, and what was found on the way.

    `parsed` is the project with lost ledgers quarantined as well; `refused` are the file_types
    whose part of the plan was left out by the mass-delete guard.
    """

    plan: Plan[K, KeyedT]
    parsed: ParsedProject
    problems: tuple[Problem, ...]
    refused: frozenset[str]


def reconcile(
    parsed: ParsedProject,
    wanted: Iterable[KeyedT],
    present: Mapping[K, str],
    record_of: Callable[[K], RecordKey],
    *,
    allow_mass_delete: bool = False,
) -> Reconciled[K, KeyedT]:
    """Plan that makes a target holding `present` hold `wanted`, within the two protections.

    `record_of` tells which entry a key of the target belongs to (several points, one entry).
    """
    known = len(parsed.quarantined)
    parsed = quarantine_lost(parsed, {record_of(key).file_type for key in present})
    problems = tuple(ledger.problem for ledger in parsed.quarantined[known:])
    if parsed.protected:
        present = {key: print_ for key, print_ in present.items() if record_of(key).file_type not in parsed.protected}
    plan = diff(wanted, present)
    if allow_mass_delete or not plan.deletes:
        return Reconciled(plan, parsed, problems, frozenset())
    return _guarded(Reconciled(plan, parsed, problems, frozenset()), present, record_of)


def _guarded(
    found: Reconciled[K, KeyedT], present: Mapping[K, str], record_of: Callable[[K], RecordKey]
) -> Reconciled[K, KeyedT]:
    entries = {record_of(key) for key in present}
    kept = {record.key for record in found.parsed.records}
    before = Counter(entry.file_type for entry in entries)
    gone = Counter(entry.file_type for entry in {record_of(key) for key in found.plan.deletes} - kept)
    refused = frozenset(kind for kind, count in gone.items() if is_mass_delete(count, before[kind]))
    if not refused:
        return found
    problems = tuple(
        Problem(
            check="mass_delete",
            severity=Severity.ERROR,
            path=found.parsed.paths.get(kind, kind),
            line=None,
            message=f"{gone[kind]} of {before[kind]} entries would be deleted: refused, nothing of this file is "
            "applied. If the file is right, run again with --allow-mass-delete.",
        )
        for kind in sorted(refused)
    )

    def allowed(record: KeyedT) -> bool:
        return record_of(record.key).file_type not in refused  # type: ignore[arg-type]  # K is the type of record.key

    plan = Plan(
        inserts=tuple(filter(allowed, found.plan.inserts)),
        updates=tuple(filter(allowed, found.plan.updates)),
        deletes=tuple(key for key in found.plan.deletes if record_of(key).file_type not in refused),
        unchanged=found.plan.unchanged,
    )
    return Reconciled(plan, found.parsed, found.problems + problems, refused)


def changes_of(
    plan: Plan[K, KeyedT],
    parsed: ParsedProject,
    record_of: Callable[[K], RecordKey],
    title_of: Callable[[KeyedT], str],
) -> tuple[Change, ...]:
    """The change table of a plan: one line an entry and action, in the plan's order."""
    found: dict[tuple[str, RecordKey], Change] = {}

    def add(action: str, entry: RecordKey, title: str) -> None:
        line = None if action == "delete" else parsed.line_of(entry)
        path = parsed.paths.get(entry.file_type, "")
        found.setdefault((action, entry), Change(action, entry, title, path, line))

    for action, records in (("insert", plan.inserts), ("update", plan.updates)):
        for record in records:
            add(action, record_of(record.key), title_of(record))  # type: ignore[arg-type]  # as above
    for key in plan.deletes:
        add("delete", record_of(key), "")
    return tuple(found.values())
