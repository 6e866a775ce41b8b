"""Writing the folders of skills: file by file, each in one step, and none that is not as it was read.

Every folder on the way is opened below the one before without following links. Skills that move, or
go, are first collected in a folder of their own beside the others (`Move.collecting`), their SKILL.md
last; from there they go on, again SKILL.md last. Wherever a process dies, the same moves asked for
again are finished, also where two skills swap their places. What somebody changed in a folder that is
half collected goes with it; one that was to be deleted comes back instead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from sot_pipeline.errors import FileChangedMeanwhile, FileUnusable, SotError
from sot_pipeline.runtime.contained import folder_below
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.skills.files import TEMPORARY, below, read_folder, read_skill
from sot_pipeline.skills.model import DOCUMENT, File, Move, Skill

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_EXECUTE = 0o111
# What a file system without hard links says.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK})

# An open folder and a name in it.
_Entry: TypeAlias = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Moved:
    """Why moves failed, by uid; those `given_up` were not even begun, since the skill is another by now."""

    failed: Mapping[str, SotError]
    given_up: frozenset[str]


@dataclass(frozen=True, slots=True)
class SkillFolders:
    """The skills below `root`, which is made with the first of them."""

    root: Path

    def write(self, before: Skill | None, after: Skill) -> None:
        """Make the folder of `after`, which holds what `before` says, hold `after`.

        Files that are as they should be are not touched. A new skill's SKILL.md is written last:
        without it there is no skill. Raises FileChangedMeanwhile where a file is not as `before` has
        it, FileUnusable where one cannot be written; what was written before stays.
        """
        old = before.files if before else {}
        for name in _document_last(after.files):
            if old.get(name) != after.files[name]:
                self._put(below(after.path, name), after.files[name], old.get(name))
                reach(Failpoint.SKILL_FILE_WRITTEN)
        for name in sorted(old.keys() - after.files.keys()):
            self._remove(below(after.path, name), old[name])

    def move(self, moves: Sequence[Move]) -> Moved:
        """Make, or finish, these moves. One that failed on the way goes on when it is asked for again.

        Those that arrived leave an empty folder behind, which `forget` takes away.
        """
        failed: dict[str, SotError] = {}
        given_up = set[str]()
        left = list(moves)
        for step in (self._collect, self._arrive):
            for move in moves if step == self._collect else left:
                try:
                    if step(move):
                        continue
                    given_up.add(move.uid)
                    failed[move.uid] = self._changed(move.source)
                except (FileChangedMeanwhile, FileUnusable) as error:
                    failed[move.uid] = error
            left = [move for move in moves if move.uid not in failed]
        return Moved(failed, frozenset(given_up))

    def tidy(self, temporaries: Iterable[str]) -> None:
        """Remove files, and empty folders, that a killed run left behind."""
        for path in temporaries:
            with contextlib.suppress(FileUnusable), self._folder_of(path) as (folder, name):
                try:
                    os.unlink(name, dir_fd=folder)
                except IsADirectoryError:
                    _remove_empty(self.root / path)

    def forget(self, moves: Iterable[Move]) -> None:
        """Take away what moves leave behind that were made, or given up."""
        for move in moves:
            for folder in (move.collecting, move.collected):
                _remove_empty(self.root / folder)

    def _collect(self, move: Move) -> bool:
        """Bring all files of a skill into a folder of its own; False where it is not what is to be moved.

        One that is to be deleted is looked at again there, where nobody else works.
        """
        if (self.root / move.collected).exists():
            return True
        here, waiting = read_folder(self.root, move.collecting), read_skill(self.root, move.source)
        if DOCUMENT not in here:
            if waiting is None or not (here or waiting.folder_hash == move.folder_hash):
                self._move_each(here, move.collecting, move.source)
                return False
            if move.target is not None:
                with self._folder_of(below(move.target, DOCUMENT)):
                    pass  # where no such folder can be made, the skill would stay collected
            self._move_each(waiting.files, move.source, move.collecting)
        here = read_folder(self.root, move.collecting)
        if move.target is None and Skill(move.source, here).folder_hash != move.folder_hash:
            self._move_each(here, move.collecting, move.source)
            return False
        (self.root / move.collecting).rename(self.root / move.collected)
        reach(Failpoint.SKILL_COLLECTED)
        return True

    def _arrive(self, move: Move) -> bool:
        """Bring what was collected to its place, or out of the world; False where somebody made a skill there."""
        here = read_folder(self.root, move.collected)
        if move.target is None:
            self._drop(move.collected, here)
        elif DOCUMENT in here:
            if read_folder(self.root, move.target).get(DOCUMENT) not in (None, here[DOCUMENT]):
                self._move_each(here, move.collected, move.source)
                return False
            self._move_each(here, move.collected, move.target)
        reach(Failpoint.SKILL_MOVED)
        return True

    def _move_each(self, names: Iterable[str], source: str, target: str) -> None:
        for name in _document_last(names):
            old_path, new_path = below(source, name), below(target, name)
            with self._folder_of(old_path) as (old, file), self._folder_of(new_path) as (new, _):
                self._place(new_path, (old, file), (new, file))
            reach(Failpoint.SKILL_FILE_MOVED)
        self._prune(below(source, name) for name in names)

    def _drop(self, folder: str, names: Iterable[str]) -> None:
        for name in names:
            with self._folder_of(below(folder, name)) as (opened, file):
                os.unlink(file, dir_fd=opened)
        self._prune(below(folder, name) for name in names)

    def _put(self, path: str, new: File, expected: File | None) -> None:
        """Write one file whole, replacing `expected` (None: there is none). Equal bytes are not written again."""
        with self._folder_of(path) as (folder, name):
            present = _read(folder, name)
            if present == new:
                return
            self._require(path, present, expected)
            temporary = f".sot-{secrets.token_hex(8)}.tmp"
            try:
                _write(folder, temporary, new, like=name if present else None)
                if present is None:
                    self._place(path, (folder, temporary), (folder, name))
                else:
                    self._require(path, _read(folder, name), expected)
                    os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)

    def _remove(self, path: str, expected: File) -> None:
        with self._folder_of(path) as (folder, name):
            present = _read(folder, name)
            if present is None:
                return
            self._require(path, present, expected)
            os.unlink(name, dir_fd=folder)
        self._prune((path,))

    def _place(self, path: str, source: _Entry, target: _Entry) -> None:
        """Move a file to where none is. Linked, since a rename would replace what came there meanwhile."""
        (old, file), (new, name) = source, target
        try:
            os.link(file, name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
        except FileExistsError:
            if _read(old, file) != _read(new, name):
                raise self._changed(path) from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.rename(file, name, src_dir_fd=old, dst_dir_fd=new)
            return
        os.unlink(file, dir_fd=old)
        os.fsync(new)

    def _require(self, path: str, present: File | None, expected: File | None) -> None:
        if present != expected:
            raise self._changed(path)

    def _changed(self, path: str) -> FileChangedMeanwhile:
        return FileChangedMeanwhile(
            f"{self.root / path}: somebody changed it while it was synced; their version was kept.",
            remedy="Run the same command again.",
        )

    @contextmanager
    def _folder_of(self, path: str) -> Iterator[_Entry]:
        """The folder a file is in, made where it is missing, and the file's name."""
        *folders, name = path.split("/")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            folder = folder_below(self.root, folders)
            try:
                yield folder, name
            finally:
                os.close(folder)
        except OSError as error:
            raise FileUnusable(
                f"{self.root / path}: cannot be written ({error.strerror}).",
                remedy="Mend its permissions, replace symbolic links on the way, or free some space.",
            ) from error

    def _prune(self, paths: Iterable[str]) -> None:
        """Remove the folders of these files, and those above up to the root, as far as they are empty.

        That of a move is left: it tells that all have arrived.
        """
        for folder in sorted({parent for path in paths for parent in PurePosixPath(path).parents[:-1]}, reverse=True):
            if TEMPORARY.fullmatch(str(folder)):
                continue
            with contextlib.suppress(OSError):
                (self.root / folder).rmdir()


def _remove_empty(folder: Path) -> None:
    """Remove a folder and those in it, as far as there is no file in them."""
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


def _document_last(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name == DOCUMENT, name))


def _read(folder: int, name: str) -> File | None:
    """A file as it is now, None where there is none. Raises OSError for what is no regular file."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as opened:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return File(opened.read(), bool(mode & stat.S_IXUSR))


def _write(folder: int, name: str, new: File, *, like: str | None) -> None:
    """A new file of that content, with the permissions of another one but for who may execute it."""
    descriptor = os.open(name, _NEW, 0o777 if new.executable else 0o666, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(new.content)
        opened.flush()
        if like is not None:
            mode = os.stat(like, dir_fd=folder, follow_symlinks=False).st_mode & 0o777
            readers = (mode & 0o444) >> 2
            os.fchmod(descriptor, mode | readers if new.executable else mode & ~_EXECUTE)
        os.fsync(descriptor)
