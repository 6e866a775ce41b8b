"""Tells Dagster what the watcher did, by a process of its own, so that rows never wait for Dagster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sot_pipeline.runtime.feed import Feed, child_process
from sot_pipeline.runtime.services import dagster_home, has_dagster
from sot_pipeline.workspace import Workspace

REPORTER = "sot_pipeline.orchestration.reporter"


@contextmanager
def reporting(workspace: Workspace, complain: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """What takes a batch's JSON document, as one line, during the block.

    Where the workspace has no Dagster it takes nothing, and that is said once.
    """
    if not has_dagster(workspace):
        complain("No dagster.yaml beside sot.toml: batches are not reported to Dagster.")
        yield _to_nobody
        return
    feed = Feed(lambda: _reporter(workspace), complain)
    try:
        yield feed.offer
    finally:
        feed.close()


def _to_nobody(line: str) -> None:  # the shape of `Feed.offer`
    """What takes batches where nobody wants them."""


def _reporter(workspace: Workspace) -> subprocess.Popen[str]:
    """The process, with the environment that `sot ui` gives to Dagster's own. Raises ConfigError."""
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home(workspace)),
        "SOT_CONFIG": str(workspace.config_path),
    }
    return child_process((sys.executable, "-P", "-m", REPORTER), workspace.folder, environment)
