"""What the UI shows of a sync of skills: counts for each side, what changed, and what waits for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import dagster as dg

from sot_pipeline.orchestration.metadata import Metadata, problem_metadata, table
from sot_pipeline.outcome import SkillChanges, SkillConflict, SkillsOutcome


def of_skills(done: SkillsOutcome) -> Metadata:
    """What was, or without writing would be, done to both sides."""
    sides = {"files": done.files or SkillChanges(), "database": done.database or SkillChanges()}
    rows = [row for side, changes in sides.items() for row in _changes(side, changes)]
    counts = {
        f"{side}_{name}": len(getattr(changes, name))
        for side, changes in sides.items()
        for name in ("created", "updated", "deleted", "renamed")
    }
    return {
        "changes": table(("side", "change", "skill"), rows, total=len(rows)) if rows else "Nothing changed.",
        **counts,
        "unchanged": done.unchanged,
        **of_conflicts(done.conflicts),
        **_quarantined(done),
        **problem_metadata(done.problems),
        **{f"seconds_{phase}": seconds for phase, seconds in done.seconds.items()},
    }


def of_conflicts(conflicts: Iterable[SkillConflict]) -> Metadata:
    """How many conflicts there are, and all their versions."""
    rows = [(each.path, each.field, each.base or "", each.ours or "", each.theirs or "") for each in conflicts]
    head = ("skill", "field", "agreed", "files", "database")
    return {"conflicts": len(rows), **({"versions": table(head, rows, total=len(rows))} if rows else {})}


def _quarantined(done: SkillsOutcome) -> dict[str, dg.MetadataValue | str | int | float]:
    rows = list(done.quarantined.items())
    shown = {"left_alone": table(("skill", "reason"), rows, total=len(rows))} if rows else {}
    return {"quarantined": len(rows), **shown}


def _changes(side: str, changes: SkillChanges) -> Iterator[tuple[str, str, str]]:
    for name in ("created", "updated", "deleted"):
        yield from ((side, name, path) for path in getattr(changes, name))
    yield from ((side, "renamed", f"{old} → {new}") for old, new in changes.renamed)
