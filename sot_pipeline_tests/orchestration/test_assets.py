from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from sot_pipeline.orchestration.build import build_definitions
from sot_pipeline.workspace import Workspace, load_workspace
from sot_pipeline_tests.orchestration.conftest import BUILDS, MakeWorkspace, ledger_text

TARGETS = ("parsed_ledgers", "db_rows", "vector_points", "readme_summary")


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def run(
    workspace: Workspace,
    instance: dg.DagsterInstance,
    job: str = "refresh_ledgers",
    partition: str | None = "alpha",
    run_config: dict[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """A run of the job as the daemon starts it, in this process."""
    definition = build_definitions(workspace).resolve_job_def(job)
    tags = {"dagster/partition": partition} if partition else {}
    return definition.execute_in_process(tags=tags, instance=instance, raise_on_error=False, run_config=run_config)


def materializations(result: dg.ExecuteInProcessResult, asset: str) -> list[dg.AssetMaterialization]:
    events = result.get_asset_materialization_events()
    found = [event.step_materialization_data.materialization for event in events]
    return [one for one in found if one.asset_key == dg.AssetKey(asset)]


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> Mapping[str, Any]:
    (event,) = materializations(result, asset)
    return {label: value.value for label, value in event.metadata.items()}


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    return {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}


def database(workspace: Workspace) -> sqlite3.Connection:
    return sqlite3.connect(workspace.database_url.removeprefix("sqlite:///"))


def test_first_run_fills_every_target_and_all_checks_pass(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace()

    result = run(workspace, instance)

    assert result.success
    assert failed_checks(result) == set()
    assert len(result.get_asset_check_evaluations()) == 11
    rows = metadata(result, "db_rows")
    with database(workspace) as connection:
        (count,) = connection.execute("SELECT count(*) FROM sot_entries").fetchone()
    assert rows["inserted"] == rows["dagster/row_count"] == count > 0
    assert rows["dagster/table_name"] == "sot_entries"
    assert "content_hash" in {column.name for column in rows["dagster/column_schema"].columns}
    assert rows["growth"].startswith("![Entries over time](data:image/png;base64,")
    assert metadata(result, "vector_points")["embedded"] > 0
    assert metadata(result, "readme_summary")["changed"] is True


def test_second_run_changes_nothing_and_keeps_every_data_version(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace()
    first = run(workspace, instance)

    second = run(workspace, instance)

    for asset in ("db_rows", "vector_points"):
        found = metadata(second, asset)
        assert (found["inserted"], found["updated"], found["deleted"]) == (0, 0, 0)
        assert found["changes"] == "Nothing changed."
    assert metadata(second, "vector_points")["embedded"] == 0
    assert metadata(second, "readme_summary")["changed"] is False
    for asset in TARGETS:
        (one,), (two,) = materializations(first, asset), materializations(second, asset)
        assert one.tags["dagster/data_version"] == two.tags["dagster/data_version"]


def test_hostile_title_stands_escaped_in_the_change_table_with_file_and_line(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace()
    run(workspace, instance)
    log = workspace.project("alpha").root / "docs/DEBUG_LOG.md"
    text = log.read_text() + "\n### DBG-900 | 2025-07-01 | HIGH | <img src=x onerror=alert(1)> `|` [x](y)\n\nText.\n"
    log.write_text(text)
    line = text[: text.index("### DBG-900")].count("\n") + 1

    changes = metadata(run(workspace, instance), "db_rows")["changes"]

    (row,) = [row for row in changes.splitlines() if "900" in row]
    assert "<img" not in row
    assert "&#60;img" in row
    assert row.count("|") == 5
    assert f"DEBUG&#95;LOG&#46;md&#58;{line}" in row


def test_ledger_that_cannot_be_read_blocks_the_targets_and_keeps_their_rows(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace()
    run(workspace, instance)
    (workspace.project("alpha").root / "docs/DEBUG_LOG.md").write_bytes(b"# \xff\x00")

    result = run(workspace, instance)

    assert not result.success
    assert failed_checks(result) == {"entries_parse"}
    assert materializations(result, "db_rows") == []
    with database(workspace) as connection:
        (kept,) = connection.execute("SELECT count(*) FROM sot_entries WHERE file_type = 'debug_log'").fetchone()
    assert kept > 0


def test_row_altered_behind_our_back_fails_verify_and_is_healed_by_the_next_refresh(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace()
    run(workspace, instance)
    with database(workspace) as connection:
        connection.execute("UPDATE sot_entries SET title = 'forged' WHERE entry_id = 'BUILD-3'")

    verified = run(workspace, instance, "verify")
    healed = run(workspace, instance)

    assert failed_checks(verified) == {"db_matches_ledgers", "all_targets_agree"}
    assert failed_checks(healed) == set()
    assert metadata(healed, "db_rows")["updated"] == 1


def test_verify_says_how_many_entries_each_target_holds(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace()
    run(workspace, instance)

    result = run(workspace, instance, "verify")

    (agreement,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "all_targets_agree"]
    values = {label: value.value for label, value in agreement.metadata.items()}
    assert agreement.partition == "alpha"
    assert values["files"] == values["rows"] > 0
    assert values["points"] >= values["rows"]
    assert "| build&#95;history | 10 | 10 | 10 |" in str(values["entries"])


def test_full_rebuild_fills_the_collection_anew_from_cached_vectors(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace()
    first = metadata(run(workspace, instance), "vector_points")

    result = run(workspace, instance, "full_rebuild")

    rebuilt = metadata(result, "vector_points")
    assert failed_checks(result) == set()
    assert (rebuilt["embedded"], rebuilt["cached"]) == (0, first["embedded"])


def test_mass_delete_is_refused_until_the_launchpad_allows_it(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace()
    run(workspace, instance)
    (workspace.project("alpha").root / BUILDS).write_text(ledger_text("BUILD", range(1, 3)))

    refused = run(workspace, instance)
    allow = {"config": {"allow_mass_delete": True}}
    allowed = run(workspace, instance, run_config={"ops": {"db_rows": allow, "vector_points": allow}})

    assert metadata(refused, "db_rows")["deleted"] == 0
    assert "would be deleted" in metadata(refused, "db_rows")["problems"]
    assert "db_matches_ledgers" in failed_checks(refused)
    assert metadata(allowed, "db_rows")["deleted"] == 8
    assert failed_checks(allowed) == set()


def test_readme_without_markers_fails_its_check_and_nothing_else(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace()
    (workspace.project("alpha").root / "README.md").write_text("# No markers\n")

    result = run(workspace, instance)

    assert failed_checks(result) == {"readme_matches_ledgers", "all_targets_agree"}
    assert "markers are missing" in metadata(result, "readme_summary")["problems"]


def test_project_without_readme_beside_one_that_has_it_stays_green(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    workspace = make_workspace("alpha", "beta", readme=False)
    config = workspace.config_path
    config.write_text(config.read_text() + 'readme = "README.md"\n')
    result = run(load_workspace(config, env={}), instance)

    assert failed_checks(result) == set()
    assert metadata(result, "readme_summary") == {"readme": "This project names no README."}


def test_check_run_without_a_partition_says_how_to_launch_it(
    make_workspace: MakeWorkspace, instance: dg.DagsterInstance
) -> None:
    result = run(make_workspace(), instance, "verify", partition=None)

    assert not result.success
    failures = [event.step_failure_data.error for event in result.get_step_failure_events()]
    assert all(error and "hourly_verify" in error.to_string() for error in failures)
    assert len(failures) == 5
