"""One builder for everything that Dagster loads. Nothing is read or connected here."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version

import dagster as dg

from sot_pipeline.orchestration.alerts import build_run_failure_sensor
from sot_pipeline.orchestration.assets import ledger_assets
from sot_pipeline.orchestration.checks import ledger_checks
from sot_pipeline.orchestration.code_assets import code_assets
from sot_pipeline.orchestration.code_checks import code_checks
from sot_pipeline.orchestration.group import CODE, LEDGERS, SKILLS, group_of
from sot_pipeline.orchestration.jobs import CODE_JOBS, SKILL_JOBS, group_jobs, scheduled_jobs
from sot_pipeline.orchestration.sensors import file_sensors
from sot_pipeline.orchestration.skill_assets import skill_assets
from sot_pipeline.orchestration.skill_checks import skill_checks
from sot_pipeline.orchestration.snapshots import SnapshotIOManager
from sot_pipeline.workspace import Workspace

SNAPSHOT_FOLDER = ".sot/snapshots"


def build_definitions(workspace: Workspace, *, resources: Mapping[str, object] | None = None) -> dg.Definitions:
    """Fresh definitions for `workspace`; `resources` replaces "workspace" or "snapshots".

    Raises ConfigError where a schedule cannot be understood.
    """
    release = version("sot-pipeline")
    ledgers, code, skills = (group_of(workspace, name, release) for name in (LEDGERS, CODE, SKILLS))
    with warnings.catch_warnings():
        # Dagster calls checks with partitions new, and says so at every load.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        checks = ledger_checks(workspace, ledgers)
        of_code = code_checks(workspace, code)
        of_skills = skill_checks(workspace, skills)
    own = dg.Definitions(
        assets=[
            *ledger_assets(workspace, ledgers),
            *code_assets(workspace, code),
            *skill_assets(workspace, skills),
        ],
        asset_checks=[*checks, *of_code, *of_skills],
        sensors=[*file_sensors(workspace), build_run_failure_sensor()],
        resources={
            "workspace": workspace,
            "snapshots": SnapshotIOManager(base_path=str(workspace.folder / SNAPSHOT_FOLDER)),
            **(resources or {}),
        },
        # One process a run: the multiprocess executor pays seconds of start-up for every step.
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(
        own,
        scheduled_jobs(workspace, checks),
        group_jobs(workspace, code, CODE_JOBS, of_code),
        group_jobs(workspace, skills, SKILL_JOBS, of_skills),
    )
