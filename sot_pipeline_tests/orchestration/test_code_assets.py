"""Group `code` in Dagster: what is loaded, what a run does, what the sensor sees."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest

from sot_pipeline.orchestration import code_assets
from sot_pipeline.orchestration.build import build_definitions
from sot_pipeline.orchestration.sensors import source_file_sensor
from sot_pipeline.workspace import Workspace
from sot_pipeline_tests.code_workspaces import FILES
from sot_pipeline_tests.orchestration.conftest import MakeWorkspace
from sot_pipeline_tests.orchestration.test_assets import failed_checks, instance, metadata, run
from sot_pipeline_tests.orchestration.test_build import asset_names, check_names
from sot_pipeline_tests.targets.database.ledger import tamper

__all__ = ["instance"]


def write(workspace: Workspace, files: Mapping[str, str], project_id: str = "alpha") -> None:
    for path, text in files.items():
        file = workspace.project(project_id).root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def workspace(make_workspace: MakeWorkspace) -> Workspace:
    found = make_workspace("alpha", "beta", qdrant=False, readme=False, code=("alpha",))
    write(found, FILES)
    return found


def test_the_group_is_there_where_a_project_has_a_code_index(workspace: Workspace) -> None:
    definitions = build_definitions(workspace)

    assert asset_names(definitions) >= {"source_files", "code_files", "codebase_metadata", "code_graph"}
    assert check_names(definitions)["code_files"] == {"code_rows_match_files", "parse_errors"}
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    for name in ("source_files", "code_files", "codebase_metadata", "code_graph"):
        assert specs[name].group_name == "code"
        assert specs[name].partitions_def == dg.StaticPartitionsDefinition(["alpha"])
        assert specs[name].description
        assert specs[name].kinds
        assert list(specs[name].owners) == ["team:sot"]
    running = dg.DefaultSensorStatus.RUNNING
    assert definitions.resolve_sensor_def("source_file_sensor").default_status is running
    for name in ("nightly_code_pass", "hourly_verify_code"):
        assert definitions.resolve_schedule_def(name).default_status is dg.DefaultScheduleStatus.RUNNING


def test_no_job_sensor_or_schedule_is_there_for_code_nobody_configured(make_workspace: MakeWorkspace) -> None:
    definitions = build_definitions(make_workspace())

    names = {job.name for job in definitions.resolve_all_job_defs()}
    assert not {name for name in names if "code" in name}
    assert [sensor.name for sensor in definitions.sensors or []] == ["ledger_file_sensor", "run_failure_sensor"]


def test_a_run_fills_both_tables_relates_the_files_and_all_checks_pass(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    result = run(workspace, instance, "refresh_code")

    assert result.success
    assert failed_checks(result) == set()
    for table in ("code_files", "codebase_metadata"):
        shown = metadata(result, table)
        assert (shown["inserted"], shown["dagster/row_count"], shown["dagster/table_name"]) == (3, 3, table)
        assert "content_hash" in {column.name for column in shown["dagster/column_schema"].columns}
        assert "| insert | src&#47;kiln&#46;py |" in shown["changes"]
    graph = metadata(result, "code_graph")
    assert graph["updated"] == 3
    assert graph["complexity"].startswith("![Files by cyclomatic complexity](data:image/png;base64,")


def test_hot_spots_of_a_repository_are_shown(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    git = ("git", "-C", str(workspace.project("alpha").root), "-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        subprocess.run([*git, *command], check=True)

    shown = metadata(run(workspace, instance, "refresh_code"), "code_graph")["hot_spots"]

    assert shown.splitlines()[0] == "| file | hotspot_score | commits_90d | cyclomatic_complexity | code_lines |"
    assert "| src&#47;kiln&#46;py | 1 | 1 | 2 |" in shown


def test_a_second_run_changes_nothing_and_keeps_every_data_version(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    first, second = (run(workspace, instance, "refresh_code") for _ in range(2))

    for asset in ("code_files", "codebase_metadata", "code_graph"):
        shown = metadata(second, asset)
        assert (shown["inserted"], shown["updated"], shown["unchanged"]) == (0, 0, 3)
        assert version(first, asset) == version(second, asset)


def version(result: dg.ExecuteInProcessResult, asset: str) -> str:
    events = result.get_asset_materialization_events()
    (found,) = [event for event in events if event.asset_key == dg.AssetKey(asset)]
    tags = found.step_materialization_data.materialization.tags or {}
    return tags["dagster/data_version"]


def test_rows_that_do_not_match_and_files_that_do_not_parse_fail_their_checks(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    write(workspace, {"src/broken.py": "def (:\n"})
    first = run(workspace, instance, "refresh_code")
    tamper(workspace.database_url, "DELETE FROM codebase_metadata WHERE path = 'src/kiln.py'")
    write(workspace, {"src/glaze.py": "x = 1\n"})

    verified = run(workspace, instance, "verify_code")

    assert failed_checks(first) == {"parse_errors"}
    assert failed_checks(verified) == {"parse_errors", "code_rows_match_files"}
    found = {check.check_name: check for check in verified.get_asset_check_evaluations()}
    values = {label: value.value for label, value in found["code_rows_match_files"].metadata.items()}
    assert (values["missing"], values["extra"], values["stale"]) == (1, 0, 2)
    assert found["parse_errors"].severity is dg.AssetCheckSeverity.WARN
    assert found["parse_errors"].metadata["partial"].value == 1


def test_a_table_that_cannot_be_written_fails_the_run_after_the_other_was_written(
    workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_assets, "RETRIES", None)  # they would only take their time here
    run(workspace, instance, "refresh_code")
    refuse = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    tamper(workspace.database_url, f"CREATE TRIGGER refused BEFORE UPDATE ON code_files {refuse}")
    write(workspace, {"src/kiln.py": "x = 1\n"})

    result = run(workspace, instance, "refresh_code")

    assert not result.success
    assert metadata(result, "codebase_metadata")["updated"] == 1
    assert "code_files" not in {
        event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key
    }


def test_names_of_files_are_escaped(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    write(workspace, {"src/<b>|x.py": "x = 1\n"})

    changes = metadata(run(workspace, instance, "refresh_code"), "code_files")["changes"]

    assert "<b>" not in changes
    assert "&#60;b&#62;&#124;x" in changes


def tick(workspace: Workspace, cursor: str | None) -> dg.SensorResult:
    return source_file_sensor(dg.build_sensor_context(cursor=cursor), workspace)


def settle(folder: Path) -> None:
    for path in folder.rglob("*.py"):
        os.utime(path, (time.time() - 60, time.time() - 60))


def test_the_sensor_asks_for_runs_of_projects_whose_source_files_changed(workspace: Workspace) -> None:
    first = tick(workspace, None)
    settle(workspace.project("alpha").root)
    idle = tick(workspace, tick(workspace, first.cursor).cursor)
    write(workspace, {"src/kiln.py": "x = 1\n", "src/new.py": "y = 1\n", "docs/other.py": "not included\n"})
    (request,) = tick(workspace, idle.cursor).run_requests or []

    assert [found.partition_key for found in first.run_requests or []] == ["alpha"]
    assert [event.asset_key for event in first.asset_events] == [dg.AssetKey("source_files")]
    assert idle.skip_reason == dg.SkipReason("None of 3 source files changed.")
    assert request.partition_key == "alpha"
    assert request.tags["sot/changed_paths"] == "src/kiln.py, src/new.py"


def test_a_root_that_went_is_a_change_whose_run_says_why(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    run(workspace, instance, "refresh_code")
    cursor = tick(workspace, None).cursor
    root = workspace.project("alpha").root
    root.rename(root.with_name("elsewhere"))

    (request,) = tick(workspace, cursor).run_requests or []
    result = run(workspace, instance, "refresh_code")

    assert request.partition_key == "alpha"
    assert not result.success
    failures = [event.step_failure_data.error for event in result.get_step_failure_events()]
    assert any(error and "no row was touched" in error.to_string() for error in failures)
    assert tamper(workspace.database_url, "SELECT count(*) FROM code_files") == [(3,)]


@pytest.fixture
def embedded(make_workspace: MakeWorkspace) -> Workspace:
    found = make_workspace("alpha", "beta", readme=False, code=("alpha", "beta"), embed=("alpha",))
    for project_id in ("alpha", "beta"):
        write(found, FILES, project_id)
    return found


def test_points_of_code_are_there_where_a_project_embeds_it(workspace: Workspace, embedded: Workspace) -> None:
    definitions = build_definitions(embedded)

    assert "code_points" not in asset_names(build_definitions(workspace))
    assert check_names(definitions)["code_points"] == {"code_points_match_rows"}
    (spec,) = [spec for spec in definitions.resolve_all_asset_specs() if spec.key == dg.AssetKey("code_points")]
    assert spec.group_name == "code"
    assert [dependency.asset_key for dependency in spec.deps] == [dg.AssetKey("code_files")]
    assert "qdrant" in spec.kinds


def test_a_run_embeds_what_the_tables_hold_and_its_check_passes(
    embedded: Workspace, instance: dg.DagsterInstance
) -> None:
    first, second = (run(embedded, instance, "refresh_code") for _ in range(2))

    assert first.success
    assert failed_checks(first) == set()
    shown = metadata(first, "code_points")
    assert (shown["inserted"], shown["embedded"], shown["dagster/row_count"]) == (3, 3, 3)
    assert shown["dagster/table_name"] == "alpha_sot_code"
    assert "src&#47;kiln&#46;py" in shown["changes"]
    assert metadata(second, "code_points")["unchanged"] == 3
    assert version(first, "code_points") == version(second, "code_points")


def test_a_project_of_the_group_that_embeds_nothing_says_so(embedded: Workspace, instance: dg.DagsterInstance) -> None:
    result = run(embedded, instance, "refresh_code", partition="beta")

    assert result.success
    assert failed_checks(result) == set()
    assert metadata(result, "code_points")["points"] == "The code of this project is not embedded."


def test_points_that_are_not_those_of_the_rows_fail_their_check(
    embedded: Workspace, instance: dg.DagsterInstance
) -> None:
    run(embedded, instance, "refresh_code")
    tamper(embedded.database_url, "DELETE FROM code_files WHERE path = 'src/kiln.py'")

    verified = run(embedded, instance, "verify_code")

    assert failed_checks(verified) == {"code_rows_match_files", "code_points_match_rows"}


def test_without_qdrant_the_points_fail_and_the_tables_are_written(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace("alpha", qdrant=False, readme=False, code=("alpha",), embed=("alpha",))
    write(workspace, FILES)

    result = run(workspace, instance, "refresh_code")

    assert not result.success
    assert metadata(result, "code_files")["inserted"] == 3
    (failure,) = [event for event in result.get_step_failure_events() if event.step_key == "code_points"]
    assert "QDRANT_HOST" in str(failure.step_failure_data.error)
