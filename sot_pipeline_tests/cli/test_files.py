"""The commands that write files: init, demo, ledgers refresh, readme init and refresh, and db."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline.workspace import load_workspace
from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.cli.test_sync import kiln, sot
from sot_pipeline_tests.workspaces import Kiln

__all__ = ["kiln", "sot"]

META = "# Build History\n\n<!-- META\nLast_Updated: 2026-01-01T00:00:00Z\nTotal_Builds: 7\n-->\n"


def test_init_writes_a_workspace_that_runs_and_overwrites_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command
) -> None:
    (tmp_path / "README.md").write_text("# Mine\n")
    monkeypatch.chdir(tmp_path)

    assert sot("init", "--project", "mine").code == 0

    workspace = load_workspace(tmp_path / "sot.toml", env={})
    assert (workspace.projects[0].id, workspace.projects[0].readme) == ("mine", "README.md")
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "sot.toml", "workspace.yaml", "dagster.yaml"}
    (tmp_path / "sot.toml").write_text("# changed\n")
    assert "kept   sot.toml" in sot("init").out
    assert (tmp_path / "sot.toml").read_text() == "# changed\n"


def test_init_makes_an_id_of_the_folders_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command) -> None:
    folder = tmp_path / "My Project (2)"
    folder.mkdir()
    monkeypatch.chdir(folder)

    sot("init")

    assert load_workspace(folder / "sot.toml", env={}).projects[0].id == "my-project-2"


def test_init_takes_skills_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "with" / "skills" / "tools" / "glaze").mkdir(parents=True)
    (tmp_path / "with" / "skills" / "tools" / "glaze" / "SKILL.md").write_text("# Glaze\n")
    (tmp_path / "without" / "skills").mkdir(parents=True)

    for name in ("with", "without"):
        monkeypatch.chdir(tmp_path / name)
        sot("init")

    skills = load_workspace(tmp_path / "with" / "sot.toml", env={}).projects[0].skills
    assert skills and skills.path == "skills"
    assert load_workspace(tmp_path / "without" / "sot.toml", env={}).projects[0].skills is None


def test_init_refuses_a_root_that_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command) -> None:
    monkeypatch.chdir(tmp_path)

    assert sot("init", "--root", "nowhere").code == 2
    assert not (tmp_path / "sot.toml").exists()


def test_demo_syncs_in_full_and_runs_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command) -> None:
    monkeypatch.chdir(tmp_path)

    first = sot("demo", "shown")
    second = sot("demo", "shown")

    assert (first.code, second.code) == (0, 0)
    assert "28 inserted" in first.out
    assert "database   2 created" in first.out
    assert "28 unchanged" in second.out
    assert "unchanged  2" in second.out
    assert "sot skills sync" in second.out.partition("Try next")[2]
    monkeypatch.chdir(tmp_path / "shown")
    assert sot("verify").code == 0


def test_demo_from_before_there_were_skills_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "sot.toml").write_text(
        '[workspace]\nqdrant = ".sot/qdrant"\n[[project]]\nid = "demo"\nreadme = "README.md"\n'
    )

    answer = sot("demo", "shown")

    assert answer.code == 0
    assert "created" not in answer.out


def test_demo_refuses_a_folder_with_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    monkeypatch.chdir(tmp_path)

    assert sot("demo", "mine").code == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_ledgers_refresh_makes_meta_true_and_nothing_else(kiln: Kiln, sot: Command) -> None:
    text = kiln.builds.read_text().replace("# Build History\n", META).replace("\n", "\r\n")
    kiln.builds.write_bytes(text.encode())

    looked = sot("ledgers", "refresh")
    assert "docs/BUILD_HISTORY.md" in looked.out
    assert kiln.builds.read_bytes() == text.encode()

    assert sot("ledgers", "refresh", "--execute").code == 0
    after = kiln.builds.read_bytes().decode()
    changed = [(a, b) for a, b in zip(text.split("\n"), after.split("\n"), strict=True) if a != b]
    assert len(changed) == 2
    assert changed[1] == ("Total_Builds: 7\r", "Total_Builds: 3\r")

    assert "Nothing to refresh" in sot("ledgers", "refresh", "--execute").out
    assert kiln.builds.read_bytes() == after.encode()


def test_ledgers_refresh_goes_on_past_a_ledger_that_cannot_be_read(kiln: Kiln, sot: Command) -> None:
    kiln.builds.write_text(kiln.builds.read_text().replace("# Build History\n", META))
    kiln.decisions.write_bytes(b"\xff")

    answer = sot("ledgers", "refresh", "--execute")

    assert answer.code == 1
    assert "docs/ARCHITECTURE_DECISIONS.md" in answer.out
    assert "Total_Builds: 3" in kiln.builds.read_text()


def test_readme_init_puts_a_pair_under_the_first_heading_once(kiln: Kiln, sot: Command) -> None:
    kiln.readme.write_text("# Kiln\n\nFires pots.\n")

    assert sot("readme", "refresh", "--execute").code == 1
    sot("readme", "init")
    assert kiln.readme.read_text() == "# Kiln\n\nFires pots.\n"
    assert sot("readme", "init", "--execute").code == 0
    assert sot("readme", "refresh", "--execute").code == 0

    text = kiln.readme.read_text()
    assert text.startswith("# Kiln\n")
    assert "**Builds**: 3" in text and text.endswith("Fires pots.\n")
    assert "Nothing to change" in sot("readme", "init", "--execute").out
    assert "Nothing to change" in sot("readme", "refresh", "--execute").out


def test_db_upgrade_and_current_name_the_revision(kiln: Kiln, sot: Command) -> None:
    assert "empty" in sot("db", "current").out
    upgraded = sot("db", "upgrade")
    current = sot("db", "current")

    assert upgraded.out.startswith("empty →")
    assert current.out.strip() in upgraded.out
    assert "up to date" in sot("db", "upgrade").out
