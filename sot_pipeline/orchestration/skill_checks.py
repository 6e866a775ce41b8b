"""The asset checks of group `skills`: do files and database agree, what waits for a decision, what breaks conventions.

They look at both sides as they are now, and write nothing.
"""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

import dagster as dg

from sot_pipeline.index_points import rows_of
from sot_pipeline.orchestration.assets import has_vectors
from sot_pipeline.orchestration.checks import project_of
from sot_pipeline.orchestration.group import Group
from sot_pipeline.orchestration.metadata import disagreement_metadata, problem_table
from sot_pipeline.orchestration.skill_assets import SKILL_POINTS, SKILLS_IN_SYNC
from sot_pipeline.orchestration.skill_metadata import of_conflicts, of_skills
from sot_pipeline.orchestration.steps import explained, reading
from sot_pipeline.outcome import Mode, SkillConflict
from sot_pipeline.skills.files import read_skills
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps.skills import skill_folders, skill_store, sync_skills
from sot_pipeline.sync_skills import touched, warnings_of
from sot_pipeline.targets.database.skill_texts import SkillTexts
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.verify_points import verify_points
from sot_pipeline.workspace import Workspace


def skills_agree(context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    """Files and database hold the same skills, and the full text is that of the rows."""
    project = project_of(context, workspace)
    with reading(workspace, (project,), Mode.DB_ONLY) as session:
        found = sync_skills(session, project, Direction.SYNC, execute=False)
        texts = SkillTexts(session.require_database(), project.id).listed()
    unindexed = sum(not text.content_hash for text in texts.values())
    differs = touched(found) or found.conflicts or found.quarantined or unindexed
    return dg.AssetCheckResult(passed=not differs, metadata={**of_skills(found), "unindexed": unindexed})


def skill_conventions(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """Every skill keeps to the public Agent Skills convention. A warning: the others are synced all the same."""
    with explained():
        found = warnings_of(read_skills(skill_folders(project_of(context, workspace)).root).skills.values())
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"warnings": len(found), **({"problems": problem_table(found)} if found else {})},
    )


def skill_conflicts(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """No skill waits for a decision between its files and its row."""
    project = project_of(context, workspace)
    with reading(workspace, (project,), Mode.DB_ONLY) as session:
        found = [stored.conflict for stored in skill_store(session, project).conflicts()]
    shown = of_conflicts(SkillConflict(each.path, each.field, each.base, each.ours, each.theirs) for each in found)
    return dg.AssetCheckResult(passed=not found, metadata=shown)


def skill_points_match_rows(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The collection of skills holds one right point for each chunk of a skill in the database, and no other."""
    project = project_of(context, workspace)
    with reading(workspace, (project,), Mode.FULL, Kind.SKILLS) as session:
        found = verify_points(session, rows_of(session, project, Kind.SKILLS))
    return dg.AssetCheckResult(passed=found.agrees, metadata=disagreement_metadata((found,)))


def skill_checks(workspace: Workspace, group: Group) -> list[dg.AssetChecksDefinition]:
    """The checks of the assets that this workspace has."""
    if not group.projects:
        return []
    checks = [group.check(asset=SKILLS_IN_SYNC)(check) for check in (skills_agree, skill_conventions, skill_conflicts)]
    if has_vectors(workspace):
        checks.append(group.check(asset=SKILL_POINTS)(skill_points_match_rows))
    return checks
