"""Looking at ledger files from outside: sizes, times and hashes, never their meaning.

What is in a ledger is `read.py`; what counts as a change is `runtime.tree`.
"""

from __future__ import annotations

from sot_pipeline.runtime.stats import digest_of, stats_of
from sot_pipeline.runtime.tree import Stat
from sot_pipeline.workspace import Project


def stat_ledgers(project: Project) -> dict[str, Stat]:
    """Path → size and mtime of each ledger of `project` that is there now."""
    return stats_of({spec.path: project.root / spec.path for spec in project.ledgers})


def digest_ledger(project: Project, path: str) -> str:
    """First 16 hex characters of the SHA-256 of the file's bytes. Raises OSError where it cannot be read.

    A file that is too large to be read has a digest that says so: the run that follows reports it
    with a remedy.
    """
    file = project.root / path
    if file.stat().st_size > project.max_ledger_bytes:
        return "too large"
    return digest_of(file)
