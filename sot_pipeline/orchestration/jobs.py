"""Jobs and their schedules: refresh, full rebuild, verification, pruning of old runs.

What pruning may delete is decided in `prune.py`; runs for changed files are asked for by
`sensors.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dagster as dg

from sot_pipeline.errors import ConfigError
from sot_pipeline.orchestration.assets import GROUP, REBUILD_TAG
from sot_pipeline.orchestration.checks import PARSER_CHECKS
from sot_pipeline.orchestration.code_assets import GROUP as CODE_GROUP
from sot_pipeline.orchestration.code_assets import coded_projects
from sot_pipeline.orchestration.prune import prune_runs
from sot_pipeline.workspace import Project, Workspace

REFRESH_JOB = "refresh_ledgers"
REFRESH_CODE_JOB = "refresh_code"
# The tag by which the UI, too, says for which partition a run is.
PARTITION_TAG = "dagster/partition"
# Away from the full hour, when the other schedules start.
PRUNE_CRON = "40 4 * * *"


def scheduled_jobs(workspace: Workspace, checks: Sequence[dg.AssetChecksDefinition]) -> dg.Definitions:
    """The four jobs, and a schedule for each but `refresh_ledgers`, which the sensor starts.

    Raises ConfigError where `[schedules]` holds something that is no cron string or time zone.
    """
    ledgers = dg.AssetSelection.groups(GROUP)
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


def code_jobs(workspace: Workspace, checks: Sequence[dg.AssetChecksDefinition]) -> dg.Definitions:
    """The two jobs of group `code`, each with a schedule; nothing where no project has a code index.

    The nightly pass also finds what no file says: commits age, and so do hot spots.
    """
    projects = coded_projects(workspace)
    if not projects:
        return dg.Definitions()
    refresh = dg.define_asset_job(
        REFRESH_CODE_JOB,
        dg.AssetSelection.groups(CODE_GROUP),
        description="Index the source files of one project that changed, and relate all of them.",
    )
    verify = dg.define_asset_job(
        "verify_code",
        dg.AssetSelection.checks(*(key for check in checks for key in check.check_keys)),
        description="Compare the code tables of one project with its files, and its points with them; changes nothing.",
    )
    times = workspace.schedules
    schedules = [
        _schedule(workspace, "nightly_code_pass", times.nightly_full_rebuild, REFRESH_CODE_JOB, projects),
        _schedule(workspace, "hourly_verify_code", times.hourly_verify, "verify_code", projects),
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
