"""Looking at files from outside: sizes, times and hashes of bytes, never their meaning.

What counts as a change is `tree.py`.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path

from sot_pipeline.runtime.tree import Stat

DIGEST_LENGTH = 16


def stats_of(files: Mapping[str, Path]) -> dict[str, Stat]:
    """Size and mtime of each of `files` that is a regular file now, by the name it has in `files`."""
    found: dict[str, Stat] = {}
    for path, file in files.items():
        try:
            status = file.stat()
        except OSError:
            continue  # a file that is gone is a path less: that is a change of its own
        if stat.S_ISREG(status.st_mode):
            found[path] = Stat(status.st_size, status.st_mtime_ns)
    return found


def digest_of(file: Path) -> str:
    """First 16 hex characters of the SHA-256 of the file's bytes. Raises OSError where it cannot be read."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:DIGEST_LENGTH]
