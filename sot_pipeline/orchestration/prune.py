"""Which old runs may go, and the job that deletes them, so that the event log stays bounded."""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

from collections.abc import Iterable, Sequence

import dagster as dg

from sot_pipeline.workspace import Workspace

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
RUNS_AT_A_TIME = 200


def expendable(finished: Sequence[str], needed: Iterable[str], *, keep: int) -> tuple[str, ...]:
    """Which of `finished` (run ids, newest first) go: all but the newest `keep` and the needed ones."""
    protected = {*finished[:keep], *needed}
    return tuple(run_id for run_id in finished if run_id not in protected)


@dg.op
def delete_old_runs(context: dg.OpExecutionContext, workspace: dg.ResourceParam[Workspace]) -> None:
    """Delete finished runs beyond the newest `keep_runs`, oldest last.

    A run that holds the latest materialization of a project stays whatever its age: without it
    the UI would show that project's assets as never materialized.
    """
    finished = _finished_runs(context.instance)
    needed = _latest_materializations(context.instance, [project.id for project in workspace.projects])
    gone = expendable(finished, needed, keep=workspace.schedules.keep_runs)
    for run_id in gone:
        context.instance.delete_run(run_id)
    context.log.info(f"Deleted {len(gone)} of {len(finished)} finished runs.")
    context.add_output_metadata({"deleted": len(gone), "kept": len(finished) - len(gone)})


def _finished_runs(instance: dg.DagsterInstance) -> list[str]:
    found: list[str] = []
    while True:
        page = instance.get_run_records(
            dg.RunsFilter(statuses=FINISHED), limit=RUNS_AT_A_TIME, cursor=found[-1] if found else None
        )
        found += [record.dagster_run.run_id for record in page]
        if len(page) < RUNS_AT_A_TIME:
            return found


def _latest_materializations(instance: dg.DagsterInstance, partitions: Sequence[str]) -> set[str]:
    """Ids of the runs that materialized each asset last, for every partition."""
    needed: set[str] = set()
    for asset in instance.get_asset_keys():
        for partition in partitions:
            latest = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[partition]), limit=1
            )
            needed.update(record.run_id for record in latest.records)
    return needed


@dg.job(description="Delete the oldest finished runs; `keep_runs` in sot.toml says how many stay.")
def prune_runs() -> None:
    """Keeps the event log bounded."""
    delete_old_runs()
