"""Looking at ledgers and source files from outside: sizes, times and hashes, never their meaning.

What is in a ledger is read by `sot_pipeline.ledgers`, in a source file by `sot_pipeline.code`; what
a change leads to is `sensors.py`.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable
from pathlib import Path

from sot_pipeline.errors import FileUnusable
from sot_pipeline.orchestration.cursor import Stat
from sot_pipeline.steps.code_sources import found_files
from sot_pipeline.workspace import Project

DIGEST_LENGTH = 16


def stat_ledgers(project: Project) -> dict[str, Stat]:
    """Path → size and mtime of each ledger of `project` that is there now."""
    return _stats(project, (spec.path for spec in project.ledgers))


def stat_sources(project: Project) -> dict[str, Stat]:
    """Path → size and mtime of each source file of `project`; of none where its root cannot be read."""
    try:
        return _stats(project, found_files(project).files)
    except FileUnusable:
        return {}  # the run that follows says why


def _stats(project: Project, paths: Iterable[str]) -> dict[str, Stat]:
    found: dict[str, Stat] = {}
    for path in paths:
        try:
            status = (project.root / path).stat()
        except OSError:
            continue  # a file that is gone is a path less: that is a change of its own
        if stat.S_ISREG(status.st_mode):
            found[path] = Stat(status.st_size, status.st_mtime_ns)
    return found


def digest_source(project: Project, path: str) -> str:
    """First 16 hex characters of the SHA-256 of a source file's bytes, or why there is none."""
    try:
        return _sha256(project.root / path)[:DIGEST_LENGTH]
    except OSError as error:
        return f"unreadable ({error.strerror})"


def digest_ledger(project: Project, path: str) -> str:
    """First 16 hex characters of the SHA-256 of the file's bytes.

    A file that is too large to be read, or cannot be, has a digest that says so: the run that
    follows reports it with a remedy.
    """
    file = project.root / path
    try:
        if file.stat().st_size > project.max_ledger_bytes:
            return "too large"
        return _sha256(file)[:DIGEST_LENGTH]
    except OSError as error:
        return f"unreadable ({error.strerror})"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
