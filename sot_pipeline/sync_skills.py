"""A whole sync of skills: the step over projects, what it came to, and what is noteworthy in the files it met.

What the command line calls. What the step does is `steps/skills.py`; people's decisions about
conflicts are `skill_decisions.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from sot_pipeline.errors import RequirementMissing, SkillUnreadable, SotError
from sot_pipeline.outcome import Mode, SkillChanges, SkillsOutcome
from sot_pipeline.per_project import Report, run_projects
from sot_pipeline.plan import Problem
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.order import LOCK_WAIT_SECONDS
from sot_pipeline.runtime.progress import Progress, silent
from sot_pipeline.session import Session, open_session
from sot_pipeline.skills.conventions import conventions
from sot_pipeline.skills.files import read_skill, read_skills
from sot_pipeline.skills.model import DOCUMENT, Skill
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps.skills import Choice, skill_folders, skill_store, sync_skills
from sot_pipeline.workspace import Project, Workspace

SkillsReport: TypeAlias = Report[SkillsOutcome]

EVERY_SKILL = Choice()
_NEAREST = 3


class SkillNotFound(SotError):
    """No skill, or none with a conflict, is at the path that was asked for (exit 1)."""

    def __init__(self, message: str, path: str, known: Iterable[str], otherwise: str) -> None:
        near = difflib.get_close_matches(path, sorted(known), n=_NEAREST)
        super().__init__(message, remedy=f"Did you mean {' or '.join(near)}?" if near else otherwise)


def skilled(projects: Sequence[Project]) -> tuple[Project, ...]:
    """Those of `projects` that have skills. Raises RequirementMissing where none has."""
    found = tuple(project for project in projects if project.skills)
    if not found:
        raise RequirementMissing(
            "No project has skills.",
            remedy='Add [project.skills] with path = "skills" below a [[project]] in sot.toml.',
        )
    return found


def path_of(given: str) -> str:
    """The path of a skill as a person gives it: with a slash at its end, or that of its SKILL.md, as well."""
    path = given.replace("\\", "/").removesuffix(f"/{DOCUMENT}").rstrip("/").removeprefix("./")
    return "." if path in {"", DOCUMENT} else path


def sync_skills_of(
    workspace: Workspace,
    projects: tuple[Project, ...],
    direction: Direction,
    *,
    execute: bool,
    deadline: Deadline,
    choice: Choice = EVERY_SKILL,
    allow_mass_delete: bool = False,
    lock_wait: float = LOCK_WAIT_SECONDS,
    progress: Progress = silent,
) -> SkillsReport:
    """Bring the two sides of the chosen skills of `projects` together, as far as `direction` writes them.

    The problems of an outcome have warnings about the skills that are written in them. Never raises
    SotError: what stopped the run is in the report, beside what was done before, as `run_projects`
    says.
    """

    def sync(session: Session, project: Project) -> tuple[SkillsOutcome, SotError | None]:
        try:
            outcome = sync_skills(
                session, project, direction, execute=execute, choice=choice, allow_mass_delete=allow_mass_delete
            )
            if choice.path is not None and _is_empty(outcome):
                raise _unknown(session, project, choice.path)
            root = skill_folders(project).root
            written = (read_skill(root, path) for path in sorted(touched(outcome)))
            warnings = warnings_of(skill for skill in written if skill)
            outcome = replace(outcome, problems=(*outcome.problems, *warnings))
        except SotError as error:
            outcome = SkillsOutcome(
                project.id,
                files=SkillChanges() if direction.writes_files else None,
                database=SkillChanges() if direction.writes_database else None,
                error=error,
            )
        return outcome, outcome.error

    opening = open_session(
        workspace,
        Mode.DB_ONLY,
        projects=projects,
        execute=execute,
        deadline=deadline,
        lock_wait=lock_wait,
        progress=progress,
    )
    run = run_projects(opening, projects, sync)
    return Report(execute, {"database": workspace.targets["database"]}, run.outcomes, run.error)


def touched(outcome: SkillsOutcome) -> set[str]:
    """Paths of the skills that are, or would be, made, changed, moved or deleted on either side."""
    sides = [side for side in (outcome.files, outcome.database) if side]
    changed = {path for side in sides for path in (*side.created, *side.updated, *side.deleted)}
    return changed | {new for side in sides for _, new in side.renamed}


def warnings_of(skills: Iterable[Skill]) -> tuple[Problem, ...]:
    """What is against the public convention in these skills; those that cannot be read have no warnings here."""
    return tuple(warning for skill in skills for warning in _warnings(skill))


def _warnings(skill: Skill) -> tuple[Problem, ...]:
    try:
        return conventions(skill.path, skill.document, skill.files.keys())
    except SkillUnreadable:
        return ()


def _is_empty(outcome: SkillsOutcome) -> bool:
    found = (outcome.unchanged, outcome.conflicts, outcome.quarantined, outcome.problems, outcome.error)
    return not any(found) and not touched(outcome)


def _unknown(session: Session, project: Project, path: str) -> SkillNotFound:
    rows = {version.path for version in skill_store(session, project).versions().values()}
    known = read_skills(skill_folders(project).root).skills.keys() | rows
    return SkillNotFound(
        f"No skill of project {project.id} is at {path}, or none with this status.",
        path,
        known - {path},
        "Name its folder as it is below the skills root, or a folder above it.",
    )
