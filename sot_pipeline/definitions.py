"""What Dagster loads: the definitions of the workspace that SOT_CONFIG or the current folder names.

Nothing is read when this module is imported: Dagster calls `definitions` when it loads the code
location, so that a broken `sot.toml` shows in the UI as a load error with file, line and remedy.
"""

from __future__ import annotations

import os

import dagster as dg

from sot_pipeline.orchestration.build import build_definitions
from sot_pipeline.orchestration.snapshots import SnapshotIOManager
from sot_pipeline.workspace import load_workspace

# Names a folder or an object store (s3://bucket/prefix) that all machines share.
SNAPSHOTS_VARIABLE = "SOT_SNAPSHOTS"


@dg.definitions
def definitions() -> dg.Definitions:
    """The definitions of the workspace. Raises ConfigError where `sot.toml` cannot be used."""
    shared = os.environ.get(SNAPSHOTS_VARIABLE)
    resources = {"snapshots": SnapshotIOManager(base_path=shared)} if shared else {}
    return build_definitions(load_workspace(), resources=resources)
