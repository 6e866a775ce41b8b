"""Looking at source files from outside: sizes, times and hashes, never their meaning.

Which files are source files is `code_sources.py`; what counts as a change is `runtime.tree`.
"""

from __future__ import annotations

from sot_pipeline.errors import FileUnusable
from sot_pipeline.runtime.stats import digest_of, stats_of
from sot_pipeline.runtime.tree import Stat
from sot_pipeline.steps.code_sources import found_files
from sot_pipeline.workspace import Project


def stat_sources(project: Project) -> dict[str, Stat]:
    """Path → size and mtime of each source file of `project`; of none where its root cannot be read."""
    try:
        return stats_of(found_files(project).files)
    except FileUnusable:
        return {}  # the run that follows says why


def digest_source(project: Project, path: str) -> str:
    """First 16 hex characters of the SHA-256 of a source file's bytes. Raises OSError where it cannot be read."""
    return digest_of(project.root / path)
