"""Runs `sot` on a terminal, as a person does: colours are on, and what is shown is all that comes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SOT = Path(sys.executable).with_name("sot")


def on_terminal(folder: Path, environment: Mapping[str, str], *arguments: str, errors: bool = True) -> str:
    """Everything that `sot` sends to its terminal; without `errors` standard error goes elsewhere."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [SOT, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs if errors else subprocess.DEVNULL,
    )
    os.close(theirs)
    shown = bytearray()
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # Linux says so when the last writer is gone
            break
        if not part:
            break
        shown += part
    os.close(ours)
    process.wait(60)
    return shown.decode().replace("\r\n", "\n")  # the terminal's own line ends
