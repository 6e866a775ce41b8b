"""Do skill folders and rows agree with each other and with what they last agreed on? Writes nothing."""

from __future__ import annotations

from sot_pipeline.outcome import Disagreement, SkillChanges, SkillsAgreement
from sot_pipeline.plan import Problem, Severity
from sot_pipeline.session import Session
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps.skills import sync_skills
from sot_pipeline.workspace import Project

CHECK = "skills_quarantined"


def verify_skills(session: Session, project: Project) -> SkillsAgreement:
    """What a sync would do, as paths: `missing` in the database, `extra` in it, or `stale` on either side.

    Skills in conflict are stale; of those that a sync leaves alone nobody can say whether they
    agree, so they are problems. Raises as `steps.skills.sync_skills` does without `execute`.
    """
    planned = sync_skills(session, project, Direction.SYNC, execute=False, allow_mass_delete=True)
    files, database = planned.files or SkillChanges(), planned.database or SkillChanges()
    missing = {*database.created, *files.deleted}
    extra = {*files.created, *database.deleted}
    renamed = {new for _, new in (*files.renamed, *database.renamed)}
    stale = {*files.updated, *database.updated, *renamed, *(conflict.path for conflict in planned.conflicts)}
    quarantined = (
        Problem(CHECK, Severity.ERROR, path, None, f"Left alone: {reason}")
        for path, reason in planned.quarantined.items()
    )
    return SkillsAgreement(
        Disagreement(*(tuple(sorted(paths)) for paths in (missing, extra, stale))),
        agreed=planned.unchanged,
        problems=(*planned.problems, *quarantined),
        points=_points(session, project) if session.store else None,
    )


def _points(session: Session, project: Project) -> Disagreement:
    # Only where Qdrant is configured is there something to import.
    from sot_pipeline.steps.skill_points import skill_rows
    from sot_pipeline.verify_points import verify_points

    return verify_points(session, skill_rows(session, project))
