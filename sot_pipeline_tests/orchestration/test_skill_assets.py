"""Group `skills` in Dagster: what is loaded, what a run does on either side, what the sensor sees."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import dagster as dg
import pytest

from sot_pipeline.orchestration.build import build_definitions
from sot_pipeline.orchestration.reporter import events_of
from sot_pipeline.orchestration.sensors import skill_sensor
from sot_pipeline.workspace import Workspace
from sot_pipeline_tests.orchestration.conftest import MakeWorkspace
from sot_pipeline_tests.orchestration.test_assets import failed_checks, instance, metadata, run
from sot_pipeline_tests.orchestration.test_build import asset_names, check_names
from sot_pipeline_tests.orchestration.test_code_assets import version
from sot_pipeline_tests.skill_workspaces import FILES, skill_text
from sot_pipeline_tests.targets.database.ledger import tamper

__all__ = ["instance"]

PACK = "pack/SKILL.md"


def write(workspace: Workspace, files: Mapping[str, str], project_id: str = "alpha") -> None:
    for path, text in files.items():
        file = root(workspace, project_id) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def root(workspace: Workspace, project_id: str = "alpha") -> Path:
    return workspace.project(project_id).root / "skills"


@pytest.fixture
def workspace(make_workspace: MakeWorkspace) -> Workspace:
    found = make_workspace("alpha", "beta", qdrant=False, readme=False, skills=("alpha",))
    write(found, FILES)
    return found


@pytest.fixture
def embedded(make_workspace: MakeWorkspace) -> Workspace:
    found = make_workspace("alpha", readme=False, skills=("alpha",))
    write(found, FILES)
    return found


def test_the_group_is_there_where_a_project_has_skills(workspace: Workspace, embedded: Workspace) -> None:
    without = build_definitions(workspace)
    definitions = build_definitions(embedded)

    assert "skill_points" not in asset_names(without)
    assert check_names(without)["skills_in_sync"] == {"skills_agree", "skill_conventions", "skill_conflicts"}
    assert check_names(definitions)["skill_points"] == {"skill_points_match_rows"}
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    for name, upstream in (
        ("skill_files", []),
        ("skills_in_sync", ["skill_files"]),
        ("skill_points", ["skills_in_sync"]),
    ):
        assert specs[name].group_name == "skills"
        assert specs[name].partitions_def == dg.StaticPartitionsDefinition(["alpha"])
        assert [found.asset_key.to_user_string() for found in specs[name].deps] == upstream
        assert specs[name].description
        assert specs[name].kinds
        assert list(specs[name].owners) == ["team:sot"]
    assert definitions.resolve_sensor_def("skill_sensor").default_status is dg.DefaultSensorStatus.RUNNING
    for name in ("nightly_skills_sync", "hourly_verify_skills"):
        assert definitions.resolve_schedule_def(name).default_status is dg.DefaultScheduleStatus.RUNNING


def test_nothing_of_the_group_is_there_for_skills_nobody_configured(make_workspace: MakeWorkspace) -> None:
    definitions = build_definitions(make_workspace())

    names = asset_names(definitions) | {job.name for job in definitions.resolve_all_job_defs()}
    assert not {name for name in names if "skill" in name}
    assert [sensor.name for sensor in definitions.sensors or []] == ["ledger_file_sensor", "run_failure_sensor"]


def test_a_run_brings_both_sides_and_the_points_to_agree(embedded: Workspace, instance: dg.DagsterInstance) -> None:
    first, second = (run(embedded, instance, "refresh_skills") for _ in range(2))

    assert first.success
    assert failed_checks(first) == set()
    shown = metadata(first, "skills_in_sync")
    assert (shown["database_created"], shown["files_created"], shown["dagster/row_count"]) == (3, 0, 3)
    assert shown["dagster/table_name"] == "skills"
    assert "skill_path" in {column.name for column in shown["dagster/column_schema"].columns}
    assert "| database | created | craft&#47;fire |" in shown["changes"]
    assert metadata(first, "skill_points")["inserted"] == 3
    assert metadata(second, "skills_in_sync")["unchanged"] == 3
    assert metadata(second, "skill_points")["unchanged"] == 3
    for asset in ("skills_in_sync", "skill_points"):
        assert version(first, asset) == version(second, asset)


def test_an_edit_in_the_database_reaches_the_file(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    run(workspace, instance, "refresh_skills")
    tamper(workspace.database_url, "UPDATE skills SET description = 'Wraps pots' WHERE skill_path = 'pack'")

    waiting = run(workspace, instance, "verify_skills")
    done = run(workspace, instance, "refresh_skills")

    assert failed_checks(waiting) == {"skills_agree"}
    assert metadata(done, "skills_in_sync")["files_updated"] == 1
    assert failed_checks(done) == set()
    assert "Wraps pots" in (root(workspace) / PACK).read_text()


def test_conflicts_conventions_and_quarantine_fail_their_checks_and_are_shown_escaped(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    run(workspace, instance, "refresh_skills")
    write(workspace, {PACK: skill_text("pack", "<b>ours</b> | x"), "Bad/SKILL.md": "---\nname: [\n"})
    write(workspace, {"odd/SKILL.md": skill_text("Not The Folder", "x")})
    tamper(workspace.database_url, "UPDATE skills SET description = 'theirs' WHERE skill_path = 'pack'")

    result = run(workspace, instance, "refresh_skills")

    assert result.success
    assert failed_checks(result) == {"skills_agree", "skill_conflicts", "skill_conventions"}
    shown = metadata(result, "skills_in_sync")
    assert (shown["conflicts"], shown["quarantined"], shown["database_created"]) == (1, 1, 1)
    assert "| pack | description |" in shown["versions"]
    assert "&#60;b&#62;ours" in shown["versions"]
    assert "<b>" not in shown["versions"]
    assert "| Bad |" in shown["left_alone"]
    found = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert found["skill_conventions"].severity is dg.AssetCheckSeverity.WARN
    assert found["skill_conflicts"].metadata["conflicts"].value == 1


def test_losing_most_skills_is_refused_and_the_check_fails(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    run(workspace, instance, "refresh_skills")
    shutil.rmtree(root(workspace))

    result = run(workspace, instance, "refresh_skills")

    assert failed_checks(result) == {"skills_agree"}
    assert tamper(workspace.database_url, "SELECT count(*) FROM skills") == [(3,)]


def test_points_that_are_not_those_of_the_rows_fail_their_check(
    embedded: Workspace, instance: dg.DagsterInstance
) -> None:
    run(embedded, instance, "refresh_skills")
    tamper(embedded.database_url, "DELETE FROM skills WHERE skill_path = 'pack'")

    assert failed_checks(run(embedded, instance, "verify_skills")) == {"skills_agree", "skill_points_match_rows"}


def tick(workspace: Workspace, cursor: str | None) -> dg.SensorResult:
    return skill_sensor(dg.build_sensor_context(cursor=cursor), workspace)


def asked(result: dg.SensorResult) -> list[str]:
    return [f"{request.partition_key}: {request.tags['sot/changed_paths']}" for request in result.run_requests or []]


class Ticks:
    """A sensor under way: each tick goes on where the last one ended."""

    def __init__(self, workspace: Workspace, instance: dg.DagsterInstance) -> None:
        self.workspace, self.instance = workspace, instance
        self.cursor: str | None = None
        self.keys: list[str | None] = []

    def tick(self) -> list[str]:
        result = tick(self.workspace, self.cursor)
        self.cursor = result.cursor
        self.keys += [request.run_key for request in result.run_requests or []]
        return asked(result)

    def settle(self) -> None:
        """A run, and the tick after it, which asks for none."""
        assert run(self.workspace, self.instance, "refresh_skills").success
        assert self.tick() == []


def test_the_sensor_asks_for_one_run_a_change_of_either_side_and_none_without(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    ticks = Ticks(workspace, instance)
    assert ticks.tick() == ["alpha: craft/fire, craft/glaze, pack"]
    ticks.settle()

    write(workspace, {"craft/glaze/scripts/weigh.py": "print(3)\n"})
    assert ticks.tick() == ["alpha: craft/glaze"]
    assert ticks.tick() == []
    ticks.settle()

    tamper(workspace.database_url, "UPDATE skills SET description = 'Wraps pots' WHERE skill_path = 'pack'")
    assert ticks.tick() == ["alpha: pack"]
    ticks.settle()

    (root(workspace) / PACK).chmod(0o755)
    assert ticks.tick() == ["alpha: pack"]
    ticks.settle()
    assert len(ticks.keys) == len(set(ticks.keys)) == 4


def test_there_and_back_again_asks_each_time(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    ticks = Ticks(workspace, instance)
    ticks.tick()
    ticks.settle()
    for text in ("A", "B", "A", "B"):
        write(workspace, {PACK: skill_text("pack", text)})
        assert ticks.tick() == ["alpha: pack"], text
        ticks.settle()
    url = workspace.database_url
    for text in ("A", "B", "A"):
        tamper(url, f"UPDATE skills SET description = '{text}' WHERE skill_path = 'pack'")
        assert ticks.tick() == ["alpha: pack"], text
        ticks.settle()

    assert len(ticks.keys) == len(set(ticks.keys)) == 8


def test_a_conflict_is_asked_for_once_and_keeps_no_other_change_from_its_run(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    ticks = Ticks(workspace, instance)
    ticks.tick()
    ticks.settle()
    write(workspace, {PACK: skill_text("pack", "ours")})
    tamper(workspace.database_url, "UPDATE skills SET description = 'theirs' WHERE skill_path = 'pack'")
    assert ticks.tick() == ["alpha: pack"]
    ticks.settle()

    write(workspace, {"new/SKILL.md": skill_text("new", "One more")})
    assert ticks.tick() == ["alpha: new"]
    ticks.settle()


def test_files_are_reported_with_their_hash_whenever_they_moved(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    first = tick(workspace, None)
    second = tick(workspace, first.cursor)

    assert [event.asset_key for event in first.asset_events] == [dg.AssetKey("skill_files")]
    assert second.asset_events == []
    assert second.skip_reason == dg.SkipReason("None of 3 skills changed.")


def test_what_a_watcher_did_is_reported_without_a_run(embedded: Workspace) -> None:
    counts = {"inserted": 1, "updated": 0, "deleted": 0, "unchanged": 0}
    batch: dict[str, object] = {
        "source": "skills",
        "project_id": "alpha",
        "paths": ["pack"],
        "targets": {"skills": counts, "skill_files": counts, "skill_points": counts},
        "problems": [],
        "files_hash": "91ae916088d3d487",
        "milliseconds": 31,
    }

    assert names(events_of(embedded, batch)) == ["skill_files", "skills_in_sync", "skill_points"]


def names(events: Iterable[dg.AssetMaterialization]) -> list[str]:
    return [event.asset_key.to_user_string() for event in events]
