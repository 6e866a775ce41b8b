"""`sot show` as a person or a program calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.search.workspaces import BUILDS, Desk


@pytest.fixture
def sot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    for name in ("DATABASE_URL", "QDRANT_HOST", "OPENAI_API_KEY", "OPENAI_BASE_URL", "EMBEDDING_MODEL", "SOT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return Command(monkeypatch, capsys)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A workspace that was never synced as current folder: the files are enough."""
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Desk(folder, f"sqlite:///{folder / 'sot.db'}")


def test_a_person_sees_place_metadata_links_and_text(desk: Desk, sot: Command) -> None:
    answer = sot("show", "BUILD-2")

    lines = answer.out.splitlines()
    assert (answer.code, answer.err) == (0, "")
    assert lines[:2] == ["BUILD-2  Keyword ranking", "docs/BUILD_HISTORY.md:13  atlas, build_history"]
    assert "  phase      Search" in lines
    assert "  link  the notes  docs/notes.md" in lines
    assert "**Problem**: readers could not find an entry by its words." in lines


def test_the_document_has_the_entry_its_place_and_its_metadata(desk: Desk, sot: Command) -> None:
    document = sot("show", "build-2", "--json").json()

    assert (document["project_id"], document["file_type"], document["entry_id"]) == (
        "atlas",
        "build_history",
        "BUILD-2",
    )
    assert (document["title"], document["path"], document["line"]) == ("Keyword ranking", "docs/BUILD_HISTORY.md", 13)
    assert document["metadata"]["phase"] == "Search"
    assert document["created_at"] == "2026-01-02T00:00:00"
    assert document["fields"][0] == {"name": "Problem", "value": "readers could not find an entry by its words."}
    assert document["links"] == [{"text": "the notes", "target": "docs/notes.md"}]
    assert document["content"].startswith("**Problem**")


def test_the_file_as_it_is_now_is_shown(desk: Desk, sot: Command) -> None:
    desk.sync()
    desk.edit(desk.builds, "over chunks", "over pages")

    assert "over pages" in sot("show", "BUILD-2").out


def test_an_unknown_id_exits_1_and_names_the_nearest(desk: Desk, sot: Command) -> None:
    answer = sot("show", "BUILD-22")

    assert (answer.code, answer.out) == (1, "")
    assert "No entry BUILD-22." in answer.err
    assert "Did you mean BUILD-2" in answer.err


def test_an_id_like_no_other_points_to_search(desk: Desk, sot: Command) -> None:
    assert "sot search" in sot("show", "zzz").err


def test_a_ledger_that_cannot_be_read_is_named_where_the_id_is_not_found(desk: Desk, sot: Command) -> None:
    desk.builds.write_bytes(b"\xff")

    answer = sot("show", "BUILD-2")

    assert answer.code == 1
    assert "docs/BUILD_HISTORY.md could not be read" in answer.err


def test_an_id_of_several_projects_asks_which(desk: Desk, sot: Command) -> None:
    other = desk.folder / "other" / "docs"
    other.mkdir(parents=True)
    (other / "BUILD_HISTORY.md").write_text(BUILDS.replace("Keyword ranking", "Another ranking"))
    config = desk.folder / "sot.toml"
    config.write_text(config.read_text() + '[[project]]\nid = "borealis"\nroot = "other"\n')

    unclear = sot("show", "BUILD-2")

    assert unclear.code == 2
    assert "atlas/build_history, borealis/build_history" in unclear.err
    assert "Another ranking" in sot("show", "BUILD-2", "--project", "borealis").out


def test_an_id_of_several_ledgers_asks_which(desk: Desk, sot: Command) -> None:
    (desk.folder / "docs" / "MORE.md").write_text("# More\n\n## BUILDS\n\n### BUILD-2 | 2026-01-02 | Twin\n\nText.\n")
    config = desk.folder / "sot.toml"
    config.write_text(
        config.read_text() + '[[project.ledger]]\nfile_type = "more"\nprefix = "BUILD"\npath = "docs/MORE.md"\n'
    )

    assert "atlas/build_history, atlas/more" in sot("show", "BUILD-2").err
    assert "Twin" in sot("show", "BUILD-2", "--type", "more").out
