"""Outcomes as the JSON documents of the command line's contract. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sot_pipeline.cli.output import error_document
from sot_pipeline.outcome import (
    CodeAgreement,
    Disagreement,
    ProjectAgreement,
    ProjectOutcome,
    SkillChanges,
    SkillConflict,
    SkillsAgreement,
    SkillsOutcome,
    SyncReport,
)
from sot_pipeline.plan import Json, Problem

if TYPE_CHECKING:
    from sot_pipeline.skill_decisions import OpenConflict
    from sot_pipeline.sync_skills import SkillsReport
    from sot_pipeline.targets.database.skill_model import Conflict
    from sot_pipeline.watch.applied import Applied


def sync_document(report: SyncReport) -> dict[str, Json]:
    """The document of `sot sync` and `sot plan`; `error` is there only where something stopped the run."""
    document: dict[str, Json] = {
        "mode": report.mode.value,
        "executed": report.executed,
        "targets": dict(report.targets),
        "projects": [_project(project) for project in report.projects],
        "exit_code": report.exit_code,
    }
    if report.error:
        document |= error_document(report.error)
    return document


def _project(project: ProjectOutcome) -> dict[str, Json]:
    return {
        "project_id": project.project_id,
        "parsed": dict(project.parsed),
        "problems": [problem_json(problem) for problem in project.problems],
        **project.targets,
        "seconds": dict(project.seconds),
    }


def watch_document(applied: Applied) -> dict[str, Json]:
    """One line of `sot watch`; `error` is there only where the batch could not be applied."""
    result = applied.result
    document: dict[str, Json] = {
        "source": applied.source,
        "project_id": applied.project_id,
        "paths": list(applied.paths),
        "targets": dict(result.targets),
        "problems": [problem_json(problem) for problem in result.problems],
        "files_hash": applied.files_hash,
        "milliseconds": applied.milliseconds,
    }
    return document | (error_document(result.error) if result.error else {})


def problem_json(problem: Problem) -> dict[str, Json]:
    """A problem by its field names."""
    return {
        "check": problem.check,
        "severity": problem.severity.value,
        "path": problem.path,
        "line": problem.line,
        "message": problem.message,
    }


def verify_document(agreements: list[ProjectAgreement]) -> dict[str, Json]:
    """The document of `sot verify`. Keys of the full-text index count as keys of the database."""
    return {
        "agree": all(agreement.agree for agreement in agreements),
        "projects": [_agreement(agreement) for agreement in agreements],
    }


def _agreement(agreement: ProjectAgreement) -> dict[str, Json]:
    stale = agreement.readme_stale
    return {
        "project_id": agreement.project_id,
        "targets": {
            "database": _keys(agreement.database),
            "full_text": _keys(agreement.full_text),
            "vectors": _keys(agreement.vectors) if agreement.vectors else None,
            "readme": None if stale is None else {"stale": stale},
            **_code_keys(agreement.code),
            **_skill_keys(agreement.skills),
        },
        "counts": {kind: dict(counts) for kind, counts in agreement.counts.items()},
        "problems": [problem_json(problem) for problem in agreement.problems],
    }


def _code_keys(code: CodeAgreement | None) -> dict[str, Json]:
    """The two tables of the code index, where the project has one, and its points where there are to be any."""
    if code is None:
        return {}
    points = {"code_points": _keys(code.points)} if code.points else {}
    return {"code_files": _keys(code.files), "codebase_metadata": _keys(code.metadata), **points}


def _keys(found: Disagreement) -> dict[str, Json]:
    return {"missing": list(found.missing), "extra": list(found.extra), "stale": list(found.stale)}


def _skill_keys(skills: SkillsAgreement | None) -> dict[str, Json]:
    """Skills, where the project has some, and their points where there are to be any."""
    if skills is None:
        return {}
    points = {"skill_points": _keys(skills.points)} if skills.points else {}
    return {"skills": _keys(skills.skills), **points}


def skills_document(report: SkillsReport) -> dict[str, Json]:
    """The document of `sot skills export`, `import` and `sync`: that of the one project, or of each in `projects`.

    `error` is there only where something stopped the run.
    """
    document: dict[str, Json] = {"executed": report.executed, "targets": dict(report.targets)}
    if len(report.projects) == 1:
        document |= _skills(report.projects[0])
    else:
        document |= {"projects": [_skills(project) for project in report.projects]}
    document |= {"exit_code": report.exit_code}
    return document | (error_document(report.error) if report.error else {})


def _skills(outcome: SkillsOutcome) -> dict[str, Json]:
    """Where one side is written its lists stand by themselves, where both are they stand under each."""
    sides = {"files": outcome.files, "database": outcome.database}
    written: dict[str, dict[str, Json]] = {name: _skill_changes(changes) for name, changes in sides.items() if changes}
    both = len(written) == len(sides)
    lists: Mapping[str, Json] = dict(written) if both else next(iter(written.values()))
    return {
        "project_id": outcome.project_id,
        **lists,
        "unchanged": outcome.unchanged,
        "conflicts": [_conflict(conflict) for conflict in outcome.conflicts],
        "quarantined": [{"path": path, "message": message} for path, message in outcome.quarantined.items()],
        **({"points": outcome.points.document} if outcome.points else {}),
        "side": "both" if both else next(iter(written)),
        "problems": [problem_json(problem) for problem in outcome.problems],
        "seconds": dict(outcome.seconds),
    }


def _skill_changes(changes: SkillChanges) -> dict[str, Json]:
    return {
        "created": list(changes.created),
        "updated": list(changes.updated),
        "deleted": list(changes.deleted),
        "renamed": [list(pair) for pair in changes.renamed],
    }


def _conflict(conflict: SkillConflict | Conflict) -> dict[str, Json]:
    return {
        "path": conflict.path,
        "field": conflict.field,
        "base": conflict.base,
        "ours": conflict.ours,
        "theirs": conflict.theirs,
    }


def open_conflict_json(found: OpenConflict) -> dict[str, Json]:
    """A conflict that waits; `resolution` is what the next sync does about it, null where nobody has decided."""
    return {"project_id": found.project_id, **_conflict(found.stored.conflict), "resolution": found.stored.resolution}
