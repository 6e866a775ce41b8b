"""The assets of group `skills`, partitioned by the projects that have some: thin, each one step.

What a check says is `skill_checks.py`; what the UI shows of an outcome is `skill_metadata.py`.
"""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

import dagster as dg

from sot_pipeline.orchestration import metadata, skill_metadata
from sot_pipeline.orchestration.assets import has_vectors
from sot_pipeline.orchestration.group import Group
from sot_pipeline.orchestration.steps import WriteOptions, log_problems, writing
from sot_pipeline.outcome import Mode
from sot_pipeline.plan import hash_text
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps.row_points import sync_points
from sot_pipeline.steps.skill_points import skill_rows
from sot_pipeline.steps.skills import skill_store, sync_skills
from sot_pipeline.targets.database.tables import skills as skills_table
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.workspace import Workspace

SKILL_FILES = "skill_files"
SKILLS_IN_SYNC = "skills_in_sync"
SKILL_POINTS = "skill_points"


def skills_in_sync(
    context: dg.AssetExecutionContext, config: WriteOptions, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[None]:
    """The project's skills, the same in files and database: edits of either side are brought to the other."""
    project = workspace.project(context.partition_key)
    with writing(workspace, project, Mode.DB_ONLY, config) as session:
        done = sync_skills(session, project, Direction.SYNC, execute=True, allow_mass_delete=config.allow_mass_delete)
        log_problems(context, done.problems)
        if done.error:
            raise done.error
        store = skill_store(session, project)
        agreed, rows = sorted(store.base().values()), len(store.versions())
    return dg.MaterializeResult(
        data_version=dg.DataVersion(hash_text("\n".join(f"{each.path} {each.folder_hash}" for each in agreed))),
        metadata={
            **skill_metadata.of_skills(done),
            "dagster/row_count": rows,
            "dagster/table_name": skills_table.name,
            "dagster/column_schema": dg.MetadataValue.table_schema(metadata.schema_of(skills_table.name)),
        },
    )


def skill_points(
    context: dg.AssetExecutionContext, config: WriteOptions, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[None]:
    """The project's Qdrant collection of skills: one point for each chunk of a skill."""
    project = workspace.project(context.partition_key)
    watch = metadata.Stopwatch()
    with watch.phase("write"), writing(workspace, project, Mode.FULL, config, kind=Kind.SKILLS) as session:
        rows = skill_rows(session, project)
        points = sync_points(session, rows, execute=True, allow_mass_delete=config.allow_mass_delete)
        texts = "\n".join(f"{path} {text.content_hash}" for path, text in rows.listed().items())
    log_problems(context, points.problems)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(hash_text(f"{texts} {workspace.embedding.model}")),
        metadata=metadata.of_points(CollectionId(project.id, Kind.SKILLS), points) | watch.metadata,
    )


def skill_assets(workspace: Workspace, group: Group) -> list[dg.AssetSpec | dg.AssetsDefinition]:
    """The assets of the group; none where no project has skills, no points where Qdrant is not configured."""
    if not group.projects:
        return []
    files = "The folders of skills as they stand in the project's folder; the sensor reports their hash."
    assets: list[dg.AssetSpec | dg.AssetsDefinition] = [
        group.files(SKILL_FILES, files, "markdown"),
        group.written(deps=[SKILL_FILES], kinds={group.database, "markdown"})(skills_in_sync),
    ]
    if has_vectors(workspace):
        assets.append(group.written(deps=[SKILLS_IN_SYNC], kinds={"qdrant"})(skill_points))
    return assets
