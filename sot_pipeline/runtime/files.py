"""Replaces a file's content in one step: readers see the old bytes or the new ones, never a mixture.

For canonical files that people edit as well (README, META blocks). Which bytes, and under which
lock, is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
from pathlib import Path

from sot_pipeline.errors import FileChangedMeanwhile, FileUnusable
from sot_pipeline.runtime.failpoints import Failpoint, reach

# Ends the name of a temporary file, which is locked for as long as its writer lives.
_SUFFIX = ".sot.tmp"


def read_file(path: Path) -> bytes:
    """The bytes of `path`. Raises FileUnusable where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileUnusable(
            f"{path}: cannot be read ({error.strerror}).", remedy="Create it, or mend its permissions."
        ) from None


def replace_file(path: Path, new: bytes, *, expected: bytes) -> None:
    """Make `new` the content of `path`, which was `expected` when the caller read it.

    A symbolic link stays one: the file it leads to is replaced. Mode, owner and extended
    attributes are kept; hard links are not. Raises FileChangedMeanwhile where the file holds
    something else by now, FileUnusable where it cannot be written; it is then as it was, and no
    temporary file is left.
    """
    temporary: Path | None = None
    try:
        real = Path(os.path.realpath(path, strict=True))
        if not os.access(real, os.W_OK):
            # Renaming would work all the same, but a read-only file is meant to stay.
            raise PermissionError(0, "it is read-only")
        _remove_abandoned(real)
        descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.", suffix=_SUFFIX)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            file.write(new)
            file.flush()
            reach(Failpoint.FILE_WRITTEN)
            _keep_status(real, file.fileno(), temporary)
            os.fsync(file.fileno())
        _require_unchanged(path, real, expected)
        reach(Failpoint.FILE_BEFORE_RENAME)
        temporary.replace(real)
        reach(Failpoint.FILE_RENAMED)
        temporary = None
        _sync_folder(real.parent)
    except OSError as error:
        raise FileUnusable(
            f"{path}: cannot be written ({error.strerror}).", remedy="Mend its permissions or free some space."
        ) from None
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _remove_abandoned(real: Path) -> None:
    """Remove the temporary files of writers that were killed: nobody holds their locks."""
    for found in real.parent.glob(f".{glob.escape(real.name)}.*{_SUFFIX}"):
        with contextlib.suppress(OSError), found.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.unlink()


def _keep_status(real: Path, descriptor: int, temporary: Path) -> None:
    """Owner, mode and extended attributes of `real` for the temporary file; its times stay its own."""
    old, new = real.stat(), os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    shutil.copystat(real, temporary)
    os.utime(descriptor)


def _require_unchanged(path: Path, real: Path, expected: bytes) -> None:
    if real.read_bytes() != expected:
        raise FileChangedMeanwhile(
            f"{path}: somebody edited it while its new content was made; their edit was kept.",
            remedy="Run the same command again.",
        )


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
