"""The sensors that start a run when a project's ledgers, source files or skills change.

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
from sot_pipeline.orchestration.code_assets import SOURCE_FILES
from sot_pipeline.orchestration.cursor import decode, encode
from sot_pipeline.orchestration.group import CODE, LEDGERS, SKILLS, projects_of
from sot_pipeline.orchestration.jobs import REFRESH_CODE_JOB, REFRESH_JOB, REFRESH_SKILLS_JOB
from sot_pipeline.orchestration.skill_assets import SKILL_FILES
from sot_pipeline.orchestration.steps import explained
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.tree import ProjectState, Stat, changed_paths, look
from sot_pipeline.steps.code_stats import digest_source, stat_sources
from sot_pipeline.steps.skill_changes import SkillsLook, has_news, look_at_skills
from sot_pipeline.targets.database import Database
from sot_pipeline.workspace import Project, Workspace

# The daemon looks at sensors every 5 s. An interval of 5 would let it pass every other time, because
# it counts from the end of the last tick.
INTERVAL_SECONDS = 3
LOOK_SECONDS = 20.0
PATHS_IN_TAG = 20
# What a cursor calls the files of all skills of a project, beside the skills that differ: no id has a "/".
_ALL_FILES = "/files"
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
    coded = projects_of(workspace.projects, CODE)
    return _tick(context.cursor, Watched(SOURCE_FILES, "source files", coded, stat_sources, digest_source))


def skill_sensor(context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]) -> dg.SensorResult:
    """Starts one run for each project of whose skills any changed since the last tick, in files or database.

    What a run writes agrees, and so starts no other run. The first tick starts one for every project.
    """
    before, now_ns = decode(context.cursor), time.time_ns()
    looks: dict[str, SkillsLook] = {}
    with Database(workspace.database_url) as database, explained():
        database.check(Deadline(LOOK_SECONDS))
        for project in projects_of(workspace.projects, SKILLS):
            known = before.get(project.id + _ALL_FILES), before.get(project.id)
            looks[project.id] = look_at_skills(project, database, known, now_ns=now_ns)
    after = {project_id: look.changes for project_id, look in looks.items()}
    files = {project_id: look.files for project_id, look in looks.items()}
    changed = [name for name, state in after.items() if has_news(before.get(name), state)]
    moved = [name for name, state in files.items() if _moved(before.get(name + _ALL_FILES), state)]
    cursor = encode(after | {name + _ALL_FILES: state for name, state in files.items()})
    return dg.SensorResult(
        run_requests=[_request(name, before.get(name), after[name]) for name in changed],
        asset_events=[_reported(SKILL_FILES, name, files[name]) for name in moved],
        skip_reason=None
        if changed
        else f"None of {sum(len(look.listing.skills) for look in looks.values())} skills changed.",
        cursor=cursor,
    )


def _tick(cursor: str | None, watched: Watched) -> dg.SensorResult:
    before = decode(cursor)
    now_ns = time.time_ns()
    after = {
        project.id: look(before.get(project.id), watched.stat(project), partial(watched.digest, project), now_ns=now_ns)
        for project in watched.projects
    }
    changed = [name for name, state in after.items() if _moved(before.get(name), state)]
    files = sum(len(state.files) for state in after.values())
    return dg.SensorResult(
        run_requests=[_request(name, before.get(name), after[name]) for name in changed],
        asset_events=[_reported(watched.asset, name, after[name]) for name in changed],
        skip_reason=None if changed else f"None of {files} {watched.noun} changed.",
        cursor=encode(after),
    )


def _moved(before: ProjectState | None, after: ProjectState) -> bool:
    return before is None or before.hash != after.hash


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
    """The sensors, running by default; one for each group that any project has."""
    sensors = [
        (LEDGERS, REFRESH_JOB, ledger_file_sensor),
        (CODE, REFRESH_CODE_JOB, source_file_sensor),
        (SKILLS, REFRESH_SKILLS_JOB, skill_sensor),
    ]
    return [
        dg.sensor(
            job_name=job,
            minimum_interval_seconds=INTERVAL_SECONDS,
            default_status=dg.DefaultSensorStatus.RUNNING,
        )(function)
        for group, job, function in sensors
        if projects_of(workspace.projects, group)
    ]
