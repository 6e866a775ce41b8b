"""The source files below a root: regular files of a known language that no rule leaves out.

`source_files` lists them all, `is_source` answers for one path without listing. What the rules
say is in `ignore`. Nothing is read here but folders and .gitignore files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sot_pipeline.code.ignore import GITIGNORE, NEVER, Rules, read_rules, rules_above, rules_of, verdict_of
from sot_pipeline.code.languages import language_of


@dataclass(frozen=True, slots=True)
class FoundFiles:
    r"""What was found below a root.

    `files` leads from the path of a row (relative, forward slashes, each byte that is not UTF-8
    written as `\xNN`) to the path that opens the file. `skipped` names what was left out and why:
    files of a known language, and folders (with a slash at the end). `unreadable` names folders that
    could not be listed: what is inside is unknown, not gone. `folders` are those that were looked
    into, the root among them.
    """

    files: Mapping[str, Path]
    skipped: Mapping[str, str]
    unreadable: Mapping[str, str]
    folders: tuple[Path, ...]


@dataclass(slots=True)
class RootState:
    """A root and its rules, as they were when first asked for. A changed .gitignore takes a new one."""

    root: Path
    include: Rules | None
    exclude: Rules
    above: tuple[Rules, ...]
    folders: dict[str, tuple[Rules, ...]] = field(default_factory=dict)

    def rules(self, folder: str) -> tuple[Rules, ...]:
        """The rules that hold inside of `folder` (`""` or ending in a slash), weakest first."""
        known = self.folders.get(folder)
        if known is None:
            parent = folder[:-1].rpartition("/")
            outer = self.rules(parent[0] + parent[1]) if folder else self.above
            own = read_rules(self.root / folder / GITIGNORE, f"{visible(folder)}{GITIGNORE}", below=folder)
            known = self.folders[folder] = outer if own is None else (*outer, own)
        return known


def root_state(root: Path, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> RootState:
    """The state of a root; `include` (nothing: everything) and `exclude` are patterns as in a .gitignore."""
    excluded = rules_of((*NEVER, *exclude), "exclude")
    assert excluded is not None  # noqa: S101 - NEVER is not empty
    return RootState(root, rules_of(include, "include"), excluded, rules_above(root.absolute()))


def source_files(root: Path, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> FoundFiles:
    """All source files below `root`, in the order of their paths. Symbolic links are not followed.

    Raises OSError where `root` itself cannot be listed.
    """
    return _Search(root_state(root, include, exclude)).found()


class _Search:
    def __init__(self, state: RootState) -> None:
        self._state = state
        self._files: dict[str, Path] = {}
        self._skipped: dict[str, str] = {}
        self._unreadable: dict[str, str] = {}
        self._folders = [""]
        self._seen: list[Path] = []

    def found(self) -> FoundFiles:
        while self._folders:
            folder = self._folders.pop()
            self._seen.append(self._state.root / folder)
            try:
                self._list(folder)
            except OSError as error:
                if not folder:
                    raise
                self._unreadable[visible(folder[:-1])] = error.strerror or str(error)
        return FoundFiles(dict(sorted(self._files.items())), self._skipped, self._unreadable, tuple(self._seen))

    def _list(self, folder: str) -> None:
        with os.scandir(self._state.root / folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            path = folder + entry.name
            if entry.is_dir(follow_symlinks=False):
                path += "/"
            elif language_of(entry.name) is None:
                continue
            reason = _reason(
                self._state, path, is_link=entry.is_symlink(), is_file=entry.is_file(follow_symlinks=False)
            )
            self._keep(path, reason)

    def _keep(self, path: str, reason: str | None) -> None:
        shown = visible(path)
        if reason is not None:
            self._skipped[shown] = reason
        elif path.endswith("/"):
            self._folders.append(path)
        elif shown in self._files:
            self._skipped[shown] = "another file is shown by the same name"
        else:
            self._files[shown] = self._state.root / path


def is_source(state: RootState, path: str) -> bool:
    """Whether the file at `path` (relative to the root, as the system writes it) is a source file.

    What is gone is one if it could have been. Costs a few microseconds for each folder above it.
    """
    if language_of(path) is None:
        return False
    parts = path.split("/")
    for depth in range(1, len(parts)):
        if _is_skipped(state, "/".join(parts[:depth]), is_folder=True):
            return False
    return not _is_skipped(state, path, is_folder=False)


def _is_skipped(state: RootState, path: str, *, is_folder: bool) -> bool:
    try:
        mode = os.lstat(state.root / path).st_mode
    except OSError:  # what is gone may have been a source file
        mode = stat.S_IFREG
    is_file = stat.S_ISREG(mode)
    return _reason(state, f"{path}/" if is_folder else path, is_link=stat.S_ISLNK(mode), is_file=is_file) is not None


def _reason(state: RootState, path: str, *, is_link: bool, is_file: bool) -> str | None:
    """Why a file, or a folder (its path ends in a slash), is left out; None where it is not."""
    if is_link:
        return "symbolic link"
    is_folder = path.endswith("/")
    if not is_folder and not is_file:
        return "not a regular file"
    left_out = state.exclude.verdict(path)
    if left_out is None or not left_out.ignores:
        folder, slash, _ = path.removesuffix("/").rpartition("/")
        left_out = verdict_of(state.rules(folder + slash), path)
    if left_out is not None and left_out.ignores:
        return left_out.rule
    if state.include is None or is_folder:
        return None
    taken = state.include.verdict(path)
    return None if taken is not None and taken.ignores else "not included"


def visible(path: str) -> str:
    r"""A path in text that every database takes: bytes that are not UTF-8 are written as `\xNN`."""
    return os.fsencode(path).decode(errors="backslashreplace")
