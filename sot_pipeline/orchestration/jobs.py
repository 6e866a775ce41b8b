"""Jobs and their schedules: refresh, full rebuild, verification, pruning of old runs.

What pruning may delete is decided in `prune.py`; runs for changed files are asked for by
`sensors.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from sot_pipeline.errors import ConfigError
from sot_pipeline.orchestration.assets import REBUILD_TAG
from sot_pipeline.orchestration.checks import PARSER_CHECKS
from sot_pipeline.orchestration.group import LEDGERS, Group
from sot_pipeline.orchestration.prune import prune_runs
from sot_pipeline.workspace import Project, Workspace

REFRESH_JOB = "refresh_ledgers"
REFRESH_CODE_JOB = "refresh_code"
REFRESH_SKILLS_JOB = "refresh_skills"
# The tag by which the UI, too, says for which partition a run is.
PARTITION_TAG = "dagster/partition"
# Away from the full hour, when the other schedules start.
PRUNE_CRON = "40 4 * * *"


def scheduled_jobs(workspace: Workspace, checks: Sequence[dg.AssetChecksDefinition]) -> dg.Definitions:
    """The four jobs, and a schedule for each but `refresh_ledgers`, which the sensor starts.

    Raises ConfigError where `[schedules]` holds something that is no cron string or time zone.
    """
    ledgers = dg.AssetSelection.groups(LEDGERS)
    refresh = dg.define_asset_job(
        REFRESH_JOB, ledgers, description="Bring one project's targets up to date with its ledgers."
    )
    rebuild = dg.define_asset_job(
        "full_rebuild",
        ledgers,
        tags={REBUILD_TAG: "true"},
        description="Everything anew: rows compared one by one, vectors filled into a new version and swapped in.",
    )
    of_targets = [key for check in checks for key in check.check_keys if key.name not in PARSER_CHECKS]
    verify = dg.define_asset_job(
        "verify",
        dg.AssetSelection.checks(*of_targets),
        description="Read every target of one project again and compare it with the files; changes nothing.",
    )
    times = workspace.schedules
    schedules = [
        _schedule(workspace, "nightly_full_rebuild", times.nightly_full_rebuild, "full_rebuild", workspace.projects),
        _schedule(workspace, "hourly_verify", times.hourly_verify, "verify", workspace.projects),
        dg.ScheduleDefinition(
            name="daily_prune_runs",
            job=prune_runs,
            cron_schedule=PRUNE_CRON,
            execution_timezone=times.timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
        ),
    ]
    return dg.Definitions(jobs=[refresh, rebuild, verify, prune_runs], schedules=schedules)


@dataclass(frozen=True, slots=True)
class GroupJobs:
    """The two jobs of a group beside the ledgers, and the schedules that start them, by their names."""

    refresh: str
    refreshes: str
    verify: str
    verifies: str
    nightly: str
    hourly: str


# The nightly pass also finds what no file says: commits age, and so do hot spots.
CODE_JOBS = GroupJobs(
    REFRESH_CODE_JOB,
    "Index the source files of one project that changed, and relate all of them.",
    "verify_code",
    "Compare the code tables of one project with its files, and its points with them; changes nothing.",
    "nightly_code_pass",
    "hourly_verify_code",
)
SKILL_JOBS = GroupJobs(
    REFRESH_SKILLS_JOB,
    "Bring the skills of one project to agree in files and database, and their points with them.",
    "verify_skills",
    "Compare the skills of one project in files, database and points; changes nothing.",
    "nightly_skills_sync",
    "hourly_verify_skills",
)


def group_jobs(
    workspace: Workspace, group: Group, jobs: GroupJobs, checks: Sequence[dg.AssetChecksDefinition]
) -> dg.Definitions:
    """The two jobs of a group, each with a schedule; nothing where no project has what the group is made from."""
    if not group.projects:
        return dg.Definitions()
    refresh = dg.define_asset_job(jobs.refresh, dg.AssetSelection.groups(group.name), description=jobs.refreshes)
    verify = dg.define_asset_job(
        jobs.verify,
        dg.AssetSelection.checks(*(key for check in checks for key in check.check_keys)),
        description=jobs.verifies,
    )
    times = workspace.schedules
    schedules = [
        _schedule(workspace, jobs.nightly, times.nightly_full_rebuild, jobs.refresh, group.projects),
        _schedule(workspace, jobs.hourly, times.hourly_verify, jobs.verify, group.projects),
    ]
    return dg.Definitions(jobs=[refresh, verify], schedules=schedules)


def _schedule(
    workspace: Workspace, name: str, cron: str, job: str, projects: Sequence[Project]
) -> dg.ScheduleDefinition:
    """One run for each of `projects` at every tick of `cron`."""

    def requests(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        for project in projects:
            run_key = f"{project.id}:{context.scheduled_execution_time.isoformat()}"
            # By tag: a job of checks alone has no partitions of its own, but its runs may have one.
            yield dg.RunRequest(run_key=run_key, tags={PARTITION_TAG: project.id})

    try:
        return dg.schedule(
            name=name,
            job_name=job,
            cron_schedule=cron,
            execution_timezone=workspace.schedules.timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"Runs `{job}` once for each project.",
        )(requests)
    except dg.DagsterInvalidDefinitionError as error:
        raise ConfigError(
            f"{workspace.config_path}: [schedules] {name} = '{cron}', timezone = "
            f"'{workspace.schedules.timezone}': {error}",
            remedy="Write five cron fields such as '0 3 * * *', and an IANA time zone such as 'Europe/Berlin'.",
        ) from None
