"""Outcomes as the JSON documents of the command line's contract. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sot_pipeline.cli.output import error_document
from sot_pipeline.outcome import CodeAgreement, Disagreement, ProjectAgreement, ProjectOutcome, SyncReport
from sot_pipeline.plan import Json, Problem

if TYPE_CHECKING:
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
