"""Functions run in a process of their own, with a ceiling on memory and time."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path


def run_limited(code: str, *arguments: str | Path, mebibytes: int, seconds: int) -> subprocess.CompletedProcess[str]:
    """`code` in a fresh interpreter that may use so much address space and processor time."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes * 1024 * 1024,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, timeout=10 * seconds, check=False)
