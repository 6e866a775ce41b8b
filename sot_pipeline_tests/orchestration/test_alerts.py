from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from sot_pipeline.errors import DatabaseUnavailable, LockNotAcquired, ReadmeMarkersError
from sot_pipeline.orchestration.alerts import FailedRun, failed_run, post, record_failure, run_failure_sensor
from sot_pipeline.orchestration.build import build_definitions
from sot_pipeline.orchestration.steps import explained
from sot_pipeline.targets.database import Database
from sot_pipeline.workspace import Workspace
from sot_pipeline_tests.orchestration.conftest import MakeWorkspace

FAILED = FailedRun("id", "verify", "alpha", ("db_rows",), "the database is gone")


@contextmanager
def webhook(status: int = 200) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A real server on a port of its own, and what was posted to it."""
    received: list[dict[str, object]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook/s3cret", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def failure_context(workspace: Workspace) -> dg.RunFailureSensorContext:
    """The context of the sensor after a real run that failed: a ledger that cannot be read."""
    (workspace.project("alpha").root / "docs/DEBUG_LOG.md").write_bytes(b"\xff\x00")
    instance = dg.DagsterInstance.ephemeral()
    job = build_definitions(workspace).resolve_job_def("refresh_ledgers")
    result = job.execute_in_process(tags={"dagster/partition": "alpha"}, instance=instance, raise_on_error=False)
    event = next(event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE)
    return dg.build_run_status_sensor_context(
        sensor_name="run_failure_sensor", dagster_instance=instance, dagster_run=result.dagster_run, dagster_event=event
    ).for_run_failure()


def activity(workspace: Workspace) -> list[tuple[str, str, str]]:
    with Database(workspace.database_url) as database:
        found = database.activities("alpha")
    return [(row.activity.sync_type, row.activity.status, row.activity.error_message or "") for row in found]


def test_failed_run_is_noted_and_posted(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace()
    context = failure_context(workspace)
    with webhook() as (url, received):
        run_failure_sensor(context, replace(workspace, webhook_url=SecretStr(url)))

    (body,) = received
    assert (body["event"], body["job"], body["project_id"]) == ("run_failure", "refresh_ledgers", "alpha")
    assert "entries_parse" in str(body["message"])
    assert str(body["text"]).startswith("refresh_ledgers for alpha failed: ")
    ((sync_type, status, message),) = [row for row in activity(workspace) if row[1] == "failed"]
    assert (sync_type, status) == ("dagster:refresh_ledgers", "failed")
    assert "entries_parse" in message


def test_database_that_is_gone_does_not_keep_the_webhook_from_being_called(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace()
    context = failure_context(workspace)
    gone = replace(workspace, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    with webhook() as (url, received):
        run_failure_sensor(context, replace(gone, webhook_url=SecretStr(url)))

    assert len(received) == 1


def test_webhook_that_refuses_is_told_without_its_url() -> None:
    with webhook(status=500) as (url, _):
        assert post(url, FAILED.payload) == "status 500"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/s3cret", "nonsense s3cret", "ftp://host/s3cret"])
def test_webhook_that_cannot_be_reached_is_told_without_its_url(url: str) -> None:
    problem = post(url, FAILED.payload)

    assert problem
    assert "s3cret" not in problem


def test_run_without_a_project_leaves_no_line(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    record_failure(make_workspace(), replace(FAILED, project_id=None))

    assert not (tmp_path / "sot.db").exists()


def test_password_in_a_message_is_redacted(make_workspace: MakeWorkspace) -> None:
    @dg.op
    def leaks() -> None:
        raise RuntimeError("cannot connect to postgresql://user:s3cret@host/db")

    @dg.job
    def leaking() -> None:
        leaks()

    instance = dg.DagsterInstance.ephemeral()
    result = leaking.execute_in_process(instance=instance, raise_on_error=False)
    event = next(event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE)
    context = dg.build_run_status_sensor_context(
        sensor_name="s", dagster_instance=instance, dagster_run=result.dagster_run, dagster_event=event
    ).for_run_failure()

    failed = failed_run(context)

    assert failed.project_id is None
    assert failed.steps == ("leaks",)
    assert "user:***@host" in failed.message
    assert "s3cret" not in failed.message


@pytest.mark.parametrize(
    ("error", "again"),
    [(DatabaseUnavailable("gone"), True), (LockNotAcquired("held"), True), (ReadmeMarkersError("twice"), False)],
)
def test_only_what_may_pass_by_itself_is_tried_again(error: Exception, again: bool) -> None:
    with pytest.raises(dg.Failure) as failure, explained():
        raise error

    assert failure.value.description == str(error)
    assert failure.value.allow_retries is again
