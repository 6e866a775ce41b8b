"""The file side: which folders below a root are skills, and what they hold, byte for byte.

A folder with a `SKILL.md` is a skill; every file below it belongs to the nearest one, dotfiles
included. A folder that cannot be read, or not written back as it is, is quarantined: it is named
with a reason, and nothing is concluded from it.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sot_pipeline.errors import FileUnusable
from sot_pipeline.skills.model import DOCUMENT, File, Skill

MAX_FILE_BYTES = 64 * 1024 * 1024
# Our own: a file being written, or a skill being moved. Never part of a skill.
TEMPORARY = re.compile(r"\.sot-.*\.tmp")
# What tools keep for themselves beside the files.
_NO_SKILLS = frozenset({".git", ".sot"})


def is_ours(name: str) -> bool:
    """Whether a file or folder of that name is never part of a skill: a tool keeps it for itself."""
    return name in _NO_SKILLS or TEMPORARY.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class FoundSkills:
    """Skills by path, why others are left alone, by path, and where temporary names of ours are."""

    skills: Mapping[str, Skill]
    quarantined: Mapping[str, str]
    temporaries: tuple[str, ...] = ()


def read_skills(root: Path) -> FoundSkills:
    """Every skill below `root`, links never followed. Nothing where there is no `root`.

    Raises FileUnusable where `root` is there but is no folder that can be listed.
    """
    if not os.path.lexists(root):
        return FoundSkills({}, {})
    search = _Search(root)
    try:
        search.look_into("", None)
    except OSError as error:
        raise FileUnusable(
            f"{root}: cannot be listed ({error.strerror}).",
            remedy="Make it a folder that can be read, or name another one under [project.skills] path.",
        ) from error
    return search.found()


def read_skill(root: Path, path: str) -> Skill | None:
    """The one skill at `path`, temporary folders of ours included; None where there is none, or none that is usable."""
    search = _Search(root)
    try:
        search.look_into("" if path == "." else f"{path}/", None)
    except OSError:
        return None
    return search.found().skills.get(path)


def read_folder(root: Path, path: str) -> Mapping[str, File]:
    """The files in a folder that a skill is moved through, also where its SKILL.md is not among them (yet)."""
    search = _Search(root, {path: {}})
    with contextlib.suppress(OSError):
        search.look_into(f"{path}/", path)
    return search.files[path]


@dataclass(slots=True)
class _Search:
    root: Path
    files: dict[str, dict[str, File]] = field(default_factory=dict)
    quarantined: dict[str, str] = field(default_factory=dict)
    temporaries: list[str] = field(default_factory=list)

    def found(self) -> FoundSkills:
        whole = {path: Skill(path, files) for path, files in self.files.items() if _shown(path) not in self.quarantined}
        return FoundSkills(dict(sorted(whole.items())), dict(sorted(self.quarantined.items())), tuple(self.temporaries))

    def look_into(self, folder: str, skill: str | None) -> None:
        """Read `folder` (`""` or ending in a slash), whose files belong to `skill` unless it is one itself."""
        entries = self._list(folder)
        if any(entry.name == DOCUMENT for entry in entries):
            skill = folder[:-1] or "."
            self.files[skill] = {}
            if _shown(skill) != skill:
                self._refuse(skill, f"the folder name {_shown(skill)} is not UTF-8")
        for entry in entries:
            path = folder + entry.name
            if entry.is_dir(follow_symlinks=False):
                self._look_below(f"{path}/", skill)
            elif entry.is_symlink():
                self._refuse_link(path, skill)
            elif skill is not None:
                self._take(path, skill)

    def _list(self, folder: str) -> list[os.DirEntry[str]]:
        with os.scandir(self.root / folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
        temporaries = [entry.name for entry in entries if TEMPORARY.fullmatch(entry.name)]
        self.temporaries += [folder + name for name in temporaries]
        return [entry for entry in entries if not is_ours(entry.name)]

    def _look_below(self, folder: str, skill: str | None) -> None:
        try:
            self.look_into(folder, skill)
        except OSError as error:
            # Whether a skill is in it cannot be known.
            self._refuse(skill or folder[:-1], f"the folder {_shown(folder[:-1])} cannot be listed: {error.strerror}")

    def _refuse_link(self, path: str, skill: str | None) -> None:
        target = self.root / path
        if skill is not None and not (target / DOCUMENT).exists():
            self._refuse(skill, f"{_shown(path)} is a symbolic link, which is never followed")
        elif not target.is_file():
            # Skills may be behind it, or come back with what it leads to.
            self._refuse(path, "the folder is a symbolic link, which is never followed")

    def _take(self, path: str, skill: str) -> None:
        name = path if skill == "." else path.removeprefix(f"{skill}/")
        try:
            name.encode()
            self.files[skill][name] = _read(self.root / path)
        except UnicodeEncodeError:
            self._refuse(skill, f"the file name {_shown(path)} is not UTF-8")
        except ValueError as reason:
            self._refuse(skill, f"{_shown(path)} {reason}")
        except OSError as error:
            self._refuse(skill, f"{_shown(path)} cannot be read: {error.strerror}")

    def _refuse(self, skill: str, reason: str) -> None:
        self.quarantined.setdefault(_shown(skill), reason)


def _read(file: Path) -> File:
    """Raises ValueError for what is no file that can be kept, OSError where it cannot be read."""
    # Without O_NONBLOCK, opening a pipe waits for a writer.
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("is no regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise ValueError(f"is larger than {MAX_FILE_BYTES // 1024**2} MiB")
        return File(opened.read(), bool(status.st_mode & stat.S_IXUSR))


def _shown(path: str) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")


def usable_path(path: str) -> str | None:
    """Why a skill path from the database cannot be that of a folder below the root; None where it can.

    Absolute paths, `..`, drive letters, backslashes, NUL and our own names lead elsewhere, or mean
    another folder on another system.
    """
    if path == ".":
        return None
    if not path or "\0" in path or "\\" in path or re.match(r"[A-Za-z]:", path):
        return "it is empty or holds a NUL, a backslash or a drive letter"
    for part in path.split("/"):
        if part in {"", ".", ".."}:
            return "it is absolute or has an empty, '.' or '..' part"
        if is_ours(part) or part == DOCUMENT:
            return f"'{part}' is a name that is never a skill's"
        if any(ord(sign) < ord(" ") for sign in part) or len(part.encode(errors="replace")) > _LONGEST_NAME:
            return f"'{part[:40]!r}' is no name for a file"
    return None


_LONGEST_NAME = 255  # bytes, as most file systems have it


def below(folder: str, name: str) -> str:
    """The path of a file of the skill at `folder`, from the skills root."""
    return name if folder == "." else f"{folder}/{name}"


def nearest(path: str, name: str, skills: Collection[str]) -> str:
    """Of the paths `skills`, that of whose skill the file `name` of the one at `path` is found to be part."""
    folder = below(path, name).rpartition("/")[0] or "."
    while folder not in skills:
        folder = folder.rpartition("/")[0] or "."
    return folder
