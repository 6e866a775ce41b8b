"""What happens after a failed run: a line in `sync_activity` and, if configured, a webhook call."""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from sot_pipeline.errors import SotError
from sot_pipeline.orchestration.jobs import PARTITION_TAG
from sot_pipeline.outcome import Mode
from sot_pipeline.plan import Counts
from sot_pipeline.redact import redact
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import open_session
from sot_pipeline.targets.database import Activity
from sot_pipeline.workspace import Workspace

INTERVAL_SECONDS = 10
ACTIVITY_SECONDS = 20.0
WEBHOOK_SECONDS = 10.0
MESSAGE_LENGTH = 2_000


@dataclass(frozen=True, slots=True)
class FailedRun:
    """What is told about a failed run; `project_id` is None where the run had no partition."""

    run_id: str
    job: str
    project_id: str | None
    steps: tuple[str, ...]
    message: str

    @property
    def payload(self) -> dict[str, object]:
        """The webhook's JSON body. `text` is what chat services show."""
        where = f" for {self.project_id}" if self.project_id else ""
        return {
            "event": "run_failure",
            "run_id": self.run_id,
            "job": self.job,
            "project_id": self.project_id,
            "steps": list(self.steps),
            "message": self.message,
            "text": f"{self.job}{where} failed: {self.message}",
        }


def run_failure_sensor(context: dg.RunFailureSensorContext, workspace: dg.ResourceParam[Workspace]) -> None:
    """Records a failed run in `sync_activity` and posts it to the webhook of `sot.toml`.

    Neither may keep the other from happening: what goes wrong here is logged in the tick.
    """
    failed = failed_run(context)
    try:
        record_failure(workspace, failed)
    except SotError as error:
        context.log.error(f"sync_activity was not written: {error}")
    if workspace.webhook_url:
        problem = post(workspace.webhook_url.get_secret_value(), failed.payload)
        if problem:
            context.log.error(f"The webhook was not reached: {problem}")


def failed_run(context: dg.RunFailureSensorContext) -> FailedRun:
    """The failed run as values; passwords in messages are redacted."""
    run = context.dagster_run
    steps = [event for event in context.get_step_failure_events() if event.step_key]
    causes = [_cause(event) for event in steps] or [context.failure_event.message or "The run failed."]
    return FailedRun(
        run_id=run.run_id,
        job=run.job_name,
        project_id=run.tags.get(PARTITION_TAG),
        steps=tuple(str(event.step_key) for event in steps),
        message=redact(" ".join(causes))[:MESSAGE_LENGTH],
    )


def _cause(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error and error.cause:
        error = error.cause
    return error.message.strip() if error else (event.message or "")


def record_failure(workspace: Workspace, failed: FailedRun) -> None:
    """Write the line of `sync_activity`. Raises SotError where the database cannot be reached."""
    if failed.project_id not in {project.id for project in workspace.projects}:
        return  # a run without a project, such as pruning, has no line there
    activity = Activity(
        sync_type=f"dagster:{failed.job}",
        entries_synced=0,
        status="failed",
        error_message=failed.message,
        counts=Counts(),
        duration_seconds=0.0,
    )
    project = workspace.project(failed.project_id)
    deadline = Deadline(ACTIVITY_SECONDS)
    with open_session(workspace, Mode.DB_ONLY, projects=(project,), execute=False, deadline=deadline) as session:
        session.require_database().record_activity(project.id, activity, deadline)


def post(url: str, payload: Mapping[str, object]) -> str | None:
    """POST `payload` as JSON; what went wrong, without the URL (it is a secret), or None."""
    import httpx  # 0.1 s to import, and most workspaces have no webhook

    try:
        answer = httpx.post(url, json=dict(payload), timeout=WEBHOOK_SECONDS, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__
    return None if answer.is_success else f"status {answer.status_code}"


def build_run_failure_sensor() -> dg.SensorDefinition:
    """The sensor, running by default, over every job of this code location."""
    return dg.run_failure_sensor(
        name="run_failure_sensor",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=run_failure_sensor.__doc__,
    )(run_failure_sensor)
