"""Files replaced as a whole: a reader sees the old bytes or the new ones, never a mixture."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sot_pipeline.errors import FileChangedMeanwhile, SotError


def replace_file(path: Path, new: bytes, *, expected: bytes) -> None:
    """Make `path` hold `new`, if it still holds `expected`; mode and owner stay as they are.

    A symbolic link stays one: the file it leads to is replaced. Raises FileChangedMeanwhile where
    somebody wrote meanwhile, SotError where the file or its folder cannot be written; either way
    the file is as it was and no temporary file is left.
    """
    try:
        # Symlink loops are RuntimeError here, and OSError from Python 3.13 on.
        target = path.resolve(strict=True)
        if not os.access(target, os.W_OK):
            raise PermissionError(None, "the file is write-protected")
        _replace(target, new, expected)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SotError(
            f"{path}: cannot be written ({reason}).", remedy="Nothing of it was changed; mend that and run again."
        ) from None


def _replace(target: Path, new: bytes, expected: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _keep_mode_and_owner(file.fileno(), target.stat())
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        if target.read_bytes() != expected:
            raise FileChangedMeanwhile(
                f"{target}: somebody changed the file while it was being worked on.",
                remedy="Their version is kept; run the same command again.",
            )
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _keep_mode_and_owner(handle: int, before: os.stat_result) -> None:
    now = os.fstat(handle)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(handle, before.st_uid, before.st_gid)
    os.fchmod(handle, before.st_mode & 0o7777)  # after the owner: a change of owner drops set-id bits


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
