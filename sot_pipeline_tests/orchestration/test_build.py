from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from sot_pipeline.errors import ConfigError
from sot_pipeline.orchestration.build import build_definitions
from sot_pipeline_tests.orchestration.conftest import MakeWorkspace


def asset_names(definitions: dg.Definitions) -> set[str]:
    return {key.to_user_string() for key in definitions.resolve_all_asset_keys()}


def check_names(definitions: dg.Definitions) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key in definitions.resolve_asset_graph().asset_check_keys:
        found.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    return found


def test_all_assets_and_checks_of_the_group_are_there(make_workspace: MakeWorkspace) -> None:
    definitions = build_definitions(make_workspace())

    assert asset_names(definitions) == {"ledger_files", "parsed_ledgers", "db_rows", "vector_points", "readme_summary"}
    assert check_names(definitions) == {
        "parsed_ledgers": {
            "entries_parse",
            "ids_unique",
            "index_matches_sections",
            "stray_index_rows",
            "fences_balanced",
            "meta_matches_content",
        },
        "db_rows": {"db_matches_ledgers", "all_targets_agree"},
        "vector_points": {"vectors_match_ledgers", "embedding_dimension"},
        "readme_summary": {"readme_matches_ledgers"},
    }


def test_only_the_two_named_checks_block(make_workspace: MakeWorkspace) -> None:
    graph = build_definitions(make_workspace()).resolve_asset_graph()

    blocking = {key.name for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}

    assert blocking == {"entries_parse", "db_matches_ledgers"}


def test_targets_nobody_configured_have_no_asset_and_no_check(make_workspace: MakeWorkspace) -> None:
    definitions = build_definitions(make_workspace(qdrant=False, readme=False))

    assert asset_names(definitions) == {"ledger_files", "parsed_ledgers", "db_rows"}
    assert set(check_names(definitions)) == {"parsed_ledgers", "db_rows"}


def test_every_asset_is_partitioned_by_project_and_says_what_it_is(make_workspace: MakeWorkspace) -> None:
    for spec in build_definitions(make_workspace("alpha", "beta")).resolve_all_asset_specs():
        assert spec.partitions_def == dg.StaticPartitionsDefinition(["alpha", "beta"])
        assert (spec.group_name, list(spec.owners)) == ("ledgers", ["team:sot"])
        assert spec.description
        assert spec.kinds


def test_sensors_and_schedules_run_without_being_switched_on(make_workspace: MakeWorkspace) -> None:
    definitions = build_definitions(make_workspace(settings='[schedules]\ntimezone = "Europe/Berlin"\n'))

    sensors = [definitions.resolve_sensor_def(name) for name in ("ledger_file_sensor", "run_failure_sensor")]
    assert {sensor.default_status for sensor in sensors} == {dg.DefaultSensorStatus.RUNNING}
    crons = {"nightly_full_rebuild": "0 3 * * *", "hourly_verify": "0 * * * *", "daily_prune_runs": "40 4 * * *"}
    for name, cron in crons.items():
        schedule = definitions.resolve_schedule_def(name)
        assert (schedule.cron_schedule, schedule.execution_timezone) == (cron, "Europe/Berlin")
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_building_connects_to_nothing_and_writes_nothing(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    workspace = make_workspace(settings='database_url = "postgresql://nobody@127.0.0.1:1/none"\n')
    before = sorted(tmp_path.rglob("*"))

    build_definitions(workspace).resolve_all_job_defs()

    assert sorted(tmp_path.rglob("*")) == before


def test_two_builds_share_nothing(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace()

    one, two = build_definitions(workspace), build_definitions(workspace)

    assert one.resolve_assets_def("db_rows") is not two.resolve_assets_def("db_rows")


def test_resources_can_be_replaced(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace()
    stub = dg.InMemoryIOManager()

    definitions = build_definitions(workspace, resources={"snapshots": stub})

    assert definitions.resources is not None
    assert definitions.resources["snapshots"] is stub
    assert definitions.resources["workspace"] is workspace


@pytest.mark.parametrize(
    "settings", ['[schedules]\nhourly_verify = "every hour"\n', '[schedules]\ntimezone = "Mars/Olympus"\n']
)
def test_schedule_nobody_can_understand_names_file_and_remedy(make_workspace: MakeWorkspace, settings: str) -> None:
    with pytest.raises(ConfigError, match=r"sot\.toml.*(hourly_verify|timezone).*cron fields"):
        build_definitions(make_workspace(settings=settings))


def test_importing_the_definitions_reads_no_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sot_pipeline.definitions"], cwd=tmp_path, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_broken_sot_toml_is_a_readable_load_error(tmp_path: Path) -> None:
    config = tmp_path / "sot.toml"
    config.write_text('[workspace]\nqdrnt = "x"\n[[project]]\nid = "a"\n')
    dagster = Path(sys.executable).with_name("dagster")

    done = subprocess.run(
        [dagster, "definitions", "validate", "-m", "sot_pipeline.definitions"],
        cwd=tmp_path,
        env={**os.environ, "SOT_CONFIG": str(config), "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    assert f"{config}:2: unknown key 'workspace.qdrnt'. Did you mean 'qdrant'?" in done.stdout + done.stderr
