"""Runs `sot` as processes of their own, which can be killed, timed and kept from privileges."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sot_pipeline_tests.workspaces import Kiln

SOT = str(Path(sys.executable).with_name("sot"))
# No process of these tests should need half of it on a busy machine.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Ended:
    """A process that ended: its exit code (negative: the signal), what it said, how long it took."""

    code: int
    out: str
    err: str
    seconds: float

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Running:
    """A process under way."""

    process: subprocess.Popen[str]
    started: float

    def end(self) -> Ended:
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        return Ended(self.process.returncode, out, err, time.monotonic() - self.started)


def start(
    kiln: Kiln, *arguments: str, environment: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> Running:
    """Start `sot ARGUMENTS --json` in the folder of the workspace, with its environment."""
    process = subprocess.Popen(
        [*prefix, SOT, *arguments, "--json"],
        cwd=kiln.folder,
        env={**os.environ, **kiln.environment, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Running(process, time.monotonic())


def run(kiln: Kiln, *arguments: str, environment: Mapping[str, str] | None = None, prefix: Sequence[str] = ()) -> Ended:
    """Start it and wait for its end."""
    return start(kiln, *arguments, environment=environment, prefix=prefix).end()
