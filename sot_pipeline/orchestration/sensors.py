"""The sensors that start a run when a project's ledgers or source files change.

What counts as a change is decided in `runtime.tree`; what happens after a failed run is `alerts.py`.
"""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import dagster as dg

from sot_pipeline.ledgers.files import digest_ledger, stat_ledgers
from sot_pipeline.orchestration.assets import LEDGER_FILES
from sot_pipeline.orchestration.code_assets import SOURCE_FILES, coded_projects
from sot_pipeline.orchestration.cursor import decode, encode
from sot_pipeline.orchestration.jobs import REFRESH_CODE_JOB, REFRESH_JOB
from sot_pipeline.runtime.tree import ProjectState, Stat, changed_paths, look
from sot_pipeline.steps.code_stats import digest_source, stat_sources
from sot_pipeline.workspace import Project, Workspace

# The daemon looks at sensors every 5 s. An interval of 5 would let it pass every other time, because
# it counts from the end of the last tick.
INTERVAL_SECONDS = 3
PATHS_IN_TAG = 20
# The tag by which Dagster reads the data version of an event that no run made.
DATA_VERSION_TAG = "dagster/data_version"


@dataclass(frozen=True, slots=True)
class Watched:
    """One kind of files that a sensor watches: whose, how they are looked at, and what a change is reported as."""

    asset: str
    noun: str
    projects: tuple[Project, ...]
    stat: Callable[[Project], Mapping[str, Stat]]
    digest: Callable[[Project, str], str]


def ledger_file_sensor(context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]) -> dg.SensorResult:
    """Starts one run for each project whose ledgers changed since the last tick.

    The first tick knows nothing and so starts a run for every project; a run that finds all
    targets right already writes nothing.
    """
    return _tick(context.cursor, Watched(LEDGER_FILES, "ledgers", workspace.projects, stat_ledgers, digest_ledger))


def source_file_sensor(context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]) -> dg.SensorResult:
    """Starts one run for each project whose source files changed since the last tick; see `ledger_file_sensor`."""
    return _tick(
        context.cursor, Watched(SOURCE_FILES, "source files", coded_projects(workspace), stat_sources, digest_source)
    )


def _tick(cursor: str | None, watched: Watched) -> dg.SensorResult:
    before = decode(cursor)
    now_ns = time.time_ns()
    after = {
        project.id: look(before.get(project.id), watched.stat(project), partial(watched.digest, project), now_ns=now_ns)
        for project in watched.projects
    }
    changed = [name for name, state in after.items() if name not in before or state.hash != before[name].hash]
    if not changed:
        files = sum(len(state.files) for state in after.values())
        return dg.SensorResult(skip_reason=f"None of {files} {watched.noun} changed.", cursor=encode(after))
    return dg.SensorResult(
        run_requests=[_request(name, before.get(name), after[name]) for name in changed],
        asset_events=[_reported(watched.asset, name, after[name]) for name in changed],
        cursor=encode(after),
    )


def _request(project_id: str, before: ProjectState | None, after: ProjectState) -> dg.RunRequest:
    paths = changed_paths(before, after)
    more = [f"and {len(paths) - PATHS_IN_TAG} more"] if len(paths) > PATHS_IN_TAG else []
    return dg.RunRequest(
        run_key=f"{project_id}:{after.hash}:{after.generation}",
        partition_key=project_id,
        tags={"sot/changed_paths": ", ".join([*paths[:PATHS_IN_TAG], *more])},
    )


def _reported(asset: str, project_id: str, state: ProjectState) -> dg.AssetMaterialization:
    """The files' new hash. Not an observation: Dagster follows the data version of a partition
    downstream only through materializations, also of assets that it does not make itself.
    """
    return dg.AssetMaterialization(
        asset,
        partition=project_id,
        tags={DATA_VERSION_TAG: state.hash},
        metadata={"files": len(state.files), "bytes": sum(file.size for file in state.files.values())},
    )


def file_sensors(workspace: Workspace) -> list[dg.SensorDefinition]:
    """The sensors, running by default; that of source files only where a project has a code index."""
    sensors = [(REFRESH_JOB, ledger_file_sensor)]
    if coded_projects(workspace):
        sensors.append((REFRESH_CODE_JOB, source_file_sensor))
    return [
        dg.sensor(
            job_name=job,
            minimum_interval_seconds=INTERVAL_SECONDS,
            default_status=dg.DefaultSensorStatus.RUNNING,
        )(function)
        for job, function in sensors
    ]
