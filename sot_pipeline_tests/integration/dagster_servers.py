"""A real `sot ui` (webserver and daemon) for tests, and the GraphQL calls that the browser makes."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

REPOSITORY = "__repository__"
ASSET_JOB = "__ASSET_JOB"
LOCATION = "sot_pipeline"
DONE = {"SUCCESS", "FAILURE", "CANCELED"}


@dataclass(frozen=True)
class DagsterUi:
    """The webserver of one test, asked the way the browser asks it."""

    url: str
    log: Path

    def ask(self, query: str, **variables: object) -> Any:
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        body = answer.json()
        assert "errors" not in body, body["errors"]
        return body["data"]

    def launch(
        self,
        job: str,
        partition: str | None,
        *,
        assets: Sequence[str] = (),
        config: str = "{}",
        tags: dict[str, str] | None = None,
    ) -> str:
        """What "Materialize" and "Launch run" send; the id of the run."""
        wanted = {"dagster/partition": partition} if partition else {}
        parameters = {
            "mode": "default",
            "runConfigData": config,
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in (wanted | (tags or {})).items()]},
            "selector": {
                "repositoryLocationName": LOCATION,
                "repositoryName": REPOSITORY,
                "pipelineName": job,
                **({"assetSelection": [{"path": [name]} for name in assets]} if assets else {}),
            },
        }
        result = self.ask(LAUNCH, executionParams=parameters)["launchPipelineExecution"]
        assert result["__typename"] == "LaunchRunSuccess", result
        return str(result["run"]["runId"])

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first: runId, status, jobName and tags as a dict."""
        found = self.ask(RUNS)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def finished(self) -> list[dict[str, Any]]:
        """The runs that have ended."""
        return [run for run in self.runs() if run["status"] in DONE]

    def preview(self, schedule: str) -> list[dict[str, str]]:
        """Tags of the runs that the schedule's next tick would launch, as "Preview tick result" shows them."""
        selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "scheduleName": schedule}
        result = self.ask(PREVIEW, selector=selector, timestamp=time.time())["scheduleDryRun"]
        assert result["__typename"] == "DryRunInstigationTick", result
        requests = result["evaluationResult"]["runRequests"]
        return [{tag["key"]: tag["value"] for tag in request["tags"]} for request in requests]

    def wait(self, run_id: str, seconds: float = 120) -> str:
        """The status in which the run ended."""
        return wait_for(
            lambda: next((r["status"] for r in self.runs() if r["runId"] == run_id and r["status"] in DONE), None),
            seconds,
        )

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Every event of a run, oldest first."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.ask(EVENTS, runId=run_id, cursor=cursor)["logsForRun"]
            found += page["events"]
            cursor = page["cursor"]
            if not page["hasMore"]:
                return found

    def materialization(self, asset: str, partition: str) -> dict[str, Any]:
        """Metadata of the asset's latest materialization of `partition`: label → value."""
        found = self.ask(MATERIALIZATIONS, assetKey={"path": [asset]}, partitions=[partition])
        entries = found["assetOrError"]["assetMaterializations"][0]["metadataEntries"]
        return {entry["label"]: _value(entry) for entry in entries}

    def checks(self, asset: str) -> dict[str, bool]:
        """Check name → did its latest evaluation pass."""
        found = self.ask(CHECKS, assetKey={"path": [asset]})["assetNodeOrError"]["assetChecksOrError"]["checks"]
        return {
            check["name"]: bool((check["executionForLatestMaterialization"] or {}).get("status") == "SUCCEEDED")
            for check in found
        }

    def ticks(self, sensor: str) -> list[dict[str, Any]]:
        """The sensor's ticks, newest first."""
        selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "sensorName": sensor}
        return list(self.ask(TICKS, selector=selector)["sensorOrError"]["sensorState"]["ticks"])


def _value(entry: dict[str, Any]) -> object:
    for name in ("mdStr", "text", "intValue", "floatValue", "boolValue", "jsonString", "schema"):
        if entry.get(name) is not None:
            return entry[name]
    return None


def wait_for(question: Any, seconds: float) -> Any:
    """The first answer that is not None or false."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"nothing after {seconds} s")


@contextmanager
def sot_ui(folder: Path, *flags: str) -> Iterator[DagsterUi]:
    """`sot ui` with `flags` for the workspace in `folder`; at the end nothing it started is left."""
    port = free_port()
    command = [
        Path(sys.executable).with_name("sot"),
        "ui",
        *flags,
        "--port",
        str(port),
        "--config",
        folder / "sot.toml",
    ]
    log = folder / "ui.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    try:
        ui = DagsterUi(f"http://127.0.0.1:{port}", log)
        wait_for(lambda: process.poll() is not None or _answers(ui), 120)
        assert process.poll() is None, log.read_text()
        yield ui
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _answers(ui: DagsterUi) -> bool:
    try:
        locations = ui.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
    except httpx.HTTPError:
        return False
    return bool(locations["repositoriesOrError"].get("nodes"))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


LAUNCH = """mutation($executionParams: ExecutionParams!) {
  launchPipelineExecution(executionParams: $executionParams) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
RUNS = """{ runsOrError(limit: 100) { ... on Runs { results {
  runId status jobName startTime endTime creationTime tags { key value }
} } } }"""
EVENTS = """query($runId: ID!, $cursor: String) { logsForRun(runId: $runId, afterCursor: $cursor) {
  ... on EventConnection { cursor hasMore events {
    __typename
    ... on MessageEvent { message timestamp level stepKey }
    ... on ExecutionStepFailureEvent { error { message } }
  } }
} }"""
METADATA = """metadataEntries {
  __typename label
  ... on MarkdownMetadataEntry { mdStr }
  ... on TextMetadataEntry { text }
  ... on IntMetadataEntry { intValue }
  ... on FloatMetadataEntry { floatValue }
  ... on BoolMetadataEntry { boolValue }
  ... on TableSchemaMetadataEntry { schema { columns { name } } }
}"""
MATERIALIZATIONS = f"""query($assetKey: AssetKeyInput!, $partitions: [String!]) {{
  assetOrError(assetKey: $assetKey) {{ ... on Asset {{
    assetMaterializations(limit: 1, partitions: $partitions) {{ {METADATA} }}
  }} }}
}}"""
CHECKS = """query($assetKey: AssetKeyInput!) { assetNodeOrError(assetKey: $assetKey) { ... on AssetNode {
  assetChecksOrError { ... on AssetChecks { checks {
    name canExecuteIndividually executionForLatestMaterialization { status partition }
    partitionStatuses { __typename ... on AssetCheckDefaultPartitionStatuses { succeededPartitions failedPartitions } }
  } } }
} } }"""
TICKS = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { status ticks(limit: 50) { status skipReason runKeys cursor timestamp error { message } } }
} } }"""
PREVIEW = """mutation($selector: ScheduleSelector!, $timestamp: Float) {
  scheduleDryRun(selectorData: $selector, timestamp: $timestamp) {
    __typename
    ... on PythonError { message }
    ... on DryRunInstigationTick { evaluationResult {
      error { message } runRequests { runKey tags { key value } }
    } }
  }
}"""
