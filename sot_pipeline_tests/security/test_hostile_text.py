"""Hostile text is data: stored byte for byte in every target, shown as literal text in Dagster."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import mistune
import pytest

from sot_pipeline.ledgers.project import read_project
from sot_pipeline.orchestration.build import build_definitions
from sot_pipeline.plan import RecordKey
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.vectors import open_store
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline_tests.security.hostile import OBEYED, TITLES, body_of, hostile_ledger
from sot_pipeline_tests.workspaces import Kiln, make_kiln

WANTED = {f"BUILD-{number}": title for number, title in enumerate(TITLES.values(), start=1)}


def hostile_kiln(folder: Path, database_url: str) -> Kiln:
    kiln = make_kiln(folder, database_url)
    # Bytes: writing as text would translate line ends.
    kiln.builds.write_bytes(hostile_ledger().encode())
    return kiln


def key_of(entry_id: str) -> RecordKey:
    return RecordKey("kiln", "build_history", entry_id)


def test_hostile_text_is_stored_byte_for_byte_in_rows_and_points(tmp_path: Path, database_url: str) -> None:
    kiln = hostile_kiln(tmp_path / "kiln", database_url)

    kiln.synced()

    with kiln.database() as database:
        stored = database.entries([key_of(entry_id) for entry_id in WANTED])
    workspace = kiln.workspace()
    assert workspace.qdrant
    with open_store(workspace.qdrant).open(
        CollectionId("kiln", Kind.DOCS), model="wordllama-256", dimension=256, write=False, deadline=Deadline(30)
    ) as collection:
        near = collection.search([1.0] + [0.0] * 255, limit=1_000, file_types=["build_history"], deadline=Deadline(30))
    texts = {match.record.entry_id: match.text for match in near}
    for entry_id, title in WANTED.items():
        assert stored[key_of(entry_id)].content == body_of(title)
        assert body_of(title) in texts[entry_id]
    assert kiln.verify().agree


def test_hostile_text_does_nothing_to_the_database(tmp_path: Path, database_url: str) -> None:
    kiln = hostile_kiln(tmp_path / "kiln", database_url)
    kiln.synced()

    with kiln.database() as database:
        for text in TITLES.values():
            database.search(
                text, project_ids=[text, "kiln"], file_types=[text, "build_history"], limit=5, deadline=Deadline(30)
            )

    assert kiln.rows().keys() >= WANTED.keys()
    assert kiln.verify().agree


def test_title_keeps_its_letters_but_no_markup(tmp_path: Path) -> None:
    kiln = hostile_kiln(tmp_path / "kiln", f"sqlite:///{tmp_path}/sot.db")

    titles = {record.key.entry_id: record.title for record in read_project(kiln.workspace().projects[0]).records}

    by_kind = {kind: titles[f"BUILD-{number}"] for number, kind in enumerate(TITLES, start=1)}
    for kind in ("sql", "prompt", "letters", "yaml"):
        assert by_kind[kind] == TITLES[kind]


@pytest.mark.parametrize("kind", ["lone carriage returns", "line feeds", "windows"])
def test_line_ends_change_no_text(tmp_path: Path, kind: str) -> None:
    end = {"lone carriage returns": "\r", "line feeds": "\n", "windows": "\r\n"}[kind]
    kiln = make_kiln(tmp_path / "kiln", f"sqlite:///{tmp_path}/sot.db")
    kiln.builds.write_bytes(hostile_ledger().replace("\n", end).encode())

    kiln.synced()

    with kiln.database() as database:
        stored = database.entries([key_of(entry_id) for entry_id in WANTED])
    assert {key.entry_id: entry.content for key, entry in stored.items()} == {
        entry_id: body_of(title) for entry_id, title in WANTED.items()
    }


def test_readme_summary_holds_no_markup_of_a_title(tmp_path: Path) -> None:
    kiln = make_kiln(tmp_path / "kiln", f"sqlite:///{tmp_path}/sot.db")
    title = "<script>alert(1)</script> <!-- SOT_SUMMARY_END --> [x](javascript:y) \x1b[2J\u202e"
    kiln.builds.write_text(f"## BUILDS\n\n### BUILD-9 | 2026-09-09 | Work | `{title}`\n\nText.\n")

    kiln.synced()

    readme = kiln.readme.read_text()
    rendered = str(mistune.create_markdown(escape=False)(readme))
    assert readme.count("<!-- SOT_SUMMARY_END -->") == 1
    assert "<script" not in rendered
    assert "<a " not in rendered
    assert [mark for mark in OBEYED if mark in readme and mark != "\n"] == []
    assert kiln.verify().agree


def test_dagster_shows_literal_text(tmp_path: Path) -> None:
    kiln = hostile_kiln(tmp_path / "kiln", f"sqlite:///{tmp_path}/sot.db")
    job = build_definitions(kiln.workspace()).resolve_job_def("refresh_ledgers")

    done = job.execute_in_process(
        tags={"dagster/partition": "kiln"}, instance=dg.DagsterInstance.ephemeral(), raise_on_error=False
    )

    shown = [
        value.md_str
        for event in done.get_asset_materialization_events()
        for name, value in event.step_materialization_data.materialization.metadata.items()
        if isinstance(value, dg.MarkdownMetadataValue) and value.md_str and name != "growth"
    ]
    assert any("DROP TABLE" in mistune.html(text) for text in shown)
    for text in shown:
        rendered = str(mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url"])(text))
        assert not any(tag in rendered for tag in ("<script", "<img", "<a ", "<em", "<strong", "<del"))
        assert [mark for mark in OBEYED if mark in text and mark != "\n"] == []
