"""The thirteen guarantees of the two-way sync, each with a test named after it, on both databases."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sot_pipeline.errors import EXIT_CONFLICTS, EXIT_OK, EXIT_PROBLEMS
from sot_pipeline.runtime.failpoints import Failpoint
from sot_pipeline.skills.files import usable_path
from sot_pipeline.skills.merge import Take
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps import skills_apply
from sot_pipeline.steps.skills import Choice
from sot_pipeline.targets import skill_folders
from sot_pipeline_tests.skills.project import (
    PROJECT,
    SkillProject,
    elsewhere,
    make_project,
    paths_and_files,
    skill_md,
    tree,
)

CURIOUS = """\
\ufeff---
# who may read this
name:   'kiln-ramps'   # quoted
description: >-
  Ramps that
  crack nothing.
tags: [ clay,  glaze ]
metadata:
  author: Ada # she
  cone: 6
unknown: 0x10
---
# Ramps
No final line""".replace("\n", "\r\n").encode()


@pytest.fixture
def project(tmp_path: Path, database_url: str) -> SkillProject:
    """Three skills, `ramps`, `glaze` and `tools/cone`, the first with two attached files; both sides agree."""
    found = make_project(tmp_path / "kiln", database_url)
    found.write("ramps/SKILL.md", skill_md("ramps", "Ramps.", "one\ntwo\nthree\n", tags="[clay, fire]", version="1.0"))
    found.write("ramps/scripts/run.sh", "#!/bin/sh\n", executable=True)
    found.write("ramps/assets/curve.bin", bytes(range(256)))
    found.write("glaze/SKILL.md", skill_md("glaze"))
    found.write("tools/cone/SKILL.md", skill_md("cone"))
    found.synced()
    return found


def update(project: SkillProject, change: str, path: str = "ramps") -> None:
    project.sql(f"UPDATE skills SET {change} WHERE skill_path = '{path}'")


def replace_in(file: Path, old: str, new: str) -> None:
    text = file.read_bytes()
    assert old.encode() in text
    file.write_bytes(text.replace(old.encode(), new.encode()))


def require_equal_sides(project: SkillProject) -> None:
    assert paths_and_files(project.files()) == paths_and_files(project.rows())


def open_conflicts(project: SkillProject) -> list[tuple[str, str]]:
    with project.store() as store:
        return [(each.conflict.path, each.conflict.field) for each in store.conflicts()]


# 1


def test_guarantee_01_direction_comes_from_content_never_from_clocks(project: SkillProject) -> None:
    ramps, glaze = project.root / "ramps/SKILL.md", project.root / "glaze/SKILL.md"
    update(project, "description = 'By hand.'")
    replace_in(glaze, "Does something.", "Glazes.")
    os.utime(ramps, (4e9, 4e9))  # the file that did not change is from the future, the other from the past
    os.utime(glaze, (1, 1))
    project.sql("UPDATE skills SET updated_at = '1999-01-01' WHERE skill_path = 'ramps'")

    found = project.synced()

    assert found.files and found.database
    assert (found.files.updated, found.database.updated) == (("ramps",), ("glaze",))
    assert b"By hand." in ramps.read_bytes()
    assert project.sql("SELECT description FROM skills WHERE skill_path = 'glaze'") == [("Glazes.",)]


# 2


@pytest.mark.parametrize("take", Take)
def test_guarantee_02_no_edit_is_lost_when_a_conflict_is_forced(project: SkillProject, take: Take) -> None:
    replace_in(project.root / "ramps/SKILL.md", "two", "two of the file")
    update(project, "body = 'one\ntwo of the row\nthree\n'")
    (project.root / "ramps/assets/curve.bin").write_bytes(b"of the file")
    project.sql(
        "UPDATE skill_files SET content = CAST('of the row' AS {}) WHERE path = 'assets/curve.bin'".format(
            "BLOB" if project.workspace.database_url.startswith("sqlite") else "BYTEA"
        )
    )

    found = project.sync(choice=Choice(force=take))

    assert found.conflicts == ()
    require_equal_sides(project)
    winner, loser = ("file", "row") if take is Take.OURS else ("row", "file")
    assert f"two of the {winner}".encode() in project.files()["ramps"].document
    with project.store() as store:
        kept = [each.conflict for each in store.conflicts(open_only=False)]
        assert store.conflicts() == []
    backups = {each.field: each.theirs_bytes if take is Take.OURS else each.ours_bytes for each in kept}
    assert f"two of the {loser}".encode() in (backups["body"] or b"")
    assert backups["assets/curve.bin"] == f"of the {loser}".encode()


def test_guarantee_02_attached_files_of_a_skill_that_is_forced_away_are_kept(project: SkillProject) -> None:
    project.sql("UPDATE skill_files SET content = NULL WHERE path = 'assets/curve.bin'")  # not yet usable
    project.sql("DELETE FROM skill_files WHERE path = 'assets/curve.bin'")
    uid = project.uids()["ramps"]
    project.sql(
        "INSERT INTO skill_files (project_id, uid, path, content) "
        f"SELECT '{PROJECT}', '{uid}', 'new.txt', content FROM skill_files WHERE path = 'scripts/run.sh'",
        "UPDATE skills SET description = 'Edited.' WHERE skill_path = 'ramps'",
    )
    for file in sorted((project.root / "ramps").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()

    conflicting = project.sync()
    assert {(each.path, each.field) for each in conflicting.conflicts} == {("ramps", "skill"), ("ramps", "new.txt")}
    project.sync(choice=Choice(force=Take.OURS), allow_mass_delete=True)

    assert "ramps" not in project.rows()
    with project.store() as store:
        kept = {each.conflict.field: each.conflict.theirs_bytes for each in store.conflicts(open_only=False)}
    assert b"Edited." in (kept["skill"] or b"")
    assert kept["new.txt"] == b"#!/bin/sh\n"


def test_guarantee_02_a_row_that_no_file_can_show_is_kept_when_it_is_forced_away(project: SkillProject) -> None:
    update(project, """extra = '{"description": "twice"}', body = 'only here'""")

    assert [each.field for each in project.sync().conflicts] == ["description"]
    project.sync(choice=Choice(force=Take.OURS))

    require_equal_sides(project)
    with project.store() as store:
        (kept,) = [each.conflict.theirs or "" for each in store.conflicts(open_only=False)]
    assert "only here" in kept
    assert "twice" in kept


# 3


def test_guarantee_03_the_same_change_on_both_sides_is_no_conflict_and_a_touch_no_change(project: SkillProject) -> None:
    replace_in(project.root / "ramps/SKILL.md", "Ramps.", "Both say so.")
    update(project, "description = 'Both say so.'")
    (project.root / "glaze/SKILL.md").touch()
    project.sql("UPDATE skills SET name = name, row_version = 0 WHERE skill_path = 'tools/cone'")
    before = tree(project.root)

    found = project.synced()

    assert found.files == type(found.files)()
    assert found.database == type(found.database)()
    assert tree(project.root) == before
    assert found.unchanged == 3


# 4


def test_guarantee_04_byte_fidelity(tmp_path: Path, project: SkillProject) -> None:
    project.write("odd/SKILL.md", CURIOUS, executable=True)
    project.write("odd/.hidden", b"\0\xff\xfe")
    project.synced()

    copy = elsewhere(project, tmp_path / "copy", project.workspace.database_url)
    copy.synced(Direction.IMPORT)

    assert paths_and_files(copy.files()) == paths_and_files(project.files())


def test_guarantee_04_an_edit_of_one_field_changes_that_fields_bytes_only(project: SkillProject) -> None:
    project.write("odd/SKILL.md", CURIOUS)
    project.synced()

    update(project, "description = 'Short.'", "odd")
    project.synced()

    start, end = CURIOUS.index(b"description:"), CURIOUS.index(b"tags:")
    after = (project.root / "odd/SKILL.md").read_bytes()
    assert after.startswith(CURIOUS[:start])
    assert after.endswith(CURIOUS[end:])
    assert b"Short." in after[start : len(after) - len(CURIOUS[end:])]
    assert b"\n" not in after.replace(b"\r\n", b"")


def test_guarantee_04_an_edit_that_cannot_be_made_in_place_is_a_conflict(project: SkillProject) -> None:
    text = skill_md("odd", "&text Anchored.", more="*text").encode()
    project.write("odd/SKILL.md", text)
    project.synced()

    update(project, "description = 'Another.'", "odd")
    found = project.sync()

    assert [(each.path, each.field) for each in found.conflicts] == [("odd", "description")]
    assert (project.root / "odd/SKILL.md").read_bytes() == text


# 5


def test_guarantee_05_merge_by_key_subkey_set_and_line(project: SkillProject) -> None:
    ramps = project.root / "ramps/SKILL.md"
    replace_in(ramps, "version: 1.0\n", "version: 1.1\nmetadata:\n  author: Ada\n")
    project.synced()
    replace_in(ramps, "Ada", "Ada L.")
    replace_in(ramps, "[clay, fire]", "[clay, fire, slow]")
    replace_in(ramps, "one", "one of the file")
    update(project, """extra = '{"metadata": {"author": "Ada", "cone": 6}}', body = 'one\ntwo\nthree of the row\n'""")
    project.sql("DELETE FROM skill_tags WHERE value = 'fire'")

    project.synced()

    require_equal_sides(project)
    text = ramps.read_text()
    assert "author: Ada L." in text
    assert "cone: 6" in text
    assert "[clay, slow]" in text
    assert text.endswith("one of the file\ntwo\nthree of the row\n")


def test_guarantee_05_a_conflict_freezes_one_skill_and_writes_no_markers(project: SkillProject) -> None:
    replace_in(project.root / "ramps/SKILL.md", "Ramps.", "Of the file.")
    update(project, "description = 'Of the row.'")
    replace_in(project.root / "glaze/SKILL.md", "Does something.", "Glazes.")
    frozen = (project.root / "ramps/SKILL.md").read_bytes()

    found = project.sync()

    assert found.exit_code == EXIT_CONFLICTS
    (conflict,) = found.conflicts
    told = (conflict.path, conflict.field, conflict.base, conflict.ours, conflict.theirs)
    assert told == ("ramps", "description", "Ramps.", "Of the file.", "Of the row.")
    assert open_conflicts(project) == [("ramps", "description")]
    assert (project.root / "ramps/SKILL.md").read_bytes() == frozen
    assert b"Of the row." in project.rows()["ramps"].document
    assert project.rows()["glaze"] == project.files()["glaze"]
    assert b"<<<<<<<" not in frozen


@pytest.mark.parametrize(("take", "expected"), [("ours", b"file"), ("theirs", b"row"), ("file", b"people")])
def test_guarantee_05_a_decision_is_applied_by_the_next_sync(project: SkillProject, take: str, expected: bytes) -> None:
    replace_in(project.root / "ramps/SKILL.md", "Ramps.", "Of the file.")
    update(project, "description = 'Of the row.'")
    project.sync()
    with project.store() as store, project.session() as session:
        chosen = skill_md("ramps", "Of people.").encode() if take == "file" else None
        assert store.resolve_conflict("ramps", take, session.deadline, chosen=chosen) == 1

    project.synced()

    require_equal_sides(project)
    assert b"description: Of " + (b"the " if take != "file" else b"") + expected in project.files()["ramps"].document
    assert open_conflicts(project) == []


# 6


@pytest.mark.parametrize("deleted", ["files", "database"])
def test_guarantee_06_delete_against_edit_is_a_conflict(project: SkillProject, deleted: str) -> None:
    if deleted == "files":
        (project.root / "glaze/SKILL.md").unlink()
        update(project, "description = 'Edited.'", "glaze")
    else:
        project.sql("DELETE FROM skills WHERE skill_path = 'glaze'")
        replace_in(project.root / "glaze/SKILL.md", "Does something.", "Edited.")

    found = project.sync()

    assert [(each.path, each.field) for each in found.conflicts] == [("glaze", "skill")]
    left = project.rows() if deleted == "files" else project.files()
    assert b"Edited." in left["glaze"].document


@pytest.mark.parametrize("deleted", ["files", "database"])
def test_guarantee_06_a_deletion_is_propagated_with_a_tombstone(project: SkillProject, deleted: str) -> None:
    uid = project.uids()["glaze"]
    if deleted == "files":
        (project.root / "glaze/SKILL.md").unlink()
    else:
        project.sql("DELETE FROM skills WHERE skill_path = 'glaze'")

    project.synced()

    assert "glaze" not in project.rows()
    assert "glaze" not in project.files()
    assert not (project.root / "glaze").is_dir() or deleted == "files"
    with project.store() as store:
        found = store.tombstones()
    assert (found[uid].path, found[uid].side) == ("glaze", deleted)


def test_guarantee_06_deleted_on_both_sides_and_made_again_is_a_new_skill(project: SkillProject) -> None:
    uid, text = project.uids()["glaze"], (project.root / "glaze/SKILL.md").read_bytes()
    (project.root / "glaze/SKILL.md").unlink()
    project.sql("DELETE FROM skills WHERE skill_path = 'glaze'")
    project.synced()

    project.write("glaze/SKILL.md", text)
    project.synced()

    assert project.uids()["glaze"] != uid
    with project.store() as store:
        assert store.tombstones()[uid].side == "both"


# 7


def test_guarantee_07_renames_keep_their_uid_by_content_then_by_unique_name(project: SkillProject) -> None:
    before = project.uids()
    (project.root / "ramps").rename(project.root / "slopes")
    replace_in(project.root / "glaze/SKILL.md", "Does something.", "Edited on the way.")
    (project.root / "glaze").rename(project.root / "tools/glaze")

    found = project.synced()

    assert found.database
    assert found.database.renamed == (("ramps", "slopes"), ("glaze", "tools/glaze"))
    assert found.database.deleted == ()
    after = project.uids()
    assert (after["slopes"], after["tools/glaze"]) == (before["ramps"], before["glaze"])


@pytest.mark.parametrize("side", ["files", "database"])
def test_guarantee_07_two_skills_that_swap_are_two_renames(project: SkillProject, side: str) -> None:
    before, files = project.uids(), project.files()
    if side == "files":
        for source, target in (("ramps", "between"), ("glaze", "ramps"), ("between", "glaze")):
            (project.root / source).rename(project.root / target)
    else:
        for source, target in (("ramps", "between"), ("glaze", "ramps"), ("between", "glaze")):
            update(project, f"skill_path = '{target}'", source)

    project.synced()

    after = project.uids()
    assert (after["ramps"], after["glaze"]) == (before["glaze"], before["ramps"])
    assert project.files()["glaze"].files == files["ramps"].files
    require_equal_sides(project)


def test_guarantee_07_an_ambiguous_rename_is_a_deletion_and_new_skills(project: SkillProject) -> None:
    uid = project.uids()["glaze"]
    text = (project.root / "glaze/SKILL.md").read_bytes()
    (project.root / "glaze/SKILL.md").unlink()
    project.write("one/SKILL.md", text)
    project.write("two/SKILL.md", text)

    found = project.synced()

    assert found.database
    assert (found.database.created, found.database.deleted) == (("one", "two"), ("glaze",))
    assert uid not in project.uids().values()


# 8


def test_guarantee_08_without_a_base_nothing_is_deleted_or_overwritten(project: SkillProject) -> None:
    project.sql("DELETE FROM skill_base", "DELETE FROM skill_base_file")
    (project.root / "glaze/SKILL.md").unlink()
    project.sql("DELETE FROM skills WHERE skill_path = 'tools/cone'")
    replace_in(project.root / "ramps/SKILL.md", "Ramps.", "Of the file.")

    found = project.sync()

    assert [(each.path, each.field) for each in found.conflicts] == [("ramps", "description")]
    assert set(project.files()) == set(project.rows()) == {"ramps", "glaze", "tools/cone"}
    assert b"Of the file." in project.files()["ramps"].document
    assert b"Ramps." in project.rows()["ramps"].document


@pytest.mark.parametrize("loss", ["no root", "empty root", "more than half", "rows"])
@pytest.mark.parametrize("direction", [Direction.SYNC, Direction.EXPORT])
def test_guarantee_08_a_mass_deletion_is_refused(
    project: SkillProject, tmp_path: Path, loss: str, direction: Direction
) -> None:
    if loss == "rows":
        project.sql("DELETE FROM skills")
    elif loss == "more than half":
        for path in ("ramps", "glaze"):
            (project.root / path / "SKILL.md").unlink()
    else:
        project.root.rename(tmp_path / "away")
        if loss == "empty root":
            project.root.mkdir()
    before = project.everything()

    found = project.sync(direction)

    if loss == "rows" and direction is Direction.EXPORT:
        assert len(project.files()) == 3  # nothing to be written: the files are as they were agreed on
        return
    assert (found.exit_code, [problem.check for problem in found.problems]) == (EXIT_PROBLEMS, ["skill_loss"])
    assert project.everything() == before
    allowed = project.sync(direction, allow_mass_delete=True)
    assert allowed.exit_code == EXIT_OK


def test_guarantee_08_an_import_into_an_empty_folder_creates(project: SkillProject, tmp_path: Path) -> None:
    empty = elsewhere(project, tmp_path / "empty", project.workspace.database_url)

    found = empty.synced(Direction.IMPORT)

    assert found.files
    assert found.files.created == ("glaze", "ramps", "tools/cone")


def test_guarantee_08_an_import_into_an_empty_folder_also_notes_what_both_sides_deleted(
    project: SkillProject, tmp_path: Path
) -> None:
    empty = elsewhere(project, tmp_path / "empty", project.workspace.database_url)
    project.sql("DELETE FROM skills WHERE skill_path = 'glaze'")
    empty.synced(Direction.IMPORT)
    before = empty.everything()

    empty.synced(Direction.IMPORT)

    assert empty.everything() == before
    with empty.store() as store:
        assert [found.side for found in store.tombstones().values()] == ["both"]


def test_guarantee_08_an_import_into_an_empty_folder_that_was_cut_short_deletes_nothing(
    project: SkillProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty, rows = elsewhere(project, tmp_path / "empty", project.workspace.database_url), project.rows()

    def stop(_: Failpoint) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(skill_folders, "reach", stop)
    with pytest.raises(KeyboardInterrupt):
        empty.sync(Direction.IMPORT)
    monkeypatch.undo()
    empty.synced(allow_mass_delete=True)

    assert paths_and_files(empty.files()) == paths_and_files(rows) == paths_and_files(empty.rows())


def test_guarantee_08_a_skill_that_cannot_be_created_in_an_empty_folder_is_not_deleted_by_the_next_run(
    project: SkillProject, tmp_path: Path
) -> None:
    empty = elsewhere(project, tmp_path / "empty", project.workspace.database_url)
    empty.write("ramps/scripts/run.sh", "in the way")

    for _ in range(2):
        found = empty.sync(Direction.IMPORT, choice=Choice(force=Take.OURS))

        assert [(each.path, each.field) for each in found.conflicts] == [("ramps", "scripts/run.sh")]
        assert open_conflicts(empty) == [("ramps", "scripts/run.sh")]
    assert "ramps" in empty.rows()


# 9


@pytest.mark.parametrize("direction", Direction)
def test_guarantee_09_dry_run_and_real_run_come_from_one_planner(project: SkillProject, direction: Direction) -> None:
    (project.root / "ramps").rename(project.root / "slopes")
    replace_in(project.root / "glaze/SKILL.md", "Does something.", "Glazes.")
    project.write("new/SKILL.md", skill_md("new"))
    project.sql("DELETE FROM skills WHERE skill_path = 'tools/cone'")
    update(project, "description = 'Of the row.'", "glaze")
    before, lines = project.everything(), project.activities()

    plan = project.sync(direction, execute=False)
    assert (project.everything(), project.activities()) == (before, lines)
    done = project.sync(direction)

    assert (plan.files, plan.database, plan.conflicts, plan.unchanged) == (
        *(done.files, done.database, done.conflicts, done.unchanged),
    )
    assert [side for side in (plan.files, plan.database) if side and any(side.counts)]


# 10


def test_guarantee_10_an_edit_of_a_file_during_the_sync_is_kept(
    project: SkillProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    update(project, "description = 'Of the row.'")

    def edit(point: Failpoint) -> None:
        if point is Failpoint.SKILLS_COMMITTED:
            replace_in(project.root / "ramps/SKILL.md", "two", "two, meanwhile")

    monkeypatch.setattr(skills_apply, "reach", edit)
    found = project.sync()
    monkeypatch.undo()

    assert [problem.path for problem in found.problems] == ["ramps"]
    assert b"two, meanwhile" in project.files()["ramps"].document
    project.synced()
    require_equal_sides(project)
    document = project.files()["ramps"].document
    assert b"two, meanwhile" in document
    assert b"Of the row." in document


def test_guarantee_10_an_edit_of_a_row_during_the_sync_is_kept(
    project: SkillProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_in(project.root / "ramps/SKILL.md", "two", "two of the file")
    recording = skills_apply.SkillStore.record_conflicts

    def edit_first(*arguments: object) -> int:
        update(project, "description = 'Meanwhile.'")
        return recording(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(skills_apply.SkillStore, "record_conflicts", edit_first)
    found = project.sync()
    monkeypatch.undo()

    assert [problem.path for problem in found.problems] == ["ramps"]
    assert b"Meanwhile." in project.rows()["ramps"].document
    project.synced()
    require_equal_sides(project)
    assert b"Meanwhile." in project.files()["ramps"].document
    assert b"two of the file" in project.files()["ramps"].document


# 11

OUTSIDE = ("../out", "/tmp/out", "a/../../out", "C:/out", "a\\b", "", "a//b", ".git/hooks", "./a")


def test_guarantee_11_paths_from_the_database_cannot_leave_the_root(project: SkillProject, tmp_path: Path) -> None:
    above = {path for path in tmp_path.rglob("*") if project.root not in path.parents}
    for number, path in enumerate(OUTSIDE):
        project.sql(
            f"INSERT INTO skills (project_id, skill_path, name, body) VALUES ('{PROJECT}', '{path}', 'n{number}', 'b')"
        )
    uid = project.uids()["ramps"]
    for path in OUTSIDE:
        project.sql(
            f"INSERT INTO skill_files (project_id, uid, path, content) VALUES ('{PROJECT}', '{uid}', '{path}', '')"
        )
    files = paths_and_files(project.files())

    found = project.sync()

    assert set(found.quarantined) == {*OUTSIDE, "ramps"}
    assert found.exit_code == EXIT_PROBLEMS
    assert paths_and_files(project.files()) == files
    assert {path for path in tmp_path.rglob("*") if project.root not in path.parents} - above <= {
        tmp_path / name for name in ("sot.db-wal", "sot.db-shm")
    }
    assert all(usable_path(path) for path in (*OUTSIDE, "a\0b"))


def test_guarantee_11_a_uid_from_the_database_cannot_lead_a_move_out_of_the_root(
    project: SkillProject, tmp_path: Path
) -> None:
    project.sql(
        "INSERT INTO skills (project_id, uid, skill_path, name, body) "
        f"VALUES ('{PROJECT}', '../../../out', 'here', 'here', 'b')"
    )
    project.synced()
    update(project, "skill_path = 'there'", "here")
    project.synced()

    assert not list(tmp_path.rglob("*out*"))
    assert "there" in project.files()


def test_guarantee_11_a_symlinked_folder_is_not_written_through(project: SkillProject, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (project.root / "group").symlink_to(outside)
    update(project, "skill_path = 'group/ramps'")
    project.sql(f"INSERT INTO skills (project_id, skill_path, name, body) VALUES ('{PROJECT}', 'group/new', 'n', 'b')")

    found = project.sync()

    assert found.exit_code == EXIT_PROBLEMS
    assert list(outside.iterdir()) == []
    assert b"name: ramps" in b"".join(skill.document for skill in project.files().values())


# 12


def test_guarantee_12_a_second_sync_writes_nothing_but_its_activity(project: SkillProject) -> None:
    project.write("odd/SKILL.md", CURIOUS)
    update(project, "description = 'Of the row.'")
    project.synced()
    before, lines = project.everything(), project.activities()

    for direction in Direction:
        found = project.synced(direction)
        assert found.unchanged == 4

    assert project.everything() == before
    assert project.activities() == lines + 3


@pytest.mark.parametrize("direction", list(Direction))
def test_guarantee_12_forcing_the_same_again_writes_nothing(project: SkillProject, direction: Direction) -> None:
    update(project, """extra = '{"description": "twice"}'""")
    choice = Choice(force=Take.OURS)
    project.sync(direction, choice=choice)
    before = project.everything()

    project.sync(direction, choice=choice)

    assert project.everything() == before


@pytest.mark.parametrize("change", ["new", "renamed"])
def test_guarantee_12_files_that_lie_where_a_skill_comes_to_be_are_its_at_once(
    project: SkillProject, change: str
) -> None:
    project.write("here/notes.txt", "Nobody's.")
    project.write("here/below/x", "Nobody's.")
    if change == "new":
        project.sql(f"INSERT INTO skills (project_id, skill_path, name, body) VALUES ('{PROJECT}', 'here', 'n', 'b')")
    else:
        update(project, "skill_path = 'here'")
    project.synced()
    before = project.everything()

    project.synced()

    assert project.everything() == before
    require_equal_sides(project)
    assert {"notes.txt", "below/x"} <= project.files()["here"].files.keys()


def test_guarantee_02_a_file_that_is_in_the_way_of_a_skill_is_a_conflict(project: SkillProject) -> None:
    project.write("here/scripts/run.sh", "Nobody's.")
    update(project, "skill_path = 'here'")

    found = project.sync()

    assert [(each.path, each.field) for each in found.conflicts] == [("ramps", "scripts/run.sh")]
    assert (project.root / "here/scripts/run.sh").read_text() == "Nobody's."


# 13


def test_guarantee_13_a_symlinked_skill_folder_is_quarantined(project: SkillProject, tmp_path: Path) -> None:
    (project.root / "glaze").rename(tmp_path / "glaze")
    (project.root / "glaze").symlink_to(tmp_path / "glaze")
    (project.root / "tools").rename(tmp_path / "tools")
    (project.root / "tools").symlink_to(tmp_path / "tools")
    update(project, "description = 'Of the row.'", "glaze")
    outside = tree(tmp_path / "glaze")

    found = project.sync()

    assert set(found.quarantined) == {"glaze", "tools"}
    assert set(project.rows()) == {"ramps", "glaze", "tools/cone"}
    assert tree(tmp_path / "glaze") == outside
    assert (project.root / "glaze").is_symlink()


BROKEN = {
    "yaml": b"---\nname: [\n---\n",
    "no end": b"---\nname: x\n",
    "twice": b"---\nname: x\nname: y\n---\n",
    "latin-1": "---\nname: x\ndescription: é\n---\n".encode("latin-1"),
    "bomb": b"---\na: &a [x]\n" + b"".join(b"k%d: [*a, *a]\n" % number for number in range(99)) + b"---\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_guarantee_13_what_cannot_be_read_is_quarantined_and_never_rewritten(project: SkillProject, kind: str) -> None:
    (project.root / "ramps/SKILL.md").write_bytes(BROKEN[kind])
    update(project, "description = 'Of the row.'")
    row = project.rows()["ramps"]
    replace_in(project.root / "glaze/SKILL.md", "Does something.", "Glazes.")

    found = project.sync()

    assert found.exit_code == EXIT_PROBLEMS
    assert list(found.quarantined) == ["ramps"]
    assert found.quarantined["ramps"].startswith("line ")
    assert (project.root / "ramps/SKILL.md").read_bytes() == BROKEN[kind]
    assert project.rows()["ramps"] == row
    assert b"Glazes." in project.rows()["glaze"].document
