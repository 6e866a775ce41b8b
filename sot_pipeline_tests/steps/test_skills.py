"""What the step on skills does beyond its guarantees: choices, errors, and rows of all kinds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sot_pipeline.errors import DatabaseUnavailable, RequirementMissing
from sot_pipeline.outcome import SkillChanges
from sot_pipeline.skills.model import DOCUMENT, File
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps.skills import Choice, sync_skills
from sot_pipeline.targets import skill_folders
from sot_pipeline.targets.skill_folders import SkillFolders
from sot_pipeline_tests.skills.project import PROJECT, SkillProject, make_project, skill_md


@pytest.fixture
def project(tmp_path: Path, sqlite_url: str) -> SkillProject:
    """Three skills that nobody exported yet, one of them a draft."""
    found = make_project(tmp_path / "kiln", sqlite_url)
    for path, status in (("a", "active"), ("a/b", "draft"), ("c", None)):
        found.write(f"{path}/SKILL.md", skill_md(path.replace("/", "-"), **({"status": status} if status else {})))
    return found


@pytest.mark.parametrize(
    ("choice", "created"),
    [
        (Choice(), ("a", "a/b", "c")),
        (Choice(path="a"), ("a", "a/b")),
        (Choice(path="a/b"), ("a/b",)),
        (Choice(status="draft"), ("a/b",)),
        (Choice(status="active"), ("a", "c")),
        (Choice(path="c", status="draft"), ()),
    ],
)
def test_a_choice_names_skills_by_path_and_status(
    project: SkillProject, choice: Choice, created: tuple[str, ...]
) -> None:
    found = project.sync(choice=choice)

    assert found.database == SkillChanges(created=created)
    assert set(project.rows()) == set(created)


def test_a_skill_that_was_not_chosen_keeps_its_change_for_later(project: SkillProject) -> None:
    project.synced()
    project.sql("UPDATE skills SET description = 'Edited.'")

    assert project.sync(choice=Choice(path="c")).files == SkillChanges(updated=("c",))
    assert project.synced().files == SkillChanges(updated=("a", "a/b"))


def test_what_is_missing_is_told(project: SkillProject) -> None:
    first = project.workspace.projects[0]
    with project.session() as session:
        with pytest.raises(RequirementMissing, match="has no skills"):
            sync_skills(session, replace(first, skills=None), Direction.SYNC, execute=True)
        with pytest.raises(RequirementMissing, match="needs the database"):
            sync_skills(replace(session, database=None), first, Direction.SYNC, execute=True)


def test_what_stops_a_sync_on_the_way_is_its_error(project: SkillProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.synced()
    project.sql("UPDATE skills SET description = 'Edited.'")

    def lost(*_: object) -> None:
        raise DatabaseUnavailable("The connection was lost.", remedy="Run the same command again.")

    monkeypatch.setattr(SkillFolders, "write", lost)
    found = project.sync()
    monkeypatch.undo()

    assert isinstance(found.error, DatabaseUnavailable)
    assert project.synced().files == SkillChanges(updated=("a", "a/b", "c"))


BROKEN_HEADER = "CAST('---\nname: [\n---\n' AS BLOB)"
FILE_WITHOUT_NAME = (
    "INSERT INTO skill_files (project_id, uid, path, content) "
    "SELECT project_id, uid, '.', '' FROM skills WHERE skill_path = 'c'"
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE skills SET skill_path = '../a' WHERE skill_path = 'c'", "no folder below the skills root"),
        (f"UPDATE skills SET front_matter = {BROKEN_HEADER} WHERE skill_path = 'c'", "no valid YAML"),
        ("UPDATE skills SET body = CAST(x'ff' AS BLOB) WHERE skill_path = 'c'", "is no text"),
        (FILE_WITHOUT_NAME, "it is the folder itself"),
    ],
)
def test_a_row_that_cannot_be_used_is_quarantined_and_neither_side_is_written(
    project: SkillProject, change: str, reason: str
) -> None:
    project.synced()
    project.sql(change)
    before = project.everything()

    found = project.sync()

    assert [reason in each for each in found.quarantined.values()] == [True]
    assert project.everything() == before


def test_a_value_that_no_database_holds_is_told_and_the_other_skills_go_on(project: SkillProject) -> None:
    project.write("d/SKILL.md", skill_md("d", more="9" * 400 + ".0e999"))
    project.write(f"d/{'x' * 200}/{'x' * 200}/{'y' * 200}/z", "")
    project.write("/".join(["d", *["x" * 250] * 9, "z"]), "")

    found = project.sync()

    assert [problem.path for problem in found.problems] == ["d"]
    assert "longer than 2000 bytes" in found.problems[0].message
    assert set(project.rows()) == {"a", "a/b", "c"}


def test_a_move_that_cannot_be_finished_is_told_until_it_can(
    project: SkillProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.synced()
    project.sql("UPDATE skills SET skill_path = 'z' WHERE skill_path = 'c'")
    moving = SkillFolders._move_each

    def full(folders: SkillFolders, names: object, source: str, target: str) -> None:
        if target == "z":
            raise skill_folders.FileUnusable("The disk is full.", remedy="Free some space.")
        moving(folders, names, source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(SkillFolders, "_move_each", full)
    for _ in range(2):
        (problem,) = project.sync().problems
        assert "The disk is full." in problem.message
    monkeypatch.undo()

    project.synced()
    assert set(project.files()) == {"a", "a/b", "z"}


def test_a_killed_link_that_left_a_file_in_two_places_is_finished(project: SkillProject) -> None:
    project.synced()
    uid, skill = project.uids()["c"], project.files()["c"]
    project.sql("UPDATE skills SET skill_path = 'z' WHERE skill_path = 'c'")
    project.sql(
        "INSERT INTO skill_moves (project_id, uid, source, target, folder_hash) "
        f"VALUES ('{PROJECT}', '{uid}', 'c', 'z', '{skill.folder_hash}')"
    )
    with project.store() as store:
        (move,) = store.moves()
    project.write(f"{move.collected}/{DOCUMENT}", skill.document)
    project.write(f"z/{DOCUMENT}", skill.document)
    (project.root / "c" / DOCUMENT).unlink()

    project.synced()

    assert project.files()["z"].files == {DOCUMENT: File(skill.document)}
    assert project.uids()["z"] == uid
    assert not list(project.root.glob(".sot-*"))
