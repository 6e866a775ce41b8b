"""Files that configuration names, opened so that no symbolic link leads out of the project.

`workspace.py` refuses such paths when it reads the configuration; a link can be put in place later,
so whoever opens a file asks here as well.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from sot_pipeline.errors import FileUnusable

_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LISTED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe waits for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SMALL = 1024 * 1024


def real_path(root: Path, relative: str) -> Path:
    """The file `relative` leads to, links followed, as things are now. Ask just before it is used.

    Raises FileUnusable where there is none or it is outside `root`.
    """
    try:
        return _real(root, relative)
    except OSError as error:
        raise FileUnusable(
            f"{root / relative}: cannot be read ({error.strerror}).", remedy="Create it, or mend its permissions."
        ) from None


def _real(root: Path, relative: str) -> Path:
    path = root / relative
    real = Path(os.path.realpath(path, strict=True))
    if not real.is_relative_to(os.path.realpath(root)):
        raise FileUnusable(f"{path}: leads out of the project ({real}).", remedy="Name a file inside it.")
    return real


def read_inside(root: Path, relative: str, limit: int) -> bytes:
    """Up to `limit` + 1 bytes of a file below `root`: one more tells a file that is too large.

    Raises as `open_inside` does.
    """
    with open_inside(root, relative) as file:
        # The buffer is as large as what is asked for, so a limit of a terabyte is not asked for.
        return file.read(min(limit, 2 * os.fstat(file.fileno()).st_size + _SMALL) + 1)


@contextmanager
def open_inside(root: Path, relative: str) -> Iterator[BufferedReader]:
    """A file below `root`, opened for reading.

    Every folder on the way is opened below the one before without following links, so a link that
    is put there after the check is refused. Raises FileUnusable for a file outside `root` or one
    that is no regular file, OSError where it cannot be opened.
    """
    parts = _real(root, relative).relative_to(os.path.realpath(root)).parts
    if not parts:
        raise FileUnusable(f"{root}: is no regular file.", remedy="Name a file.")
    with _regular(_open_below(os.path.realpath(root), parts), root / relative) as file:
        yield file


@contextmanager
def open_unlinked(root: Path, relative: str) -> Iterator[BufferedReader]:
    """A file below `root`, on whose path no symbolic link is followed; raises as `open_inside` does.

    Saves asking where links lead, which takes longer than reading most files.
    """
    parts = tuple(relative.split("/"))
    if not {"", ".", ".."}.isdisjoint(parts):
        raise FileUnusable(f"{root / relative}: is no path of a file below {root}.", remedy="Name a file inside it.")
    with _regular(_open_below(os.fspath(root), parts, _FOLDER & ~os.O_NOFOLLOW), root / relative) as file:
        yield file


@contextmanager
def _regular(descriptor: int, path: Path) -> Iterator[BufferedReader]:
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileUnusable(f"{path}: is no regular file.", remedy="Name a file.")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def folder_below(root: Path, parts: Sequence[str]) -> int:
    """A folder below `root`, made where it is missing, opened without following links; the caller closes it.

    Raises OSError where that cannot be done.
    """
    folder = os.open(os.path.realpath(root), _LISTED)
    for part in parts:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=folder)
            below = os.open(part, _LISTED, dir_fd=folder)
        finally:
            os.close(folder)
        folder = below
    return folder


def _open_below(root: str, parts: tuple[str, ...], root_flags: int = _FOLDER) -> int:
    folder = os.open(root, root_flags)
    try:
        for part in parts[:-1]:
            below = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
        return os.open(parts[-1], _FILE, dir_fd=folder)
    finally:
        os.close(folder)
