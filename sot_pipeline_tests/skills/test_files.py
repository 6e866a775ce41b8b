"""Folders of skills are found and read as they are, and what cannot be kept is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sot_pipeline.errors import FileUnusable
from sot_pipeline.skills import files
from sot_pipeline.skills.files import FoundSkills, below, read_folder, read_skill, read_skills, usable_path
from sot_pipeline.skills.model import DOCUMENT, File


def write(root: Path, *paths: str) -> None:
    """Files that hold their own paths."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(os.fsencode(path))


def test_a_file_belongs_to_the_nearest_skill(tmp_path: Path) -> None:
    write(tmp_path, "SKILL.md", "a/x", "a/b/SKILL.md", "a/b/c/.hidden", "a/b/c/d/SKILL.md")

    found = read_skills(tmp_path)

    assert {path: sorted(skill.files) for path, skill in found.skills.items()} == {
        ".": [DOCUMENT, "a/x"],
        "a/b": [DOCUMENT, "c/.hidden"],
        "a/b/c/d": [DOCUMENT],
    }
    assert found.skills["a/b"].files["c/.hidden"] == File(b"a/b/c/.hidden")
    assert found.quarantined == {}


def test_files_outside_of_any_skill_are_nobodys(tmp_path: Path) -> None:
    write(tmp_path, "README.md", "a/notes.md", "a/b/SKILL.md")

    assert list(read_skills(tmp_path).skills) == ["a/b"]


def test_no_root_is_no_skills_and_a_file_is_refused(tmp_path: Path) -> None:
    assert read_skills(tmp_path / "none") == FoundSkills({}, {})
    write(tmp_path, "file")
    with pytest.raises(FileUnusable, match="cannot be listed"):
        read_skills(tmp_path / "file")


def test_bytes_and_executable_bits_are_kept(tmp_path: Path) -> None:
    write(tmp_path, "a/SKILL.md", "a/run")
    (tmp_path / "a/run").write_bytes(b"\0\xff\r\n")
    (tmp_path / "a/run").chmod(0o744)

    assert read_skills(tmp_path).skills["a"].files["run"] == File(b"\0\xff\r\n", executable=True)


def test_git_and_temporary_names_are_never_part_of_a_skill(tmp_path: Path) -> None:
    write(tmp_path, "a/SKILL.md", "a/.git/config", "a/.sot/x", "a/.sot-1.tmp", ".sot-2.tmp/SKILL.md", "a/.sotx")

    found = read_skills(tmp_path)

    assert {path: sorted(skill.files) for path, skill in found.skills.items()} == {"a": [".sotx", DOCUMENT]}
    assert sorted(found.temporaries) == [".sot-2.tmp", "a/.sot-1.tmp"]


def test_a_linked_skill_or_a_linked_group_of_them_is_quarantined(tmp_path: Path) -> None:
    root = tmp_path / "skills"
    write(root, "a/SKILL.md")
    write(tmp_path, "one/SKILL.md", "group/two/SKILL.md", "file")
    for name, target in (("one", "one"), ("group", "group"), ("gone", "nothing"), ("file", "file"), ("a/one", "one")):
        (root / name).symlink_to(tmp_path / target)

    found = read_skills(root)

    assert list(found.skills) == ["a"]
    assert list(found.quarantined) == ["a/one", "gone", "group", "one"]
    assert "never followed" in found.quarantined["one"]


@pytest.mark.parametrize("target", ["inside", "../../outside", "nothing"])
def test_a_link_among_the_files_of_a_skill_quarantines_it(tmp_path: Path, target: str) -> None:
    write(tmp_path, "outside", "skills/a/SKILL.md", "skills/a/inside", "skills/b/SKILL.md")
    (tmp_path / "skills/a/link").symlink_to(target)

    found = read_skills(tmp_path / "skills")

    assert list(found.skills) == ["b"]
    assert "a/link is a symbolic link" in found.quarantined["a"]


def test_a_linked_skill_md_quarantines_its_folder(tmp_path: Path) -> None:
    write(tmp_path, "text", "skills/a/x")
    (tmp_path / "skills/a/SKILL.md").symlink_to(tmp_path / "text")

    found = read_skills(tmp_path / "skills")

    assert (dict(found.skills), list(found.quarantined)) == ({}, ["a"])


def test_a_pipe_or_a_device_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, "a/SKILL.md")
    os.mkfifo(tmp_path / "a/pipe")

    assert read_skills(tmp_path).quarantined == {"a": "a/pipe is no regular file"}


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a/SKILL.md", "a/b/SKILL.md", "a/large")
    with (tmp_path / "a/large").open("wb") as large:
        large.truncate(files.MAX_FILE_BYTES + 1)

    found = read_skills(tmp_path)

    assert found.quarantined == {"a": "a/large is larger than 64 MiB"}
    assert list(found.skills) == ["a/b"]


@pytest.mark.parametrize("name", [b"a/\xff.txt", b"a/x/\xff/y"])
def test_a_file_name_that_is_no_utf_8_quarantines_its_skill(tmp_path: Path, name: bytes) -> None:
    write(tmp_path, "a/SKILL.md", os.fsdecode(name))

    (reason,) = read_skills(tmp_path).quarantined.values()

    assert "\\xff" in reason
    assert reason.endswith("is not UTF-8")


def test_a_folder_name_that_is_no_utf_8_quarantines_the_skill_in_it(tmp_path: Path) -> None:
    write(tmp_path, os.fsdecode(b"a\xff/SKILL.md"))

    found = read_skills(tmp_path)

    assert (dict(found.skills), list(found.quarantined)) == ({}, ["a\\xff"])


class Forbidden:
    """Refuses to list or open what has `secret` in its name, which permissions do not do for root."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scan, self.open = os.scandir, os.open
        monkeypatch.setattr(files.os, "scandir", self.scandir)
        monkeypatch.setattr(files.os, "open", self.opened)

    def scandir(self, path: Path) -> object:
        if path.name == "secret":
            raise PermissionError(13, "Permission denied")
        return self.scan(path)

    def opened(self, path: Path, flags: int) -> int:
        if path.name == "secret.txt":
            raise PermissionError(13, "Permission denied")
        return self.open(path, flags)


def test_a_folder_that_cannot_be_listed_quarantines_whoever_it_could_belong_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a/SKILL.md", "a/secret/x", "group/secret/b/SKILL.md", "c/SKILL.md", "d/SKILL.md", "d/secret.txt")
    Forbidden(monkeypatch)

    found = read_skills(tmp_path)

    assert list(found.skills) == ["c"]
    assert found.quarantined == {
        "a": "the folder a/secret cannot be listed: Permission denied",
        "d": "d/secret.txt cannot be read: Permission denied",
        "group/secret": "the folder group/secret cannot be listed: Permission denied",
    }


def test_one_skill_is_read_alone(tmp_path: Path) -> None:
    write(tmp_path, "SKILL.md", "x", "a/SKILL.md", "a/y", "a/b/SKILL.md", "plain/z", ".sot-1.tmp/SKILL.md")

    assert [sorted(skill.files) for path in ("a", ".", ".sot-1.tmp") if (skill := read_skill(tmp_path, path))] == [
        [DOCUMENT, "y"],
        [DOCUMENT, "plain/z", "x"],
        [DOCUMENT],
    ]
    assert read_skill(tmp_path, "plain") is None
    assert read_skill(tmp_path, "none") is None
    assert sorted(read_folder(tmp_path, "plain")) == ["z"]
    assert dict(read_folder(tmp_path, "none")) == {}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        "./a",
        "a/.",
        "C:/x",
        "c:x",
        "a\\b",
        "a\0",
        "a\nb",
        ".git",
        "a/.sot/b",
        "a/SKILL.md",
        ".sot-1.tmp",
        "é" * 128,
        "a/.sot-.tmp",
    ],
)
def test_a_path_that_leads_elsewhere_is_unusable(path: str) -> None:
    assert usable_path(path)


@pytest.mark.parametrize("path", [".", "a", "a/b c/ü", "...", ".hidden", "x" * 255, "skill.md", "ab:c"])
def test_other_paths_are_usable(path: str) -> None:
    assert usable_path(path) is None


def test_the_files_of_the_root_are_below_it() -> None:
    assert (below(".", "x/y"), below("a", "x/y")) == ("x/y", "a/x/y")
