"""A real `dagster-webserver` and `dagster-daemon` for tests, and the GraphQL calls the UI makes."""

from __future__ import annotations

import os
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
    logs: Path

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

    def wait(self, run_id: str, seconds: float = 60) -> str:
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
def dagster_servers(
    folder: Path, home: Path, *, daemon: bool = True, environment: dict[str, str] | None = None
) -> Iterator[DagsterUi]:
    """Webserver and daemon for the workspace in `folder`, ended at the end with all their children."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "workspace.yaml").write_text(
        f"load_from:\n  - python_module: {{module_name: sot_pipeline.definitions, location_name: {LOCATION}}}\n"
    )
    env = {**os.environ, "DAGSTER_HOME": str(home), "SOT_CONFIG": str(folder / "sot.toml"), **(environment or {})}
    port = free_port()
    bin_ = Path(sys.executable).parent
    commands = {"webserver": [bin_ / "dagster-webserver", "-h", "127.0.0.1", "-p", str(port), "-w", "workspace.yaml"]}
    if daemon:
        commands["daemon"] = [bin_ / "dagster-daemon", "run", "-w", "workspace.yaml"]
    started = []
    try:
        for name, command in commands.items():
            log = (home / f"{name}.log").open("w")
            started.append(subprocess.Popen(command, cwd=home, env=env, stdout=log, stderr=log, start_new_session=True))
            log.close()
        ui = DagsterUi(f"http://127.0.0.1:{port}", home)
        wait_for(lambda: _answers(ui), 60)
        yield ui
    finally:
        for process in started:
            end_group(process)


def _answers(ui: DagsterUi) -> bool:
    try:
        ui.ask("{ version }")
    except httpx.HTTPError:
        return False
    return True


def end_group(process: subprocess.Popen[Any]) -> None:
    """End a process with everything it started: politely, then for good."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            break
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue
    process.wait(10)


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
