"""What `sot watch` did, as Dagster sees it: runless materializations, as far as they are true."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import dagster as dg
import psutil
import pytest

from sot_pipeline.cli.documents import watch_document
from sot_pipeline.orchestration.reporter import events_of, main
from sot_pipeline.plan import Json
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.services import has_dagster
from sot_pipeline.watch.applied import Applied
from sot_pipeline.watch.ledgers import LedgerSource
from sot_pipeline.watch.source import Change, Result
from sot_pipeline.workspace import Workspace
from sot_pipeline_tests.orchestration.conftest import BUILDS, MakeWorkspace, ledger_text
from sot_pipeline_tests.watch.watching import wait_until, watching
from sot_pipeline_tests.workspaces import Kiln

VERSION = "dagster/data_version"


def batch(workspace: Workspace) -> dict[str, Json]:
    """The document of a batch that was really applied."""
    source = LedgerSource(workspace)
    (project,) = workspace.projects
    state = source.look(project, None, ())
    result = source.apply({project.id: Change(None, state)}, Deadline(60))[project.id]
    if result.unfinished:
        result = result.joined(source.finish(project.id, Deadline(60)))
    assert result.error is None
    return watch_document(Applied("ledgers", project.id, (BUILDS,), state.hash, 12, result))


def materializations(events: list[dg.AssetMaterialization]) -> dict[str, dg.AssetMaterialization]:
    return {event.asset_key.to_user_string(): event for event in events}


def test_a_batch_is_a_materialization_of_each_target_that_was_written(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace()
    document = batch(workspace)

    found = materializations(list(events_of(workspace, document)))

    assert list(found) == ["ledger_files", "db_rows", "vector_points", "readme_summary"]
    assert {event.partition for event in found.values()} == {"alpha"}
    assert found["ledger_files"].tags == {VERSION: document["files_hash"]}
    metadata = found["db_rows"].metadata
    assert (metadata["inserted"].value, metadata["unchanged"].value, metadata["milliseconds"].value) == (30, 0, 12)
    assert "BUILD&#95;HISTORY" in str(metadata["changed_files"].value)


def test_data_versions_are_those_that_a_run_gives(make_workspace: MakeWorkspace) -> None:
    from sot_pipeline.orchestration.build import build_definitions

    workspace = make_workspace()
    found = materializations(list(events_of(workspace, batch(workspace))))
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build_definitions(workspace)
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(partition_key="alpha", instance=instance)
        )
        for name in ("db_rows", "vector_points", "readme_summary"):
            (event,) = result.asset_materializations_for_node(name)
            tags = event.tags or {}
            assert (found[name].tags or {})[VERSION] == tags[VERSION], name


def test_of_files_that_moved_on_no_version_is_claimed(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(qdrant=False)
    document = batch(workspace)
    (workspace.projects[0].root / BUILDS).write_text(ledger_text("BUILD", title="Later"))

    events = list(events_of(workspace, document))

    assert not materializations(events)["db_rows"].tags
    assert materializations(events)["ledger_files"].tags == {VERSION: document["files_hash"]}


def test_a_batch_that_failed_is_no_materialization(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(qdrant=False)

    document = batch(workspace) | {"targets": {"database": None}, "error": "The database is away."}

    assert list(events_of(workspace, document)) == []


def test_without_qdrant_or_readme_their_assets_are_not_spoken_of(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(qdrant=False, readme=False)

    assert set(materializations(list(events_of(workspace, batch(workspace))))) == {"ledger_files", "db_rows"}


def test_the_reporter_answers_each_line_once_its_events_are_stored(
    make_workspace: MakeWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = make_workspace(qdrant=False)
    home = tmp_path / ".sot" / "dagster"
    assert not has_dagster(workspace)
    home.mkdir(parents=True)
    assert has_dagster(workspace)
    line = json.dumps(batch(workspace) | {"paths": [f"docs/{number}.md" for number in range(60)]})
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{line}\n{line}\n"))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("SOT_CONFIG", str(workspace.config_path))

    main()

    assert capsys.readouterr().out == "reported\nreported\n"
    (newest, _) = reported(tmp_path)
    assert "and 10 more" in str(newest.metadata["changed_files"].value)


def test_a_watcher_reports_each_batch_even_if_its_reporter_is_killed(
    make_workspace: MakeWorkspace, tmp_path: Path
) -> None:
    workspace = make_workspace(qdrant=False)
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    ledger = workspace.projects[0].root / BUILDS
    with watching(Kiln(tmp_path, {})) as watcher:
        wait_until(lambda: tables_made(tmp_path) and len(reported(tmp_path)) == 1)
        (reporter,) = psutil.Process(watcher.process.pid).children()
        reporter.kill()
        ledger.write_text(ledger_text("BUILD", title="Edited"))
        assert watcher.next()["targets"]["database"]["updated"] == 10

        wait_until(lambda: len(reported(tmp_path)) >= 2)
        code, err = watcher.end()

    assert code == 0, err
    newest = reported(tmp_path)[0]
    assert newest.partition == "alpha"
    assert newest.metadata["updated"].value == 10


def reported(folder: Path) -> list[dg.AssetMaterialization]:
    """The materializations of `db_rows` that the workspace's Dagster knows, newest first."""
    with dg.DagsterInstance.from_config(str(folder / ".sot" / "dagster")) as instance:
        records = instance.fetch_materializations(dg.AssetKey("db_rows"), limit=10).records
    return [record.asset_materialization for record in records if record.asset_materialization]


def tables_made(folder: Path) -> bool:
    """True once one process has made Dagster's tables; two at once trip over each other's."""
    return (folder / ".sot" / "dagster" / "tables-made").exists()


def test_a_batch_of_code_is_a_materialization_of_its_tables(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace()
    (project,) = workspace.projects
    counts: Json = {"inserted": 1, "updated": 0, "deleted": 0, "unchanged": 0}
    result = Result({"code_files": counts, "codebase_metadata": None})
    document = watch_document(Applied("code", project.id, ("src/fire.py",), "0123456789abcdef", 7, result))

    found = materializations(list(events_of(workspace, document)))

    assert list(found) == ["source_files", "code_files"]
    assert found["source_files"].tags == {VERSION: "0123456789abcdef"}
    assert found["code_files"].metadata["inserted"].value == 1
    assert not found["code_files"].tags, "its data version comes with the next run"


def test_points_of_code_are_a_materialization_where_they_have_an_asset(make_workspace: MakeWorkspace) -> None:
    counts: Json = {"inserted": 1, "updated": 0, "deleted": 0, "unchanged": 0, "embedded": 1, "cached": 0}
    result = Result({"code_files": None, "codebase_metadata": None, "points": counts})
    document = watch_document(Applied("code", "alpha", ("src/fire.py",), "0123456789abcdef", 7, result))

    without = list(events_of(make_workspace("alpha", code=("alpha",)), document))
    found = materializations(list(events_of(make_workspace("alpha", code=("alpha",), embed=("alpha",)), document)))

    assert without == []
    assert list(found) == ["source_files", "code_points"]
    assert found["code_points"].metadata["embedded"].value == 1
