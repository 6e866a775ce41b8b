"""The source files below a root: regular files of a known language that no rule leaves out.

`source_files` lists them all, a `Listing` does so again and again and looks only into what moved,
`is_source` answers for one path without listing. What the rules say is in `ignore`. Nothing is read
here but folders and .gitignore files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from sot_pipeline.code.ignore import GITIGNORE, NEVER, Rules, read_rules, rules_above, rules_of, verdict_of
from sot_pipeline.code.languages import language_of
from sot_pipeline.runtime.tree import SETTLED_AFTER_NS


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


NOTHING = FoundFiles({}, {}, {}, ())


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
            outer = self.rules_around(folder)
            own = read_rules(self.root / folder / GITIGNORE, f"{visible(folder)}{GITIGNORE}", below=folder)
            known = self.folders[folder] = outer if own is None else (*outer, own)
        return known

    def rules_around(self, folder: str) -> tuple[Rules, ...]:
        """Those that hold inside of the folder above, of the root those from above it."""
        parent = folder[:-1].rpartition("/")
        return self.rules(parent[0] + parent[1]) if folder else self.above


def root_state(root: Path, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> RootState:
    """The state of a root; `include` (nothing: everything) and `exclude` are patterns as in a .gitignore."""
    excluded = rules_of((*NEVER, *exclude), "exclude")
    assert excluded is not None  # noqa: S101 - NEVER is not empty
    return RootState(root, rules_of(include, "include"), excluded, rules_above(root.absolute()))


def source_files(root: Path, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> FoundFiles:
    """All source files below `root`, in the order of their paths. Symbolic links are not followed.

    Raises OSError where `root` itself cannot be listed.
    """
    return Listing(root_state(root, include, exclude)).renew(now_ns=0)


class Listing:
    """The source files below a root, of which only those of folders that moved are listed again.

    What was listed of a folder holds while neither it nor its .gitignore has another inode or time,
    and the rules from above are the same. `found` is what was found last.
    """

    def __init__(self, state: RootState) -> None:
        self._state = state
        self._known: Mapping[str, _Folder] = {}
        self.found = NOTHING

    def renew(self, now_ns: int) -> FoundFiles:
        """What `source_files` would find now; `now_ns` is the time in nanoseconds since 1970.

        Raises OSError where the root cannot be listed: then nothing is found, and all is forgotten.
        """
        known, self._known = self._known, {}
        found, self.found = self.found, NOTHING
        above = rules_above(self._state.root.absolute())
        # The same rules are to be the same objects.
        self._state = replace(self._state, above=self._state.above if above == self._state.above else above, folders={})
        search = _Search(self._state, known, now_ns)
        search.run()
        self._known = search.folders
        self.found = search.found() if search.moved else found
        return self.found


class _Mark(NamedTuple):
    """By what is told whether a folder or a file is another one, or has other contents, than before."""

    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def _mark(status: os.stat_result) -> _Mark:
    return _Mark(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class _Entry(NamedTuple):
    """A folder (its path ends in a slash) or file of a known language, and why it is left out, if it is."""

    path: str
    shown: str
    file: Path
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder as it was at `seen_ns`: `ignore` is the mark of its .gitignore, `outer` the rules around it."""

    seen_ns: int
    mark: _Mark
    ignore: _Mark | None
    outer: tuple[Rules, ...]
    rules: tuple[Rules, ...]
    entries: tuple[_Entry, ...]

    def has_same_rules(self, ignore: _Mark | None, outer: tuple[Rules, ...]) -> bool:
        return self.outer is outer and self.ignore == ignore and self._is_settled(ignore)

    def has_same_entries(self, mark: _Mark) -> bool:
        return self.mark == mark and self._is_settled(mark)

    def _is_settled(self, mark: _Mark | None) -> bool:
        """Whether a later change shows: what changed in the moment it was seen can change again in the same."""
        return mark is None or max(mark.modified_ns, mark.changed_ns) < self.seen_ns - SETTLED_AFTER_NS


class _Search:
    """One pass over all folders; `moved` tells whether anything may differ from what is `known`."""

    def __init__(self, state: RootState, known: Mapping[str, _Folder], now_ns: int) -> None:
        self._state = state
        self._known = known
        self._now_ns = now_ns
        self._unreadable: dict[str, str] = {}
        self._seen: list[Path] = []
        self.folders: dict[str, _Folder] = {}
        self.moved = False

    def run(self) -> None:
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            self._seen.append(self._state.root / folder)
            try:
                found = self.folders[folder] = self._folder(folder, self._seen[-1])
            except OSError as error:
                if not folder:
                    raise
                self._unreadable[visible(folder[:-1])] = error.strerror or str(error)
                self.moved = True
                continue
            waiting += (entry.path for entry in found.entries if entry.reason is None and entry.path.endswith("/"))

    def found(self) -> FoundFiles:
        files: dict[str, Path] = {}
        skipped: dict[str, str] = {}
        for folder in self.folders.values():
            for path, shown, file, reason in folder.entries:
                if reason is not None:
                    skipped[shown] = reason
                elif shown in files:
                    skipped[shown] = "another file is shown by the same name"
                elif not path.endswith("/"):
                    files[shown] = file
        return FoundFiles(dict(sorted(files.items())), skipped, self._unreadable, tuple(self._seen))

    def _folder(self, folder: str, place: Path) -> _Folder:
        known = self._known.get(folder)
        mark, ignore = _mark(place.stat()), _mark_of_ignore(place)
        outer = self._state.rules_around(folder)
        has_same_rules = known is not None and known.has_same_rules(ignore, outer)
        if known is not None and has_same_rules:
            self._state.folders[folder] = known.rules
            if known.has_same_entries(mark):
                return known
        self.moved = True
        rules = self._state.rules(folder)
        return _Folder(self._now_ns, mark, ignore, outer, rules, tuple(self._entries(folder, place)))

    def _entries(self, folder: str, place: Path) -> Iterator[_Entry]:
        with os.scandir(place) as entries:
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
            yield _Entry(path, visible(path), self._state.root / path, reason)


def _mark_of_ignore(folder: Path) -> _Mark | None:
    try:
        return _mark((folder / GITIGNORE).lstat())
    except OSError:
        return None


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
