"""The assets of group `code`, partitioned by the projects that have a code index: thin, each one call of `sync_code`.

What a check says is `code_checks.py`; what the UI shows of an outcome is `code_metadata.py`.
"""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

from collections.abc import Iterator

import dagster as dg

from sot_pipeline.errors import SotError
from sot_pipeline.index_points import embedded
from sot_pipeline.orchestration import code_metadata, metadata
from sot_pipeline.orchestration.group import OWNERS, WRITERS_POOL, Group
from sot_pipeline.orchestration.steps import RETRIES, WriteOptions, explained, log_problems, writing
from sot_pipeline.outcome import Mode
from sot_pipeline.plan import hash_text
from sot_pipeline.session import Session
from sot_pipeline.steps.code import code_index, sync_code
from sot_pipeline.steps.code_points import code_rows
from sot_pipeline.steps.row_points import sync_points
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.workspace import Project, Workspace

SOURCE_FILES = "source_files"
CODE_POINTS = "code_points"


def code_tables(
    context: dg.AssetExecutionContext, config: WriteOptions, workspace: dg.ResourceParam[Workspace]
) -> Iterator[dg.MaterializeResult[None]]:
    """Both tables from one analysis of what changed; one that cannot be written does not hold up the other."""
    project = workspace.project(context.partition_key)
    with writing(workspace, project, Mode.DB_ONLY, config) as session:
        done = sync_code(session, project, execute=True, allow_mass_delete=config.allow_mass_delete)
        log_problems(context, done.problems)
        versions = {table: _version(session, project, table) for table in CodeTable}
    for table, counts in ((CodeTable.FILES, done.files), (CodeTable.METADATA, done.metadata)):
        if counts and table not in done.incomplete and dg.AssetKey(table.value) in context.selected_asset_keys:
            shown = code_metadata.of_table(table, counts, done)
            yield dg.MaterializeResult(asset_key=table.value, data_version=versions[table], metadata=shown)
    _raise(done.error)


def code_graph(
    context: dg.AssetExecutionContext, config: WriteOptions, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[None]:
    """What only all files together tell: graph scores, duplication, churn, hot spots."""
    project = workspace.project(context.partition_key)
    with writing(workspace, project, Mode.DB_ONLY, config) as session:
        done = sync_code(session, project, execute=True, full=True, allow_mass_delete=config.allow_mass_delete)
        log_problems(context, done.problems)
        _raise(done.error)
        version = _version(session, project, CodeTable.METADATA)
        shown = code_metadata.of_graph(code_index(session, project), done)
    return dg.MaterializeResult(data_version=version, metadata=shown)


def code_points(
    context: dg.AssetExecutionContext, config: WriteOptions, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[None]:
    """The project's Qdrant collection of code: one point for each chunk of a source file."""
    project = workspace.project(context.partition_key)
    if not embedded((project,)):
        return dg.MaterializeResult(
            data_version=dg.DataVersion("none"), metadata={"points": "The code of this project is not embedded."}
        )
    watch = metadata.Stopwatch()
    with watch.phase("write"), writing(workspace, project, Mode.FULL, config, kind=Kind.CODE) as session:
        rows = code_rows(session, project)
        points = sync_points(session, rows, execute=True, allow_mass_delete=config.allow_mass_delete)
        version = _version(session, project, CodeTable.FILES).value
    log_problems(context, points.problems)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(hash_text(f"{version} {workspace.embedding.model}")),
        metadata=metadata.of_points(CollectionId(project.id, Kind.CODE), points) | watch.metadata,
    )


def _version(session: Session, project: Project, table: CodeTable) -> dg.DataVersion:
    """Fingerprint of all rows of a table: equal files give it in every run."""
    found = sorted(code_index(session, project).fingerprints(table).items())
    return dg.DataVersion(hash_text("\n".join(f"{path} {content_hash}" for path, content_hash in found)))


def _raise(error: SotError | None) -> None:
    if error:
        with explained():
            raise error


def has_code_points(workspace: Workspace) -> bool:
    """True where any project's code is embedded; without one there is no asset `code_points`."""
    return bool(embedded(workspace.projects))


def code_assets(workspace: Workspace, group: Group) -> list[dg.AssetSpec | dg.AssetsDefinition]:
    """The assets of the group; none where no project has a code index."""
    if not group.projects:
        return []
    descriptions = {
        CodeTable.FILES: "One row for each source file: its text, and what is defined in it.",
        CodeTable.METADATA: "One row for each source file: its metrics; null, with a reason, where one is not known.",
    }
    files = "The source files as they stand in the project's folder; the sensor reports their hash."
    tables = dg.multi_asset(
        name="code_tables",
        specs=[
            dg.AssetSpec(
                table.value,
                deps=[SOURCE_FILES],
                description=text,
                group_name=group.name,
                owners=OWNERS,
                code_version=group.version,
                kinds={group.database},
                skippable=True,
            )
            for table, text in descriptions.items()
        ],
        partitions_def=group.partitions,
        retry_policy=RETRIES,
        pool=WRITERS_POOL,
        can_subset=True,
    )(code_tables)
    graph = group.written(deps=[table.value for table in CodeTable], kinds={group.database})(code_graph)
    assets: list[dg.AssetSpec | dg.AssetsDefinition] = [group.files(SOURCE_FILES, files, "file"), tables, graph]
    if has_code_points(workspace):
        assets.append(group.written(deps=[CodeTable.FILES.value], kinds={"qdrant"})(code_points))
    return assets
