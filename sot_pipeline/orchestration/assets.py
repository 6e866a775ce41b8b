"""The assets of group `ledgers`, partitioned by project: thin, each one step of `sync.py`.

The functions are plain and `ledger_assets` makes assets of them. What a check says is
`checks.py`; what the UI shows of an outcome is `metadata.py`.
"""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

from datetime import timedelta

import dagster as dg

from sot_pipeline.ledgers.project import read_project
from sot_pipeline.orchestration import metadata
from sot_pipeline.orchestration.group import Group
from sot_pipeline.orchestration.snapshots import LedgerSnapshot, entries_hash, snapshot_of
from sot_pipeline.orchestration.steps import (
    WriteOptions,
    log_problems,
    read_current,
    writing,
)
from sot_pipeline.outcome import Mode
from sot_pipeline.plan import hash_text
from sot_pipeline.steps.readme import sync_readme
from sot_pipeline.steps.rows import sync_rows
from sot_pipeline.steps.vectors import sync_vectors
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.workspace import Workspace

LEDGER_FILES = "ledger_files"
# A tag and no option: the job's tags are on its runs however they are launched, its defaults are not.
REBUILD_TAG = "sot/rebuild"
# The nightly rebuild materializes both indexes; a late one is worth a warning, two a failure.
FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=26), fail_window=timedelta(hours=50))


def parsed_ledgers(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[LedgerSnapshot]:
    """Every entry of the project's ledgers, read and hashed; hands on keys and hashes."""
    watch = metadata.Stopwatch()
    with watch.phase("parse"):
        parsed = read_project(workspace.project(context.partition_key))
    log_problems(context, parsed.problems)
    return dg.MaterializeResult(
        value=snapshot_of(parsed),
        data_version=dg.DataVersion(entries_hash(parsed)),
        metadata=metadata.of_ledgers(parsed) | watch.metadata,
    )


def db_rows(
    context: dg.AssetExecutionContext,
    config: WriteOptions,
    parsed_ledgers: LedgerSnapshot,
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult[None]:
    """One row of `sot_entries` for each entry, and its full-text index."""
    watch = metadata.Stopwatch()
    with watch.phase("parse"):
        parsed = read_current(context, workspace, parsed_ledgers)
    with watch.phase("write"), writing(workspace, parsed.project, Mode.DB_ONLY, config) as session:
        rows = sync_rows(session, parsed, execute=True, allow_mass_delete=config.allow_mass_delete)
    log_problems(context, rows.problems)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(entries_hash(parsed)), metadata=metadata.of_rows(parsed, rows) | watch.metadata
    )


def vector_points(
    context: dg.AssetExecutionContext,
    config: WriteOptions,
    parsed_ledgers: LedgerSnapshot,
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult[None]:
    """The project's Qdrant collection: one point for each chunk of an entry."""
    watch = metadata.Stopwatch()
    with watch.phase("parse"):
        parsed = read_current(context, workspace, parsed_ledgers)
    anew, allow = REBUILD_TAG in context.run.tags, config.allow_mass_delete
    with (
        watch.phase("write"),
        writing(workspace, parsed.project, Mode.QDRANT_ONLY, config, rebuild=anew) as session,
    ):
        points = sync_vectors(session, parsed, execute=True, rebuild=anew, allow_mass_delete=allow)
    log_problems(context, points.problems)
    collection = CollectionId(parsed.project.id, Kind.DOCS)
    version = hash_text(f"{entries_hash(parsed)} {workspace.embedding.model}")
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version), metadata=metadata.of_points(collection, points) | watch.metadata
    )


def readme_summary(
    context: dg.AssetExecutionContext,
    config: WriteOptions,
    parsed_ledgers: LedgerSnapshot,
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult[None]:
    """The summary between the markers of the project's README, where it names one."""
    watch = metadata.Stopwatch()
    parsed = read_current(context, workspace, parsed_ledgers)
    with watch.phase("write"), writing(workspace, parsed.project, Mode.DB_ONLY, config) as session:
        readme = sync_readme(session, parsed, execute=True)
    if readme is None:
        return dg.MaterializeResult(
            data_version=dg.DataVersion("none"), metadata={"readme": "This project names no README."}
        )
    log_problems(context, readme.problems)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(hash_text(readme.summary)), metadata=metadata.of_readme(readme) | watch.metadata
    )


def ledger_assets(workspace: Workspace, group: Group) -> list[dg.AssetSpec | dg.AssetsDefinition]:
    """The assets of the group; an asset whose target nobody configured is left out."""
    description = "The ledgers as they stand in the project's folder; the sensor reports their hash."
    assets: list[dg.AssetSpec | dg.AssetsDefinition] = [
        group.files(LEDGER_FILES, description, "markdown"),
        group.asset(deps=[LEDGER_FILES], io_manager_key="snapshots", kinds={"python", "json"})(parsed_ledgers),
        group.written(kinds={group.database}, freshness_policy=FRESHNESS)(db_rows),
    ]
    if has_vectors(workspace):
        assets.append(group.written(kinds={"qdrant"}, freshness_policy=FRESHNESS)(vector_points))
    if has_readme(workspace):
        assets.append(group.written(kinds={"markdown"})(readme_summary))
    return assets


def has_vectors(workspace: Workspace) -> bool:
    """True where Qdrant is configured; without it there is no asset `vector_points`."""
    return workspace.qdrant is not None


def has_readme(workspace: Workspace) -> bool:
    """True where any project names a README; without one there is no asset `readme_summary`."""
    return any(project.readme for project in workspace.projects)
