"""The frame of every report: the machine that was measured on, and the JSON around the figures."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path


def machine() -> dict[str, object]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def write_report(report: Mapping[str, object], path: Path | None) -> None:
    """The report as JSON, to `path` or to stdout."""
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if path:
        path.write_text(f"{text}\n", encoding="utf-8")
    else:
        print(text)
