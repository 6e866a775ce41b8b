from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg

from sot_pipeline.orchestration.sensors import ledger_file_sensor
from sot_pipeline.workspace import LedgerSpec, Workspace
from sot_pipeline_tests.orchestration.conftest import MakeWorkspace


def tick(workspace: Workspace, cursor: str | None) -> dg.SensorResult:
    return ledger_file_sensor(dg.build_sensor_context(cursor=cursor), workspace)


def settled(folder: Path) -> None:
    """Move every file's mtime out of the time in which it cannot be trusted."""
    for path in folder.rglob("*.md"):
        os.utime(path, (time.time() - 60, time.time() - 60))


def edit(workspace: Workspace, project_id: str, text: str) -> None:
    path = workspace.project(project_id).root / "docs/DEBUG_LOG.md"
    path.write_text(text, encoding="utf-8")


def test_first_tick_asks_for_a_run_of_every_project(make_workspace: MakeWorkspace) -> None:
    result = tick(make_workspace("alpha", "beta"), None)

    assert [request.partition_key for request in result.run_requests or []] == ["alpha", "beta"]
    assert {event.partition for event in result.asset_events} == {"alpha", "beta"}


def test_tick_without_change_says_why_it_starts_nothing(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace("alpha", "beta")
    first = tick(workspace, None)

    second = tick(workspace, first.cursor)

    assert not second.run_requests
    assert second.skip_reason == dg.SkipReason("None of 6 ledgers changed.")


def test_edit_asks_for_one_run_of_that_project_and_names_the_path(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace("alpha", "beta")
    first = tick(workspace, None)
    edit(workspace, "beta", "# Debug log\n")

    (request,) = tick(workspace, first.cursor).run_requests or []

    assert request.partition_key == "beta"
    assert request.tags["sot/changed_paths"] == "docs/DEBUG_LOG.md"
    project, content_hash, generation = str(request.run_key).split(":")
    assert (project, len(content_hash), generation.isdecimal()) == ("beta", 16, True)


def test_there_and_back_again_asks_three_times_with_different_keys(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace()
    cursor, keys = tick(workspace, None).cursor, []
    for text in ("A", "B", "A"):
        edit(workspace, "alpha", text)
        result = tick(workspace, cursor)
        cursor = result.cursor
        keys += [request.run_key for request in result.run_requests or []]

    assert len(keys) == len(set(keys)) == 3


def test_removed_ledger_is_a_change(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace()
    first = tick(workspace, None)
    (workspace.project("alpha").root / "docs/DEBUG_LOG.md").unlink()

    (request,) = tick(workspace, first.cursor).run_requests or []

    assert request.tags["sot/changed_paths"] == "docs/DEBUG_LOG.md"


def test_project_that_is_new_in_sot_toml_gets_its_run(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace("alpha", "beta")
    only_alpha = replace(workspace, projects=workspace.select(("alpha",)))
    first = tick(only_alpha, None)

    (request,) = tick(workspace, first.cursor).run_requests or []

    assert request.partition_key == "beta"


def test_tick_over_ten_thousand_unchanged_files_stays_under_a_second(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace()
    project = workspace.project("alpha")
    specs = tuple(LedgerSpec(f"log_{n}", f"docs/log_{n}.md", "L") for n in range(10_000))
    for spec in specs:
        (project.root / spec.path).write_text("# Log\n")
    settled(project.root)
    workspace = replace(workspace, projects=(replace(project, ledgers=specs),))
    cursor = tick(workspace, None).cursor

    started = time.perf_counter()
    result = tick(workspace, cursor)
    seconds = time.perf_counter() - started

    assert result.skip_reason == dg.SkipReason("None of 10000 ledgers changed.")
    assert seconds < 1.0
