"""Folders of skills are written file by file, moved whole, and never over what somebody else wrote."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sot_pipeline.errors import FileChangedMeanwhile, FileUnusable
from sot_pipeline.runtime.failpoints import Failpoint
from sot_pipeline.skills.files import FoundSkills, read_skills
from sot_pipeline.skills.model import DOCUMENT, File, Move, Skill
from sot_pipeline.steps.skills_moves import as_if_moved
from sot_pipeline.targets import skill_folders
from sot_pipeline.targets.skill_folders import SkillFolders
from sot_pipeline_tests.skills.project import paths_and_files, tree

A = Skill("a", {DOCUMENT: File(b"a"), "s/run": File(b"#!", executable=True), "x": File(b"\0")})
B = Skill("b/c", {DOCUMENT: File(b"b")})


@pytest.fixture
def folders(tmp_path: Path) -> SkillFolders:
    """Two skills."""
    found = SkillFolders(tmp_path / "skills")
    found.write(None, A)
    found.write(None, B)
    return found


def skills_of(folders: SkillFolders) -> dict[str, dict[str, File]]:
    return {path: dict(files) for path, files in paths_and_files(read_skills(folders.root).skills).items()}


def move(skill: Skill, target: str | None, uid: str = "1") -> Move:
    return Move(uid, skill.path, target, skill.folder_hash)


def test_a_skill_is_written_as_it_is_and_its_skill_md_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = SkillFolders(tmp_path / "not" / "yet")
    seen: list[int] = []
    monkeypatch.setattr(skill_folders, "reach", lambda _: seen.append(len(read_skills(folders.root).skills)))

    folders.write(None, A)

    assert read_skills(folders.root).skills == {"a": A}
    assert seen == [0, 0, 1]


def test_only_what_differs_is_written(folders: SkillFolders) -> None:
    before = tree(folders.root)
    changed = Skill("a", {DOCUMENT: File(b"new"), "s/run": A.files["s/run"]})

    folders.write(A, changed)

    after = tree(folders.root)
    assert skills_of(folders)["a"] == changed.files
    assert {path for path in before if before[path] != after.get(path)} == {"a/SKILL.md", "a/x"}


def test_a_file_keeps_its_permissions_but_for_who_may_execute_it(folders: SkillFolders) -> None:
    (folders.root / "a/SKILL.md").chmod(0o640)
    new = Skill("a", {**A.files, DOCUMENT: File(b"a", executable=True), "s/run": File(b"#!")})

    folders.write(A, new)

    assert (folders.root / "a/SKILL.md").stat().st_mode & 0o777 == 0o750
    assert (folders.root / "a/s/run").stat().st_mode & 0o111 == 0


def test_folders_that_become_empty_go_and_others_stay(folders: SkillFolders) -> None:
    folders.write(A, Skill("a", {name: file for name, file in A.files.items() if name != "s/run"}))
    folders.write(B, Skill("b/c", {}))

    assert not (folders.root / "a/s").exists()
    assert not (folders.root / "b").exists()
    assert (folders.root / "a").is_dir()


@pytest.mark.parametrize("name", [DOCUMENT, "x", "new"])
def test_what_somebody_wrote_meanwhile_is_kept(folders: SkillFolders, name: str) -> None:
    (folders.root / "a" / name).write_bytes(b"theirs")

    with pytest.raises(FileChangedMeanwhile, match="somebody changed it"):
        folders.write(A, Skill("a", {**A.files, name: File(b"ours")}))

    assert (folders.root / "a" / name).read_bytes() == b"theirs"
    assert not list(folders.root.rglob("*.tmp"))


def test_what_somebody_changed_is_not_removed_and_what_is_gone_is_no_error(folders: SkillFolders) -> None:
    (folders.root / "a/x").write_bytes(b"theirs")
    with pytest.raises(FileChangedMeanwhile):
        folders.write(A, Skill("a", {DOCUMENT: A.files[DOCUMENT], "s/run": A.files["s/run"]}))
    assert (folders.root / "a/x").read_bytes() == b"theirs"

    (folders.root / "a/x").unlink()
    folders.write(A, Skill("a", {DOCUMENT: A.files[DOCUMENT], "s/run": A.files["s/run"]}))


def test_what_is_already_there_is_not_written_again(folders: SkillFolders) -> None:
    before = tree(folders.root)

    folders.write(None, A)

    assert tree(folders.root) == before


def test_a_file_that_comes_between_the_last_look_and_the_link_is_kept(
    folders: SkillFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = skill_folders._write

    def write_both(*arguments: object, **options: object) -> None:
        writing(*arguments, **options)  # type: ignore[arg-type]
        (folders.root / "a/new").write_bytes(b"theirs")

    monkeypatch.setattr(skill_folders, "_write", write_both)
    with pytest.raises(FileChangedMeanwhile):
        folders.write(A, Skill("a", {**A.files, "new": File(b"ours")}))

    assert (folders.root / "a/new").read_bytes() == b"theirs"
    assert not list(folders.root.rglob("*.tmp"))


def test_a_file_system_without_hard_links_is_written_all_the_same(
    folders: SkillFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(skill_folders.os, "link", refused)
    folders.write(None, Skill("new", A.files))
    moved = folders.move([move(A, "elsewhere")])

    assert moved.failed == {}
    assert skills_of(folders) == {"new": A.files, "elsewhere": A.files, "b/c": B.files}


def test_another_failure_of_a_link_is_told(folders: SkillFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(skill_folders.os, "link", full)
    with pytest.raises(FileUnusable, match="No space left"):
        folders.write(None, Skill("new", A.files))


@pytest.mark.parametrize("what", ["read-only", "a file in the way", "a link in the way", "a pipe"])
def test_what_cannot_be_written_is_told(
    folders: SkillFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    if what == "read-only":  # to root, no permissions are
        monkeypatch.setattr(skill_folders.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EROFS, "ro")))
    elif what == "a file in the way":
        (folders.root / "d").write_bytes(b"")
    elif what == "a link in the way":
        (folders.root / "d").symlink_to(tmp_path)
    else:
        (folders.root / "d").mkdir()
        os.mkfifo(folders.root / "d/SKILL.md")

    with pytest.raises(FileUnusable, match="cannot be written"):
        folders.write(None, Skill("d", {DOCUMENT: File(b"new")}))

    assert not (tmp_path / DOCUMENT).exists()
    assert not list(folders.root.rglob("*.tmp"))


def test_skills_swap_their_folders(folders: SkillFolders) -> None:
    moves = [move(A, "b/c", "1"), move(B, "a", "2")]

    assert folders.move(moves).failed == {}
    assert skills_of(folders) == {"b/c": A.files, "a": B.files}
    folders.forget(moves)
    assert not list(folders.root.glob(".sot-*"))
    assert not (folders.root / "a/s").exists()


def test_skills_move_below_themselves_above_and_to_the_root(folders: SkillFolders) -> None:
    for source, target in (("a", "a/deep/er"), ("a/deep/er", "."), (".", "z")):
        there = Move("1", source, target, A.folder_hash)
        assert folders.move([there]).failed == {}
        folders.forget([there])
        assert skills_of(folders) == {target: A.files, "b/c": B.files}


def test_a_skill_is_deleted_with_its_folders_and_no_other(folders: SkillFolders) -> None:
    folders.write(None, Skill("b", A.files))

    folders.move([move(Skill("b", A.files), None)])

    assert skills_of(folders) == {"a": A.files, "b/c": B.files}


def test_a_skill_that_is_another_by_now_is_not_moved(folders: SkillFolders) -> None:
    (folders.root / "a/x").write_bytes(b"theirs")
    moves = [move(A, "z", "1"), move(B, None, "2"), Move("3", "none", "y", "")]

    moved = folders.move(moves)

    assert (set(moved.failed), moved.given_up) == ({"1", "3"}, {"1", "3"})
    assert skills_of(folders) == {"a": {**A.files, "x": File(b"theirs")}}


@pytest.mark.parametrize("way", ["link", "file"])
def test_a_skill_whose_place_cannot_be_made_stays(folders: SkillFolders, tmp_path: Path, way: str) -> None:
    if way == "link":
        (folders.root / "d").symlink_to(tmp_path)
    else:
        (folders.root / "d").write_bytes(b"")

    moved = folders.move([move(A, "d/e")])

    assert isinstance(moved.failed["1"], FileUnusable)
    assert skills_of(folders)["a"] == A.files


class StopError(BaseException):
    pass


def stop_at(monkeypatch: pytest.MonkeyPatch, point: Failpoint, times: int = 1) -> None:
    reached: Iterator[int] = iter(range(1, 99))

    def reach(found: Failpoint) -> None:
        if found is point and next(reached) == times:
            raise StopError

    monkeypatch.setattr(skill_folders, "reach", reach)


STOPS = [
    *((Failpoint.SKILL_FILE_MOVED, times) for times in range(1, 9)),
    *((point, times) for point in (Failpoint.SKILL_COLLECTED, Failpoint.SKILL_MOVED) for times in (1, 2)),
]


@pytest.mark.parametrize(("point", "times"), STOPS)
def test_moves_that_were_cut_short_are_finished_and_planned_as_if_they_were(
    folders: SkillFolders, monkeypatch: pytest.MonkeyPatch, point: Failpoint, times: int
) -> None:
    moves = [move(A, "b/c", "1"), move(B, "a", "2")]
    stop_at(monkeypatch, point, times)
    with pytest.raises(StopError):
        folders.move(moves)
    monkeypatch.undo()

    planned, arrived = as_if_moved(read_skills(folders.root), folders.root, moves)
    moved = folders.move(moves)

    assert moved.failed == {}
    assert skills_of(folders) == {"b/c": A.files, "a": B.files} == paths_and_files(planned.skills)
    assert arrived == {"1": "b/c", "2": "a"}
    folders.forget(moves)
    assert not list(folders.root.glob(".sot-*"))  # else the next move of these would be taken for done


@pytest.mark.parametrize(("point", "times"), STOPS[:3] + STOPS[8:9] + STOPS[10:11])
def test_a_deletion_that_was_cut_short_is_finished(
    folders: SkillFolders, monkeypatch: pytest.MonkeyPatch, point: Failpoint, times: int
) -> None:
    stop_at(monkeypatch, point, times)
    with pytest.raises(StopError):
        folders.move([move(A, None)])
    monkeypatch.undo()

    planned, arrived = as_if_moved(read_skills(folders.root), folders.root, [move(A, None)])
    folders.move([move(A, None)])

    assert skills_of(folders) == {"b/c": B.files} == paths_and_files(planned.skills)
    assert arrived == {}


def test_an_edit_in_a_folder_that_is_half_collected_goes_with_it_or_comes_back(
    folders: SkillFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    for target in ("z", None):
        stop_at(monkeypatch, Failpoint.SKILL_FILE_MOVED)
        with pytest.raises(StopError):
            folders.move([move(A, target)])
        monkeypatch.undo()
        (folders.root / "a/SKILL.md").write_bytes(b"edited")
        edited = {**A.files, DOCUMENT: File(b"edited")}

        planned, _ = as_if_moved(read_skills(folders.root), folders.root, [move(A, target)])
        moved = folders.move([move(A, target)])
        folders.forget([move(A, target)])

        assert moved.given_up == (set() if target else {"1"})
        assert skills_of(folders) == {target or "a": edited, "b/c": B.files} == paths_and_files(planned.skills)
        if target:
            again = Move("1", target, None, Skill(target, edited).folder_hash)
            folders.move([again])
            folders.forget([again])
            folders.write(None, A)


def test_a_skill_comes_back_whose_new_place_was_taken_meanwhile(
    folders: SkillFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, Failpoint.SKILL_COLLECTED)
    with pytest.raises(StopError):
        folders.move([move(A, "z")])
    monkeypatch.undo()
    folders.write(None, Skill("z", {DOCUMENT: File(b"theirs")}))

    planned, arrived = as_if_moved(read_skills(folders.root), folders.root, [move(A, "z")])
    moved = folders.move([move(A, "z")])

    assert moved.given_up == {"1"}
    assert arrived == {}
    expected = {"a": A.files, "b/c": B.files, "z": {DOCUMENT: File(b"theirs")}}
    assert skills_of(folders) == expected == paths_and_files(planned.skills)


def test_what_was_half_collected_comes_back_where_the_rest_was_deleted(
    folders: SkillFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, Failpoint.SKILL_FILE_MOVED)
    with pytest.raises(StopError):
        folders.move([move(A, "z")])
    monkeypatch.undo()
    (folders.root / "a/SKILL.md").unlink()

    planned, arrived = as_if_moved(read_skills(folders.root), folders.root, [move(A, "z")])
    moved = folders.move([move(A, "z")])

    assert (moved.given_up, arrived) == ({"1"}, {})
    assert (folders.root / "a/s/run").read_bytes() == b"#!"
    assert set(skills_of(folders)) == {"b/c"} == set(planned.skills)


def test_without_moves_files_are_as_they_are(folders: SkillFolders) -> None:
    found = read_skills(folders.root)

    assert as_if_moved(found, folders.root, []) == (found, {})
    assert as_if_moved(FoundSkills({}, {}), folders.root, [Move("1", "none", "x", "")]) == (FoundSkills({}, {}), {})


def test_what_a_killed_run_left_is_removed_and_nothing_else(folders: SkillFolders) -> None:
    (folders.root / "a/.sot-1.tmp").write_bytes(b"")
    (folders.root / ".sot-2.tmp").mkdir()
    (folders.root / ".sot-3.tmp").mkdir()
    (folders.root / ".sot-3.tmp/kept").write_bytes(b"somebody's")
    before = skills_of(folders)

    folders.tidy([*read_skills(folders.root).temporaries, "a/.sot-gone.tmp"])

    assert read_skills(folders.root).temporaries == (".sot-3.tmp",)
    assert (folders.root / ".sot-3.tmp/kept").exists()
    assert skills_of(folders) == before
