"""One builder for everything that Dagster loads. Nothing is read or connected here."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version

import dagster as dg

from sot_pipeline.orchestration.alerts import build_run_failure_sensor
from sot_pipeline.orchestration.assets import ledger_assets
from sot_pipeline.orchestration.checks import ledger_checks
from sot_pipeline.orchestration.jobs import scheduled_jobs
from sot_pipeline.orchestration.sensors import build_ledger_file_sensor
from sot_pipeline.orchestration.snapshots import SnapshotIOManager
from sot_pipeline.workspace import Workspace

SNAPSHOT_FOLDER = ".sot/snapshots"


def build_definitions(workspace: Workspace, *, resources: Mapping[str, object] | None = None) -> dg.Definitions:
    """Fresh definitions for `workspace`; `resources` replaces "workspace" or "snapshots".

    Raises ConfigError where a schedule cannot be understood.
    """
    partitions = dg.StaticPartitionsDefinition([project.id for project in workspace.projects])
    with warnings.catch_warnings():
        # Dagster calls checks with partitions new, and says so at every load.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        checks = ledger_checks(workspace, partitions)
    own = dg.Definitions(
        assets=ledger_assets(workspace, partitions, version("sot-pipeline")),
        asset_checks=checks,
        sensors=[build_ledger_file_sensor(), build_run_failure_sensor()],
        resources={
            "workspace": workspace,
            "snapshots": SnapshotIOManager(base_path=str(workspace.folder / SNAPSHOT_FOLDER)),
            **(resources or {}),
        },
        # One process a run: the multiprocess executor pays seconds of start-up for every step.
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(own, scheduled_jobs(workspace, checks))
