"""Looking at ledger files from outside: sizes, times and hashes, never their meaning.

What is in a ledger is `read.py`; what counts as a change is `runtime.tree`.
"""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from sot_pipeline.runtime.tree import Stat
from sot_pipeline.workspace import Project

DIGEST_LENGTH = 16


def stat_ledgers(project: Project) -> dict[str, Stat]:
    """Path → size and mtime of each ledger of `project` that is there now."""
    found: dict[str, Stat] = {}
    for spec in project.ledgers:
        try:
            status = (project.root / spec.path).stat()
        except OSError:
            continue  # a ledger that is gone is a path less: that is a change of its own
        if stat.S_ISREG(status.st_mode):
            found[spec.path] = Stat(status.st_size, status.st_mtime_ns)
    return found


def digest_ledger(project: Project, path: str) -> str:
    """First 16 hex characters of the SHA-256 of the file's bytes. Raises OSError where it cannot be read.

    A file that is too large to be read has a digest that says so: the run that follows reports it
    with a remedy.
    """
    file = project.root / path
    if file.stat().st_size > project.max_ledger_bytes:
        return "too large"
    return _sha256(file)[:DIGEST_LENGTH]


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
