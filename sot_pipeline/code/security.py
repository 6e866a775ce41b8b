"""Security findings in Python files, by Bandit where it is installed. Slow: for full passes, never for one save.

Without Bandit, and for other languages, the two columns keep the None and the reason that `analyze` gave them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sot_pipeline.code.model import Metrics
from sot_pipeline.plan import Json

# Points off 100 for one finding.
PENALTIES: Mapping[str, int] = {"HIGH": 25, "MEDIUM": 10, "LOW": 2}
# A vulnerability is a finding of at least medium severity: low ones are habits (an assert, a subprocess).
_VULNERABLE = ("HIGH", "MEDIUM")
# Command lines have an end.
_FILES_A_RUN = 500


def security_of(root: Path, paths: Sequence[str], *, seconds: float) -> dict[str, Metrics] | str:
    """`security_score` (0–100) and `vulnerability_count` of those of the Python files that Bandit could read.

    `paths` are relative to `root`; `seconds` bounds each run over 500
    files. Returns the reason instead where
    Bandit is not installed, took too long or failed. Nothing of the files is executed.
    """
    try:
        tool: dict[str, Json] = {"tool": "bandit", "version": version("bandit")}
    except PackageNotFoundError:
        return "bandit is not installed"
    found: dict[str, Metrics] = {}
    python = sorted(path for path in paths if path.endswith(".py"))
    for start in range(0, len(python), _FILES_A_RUN):
        part = python[start : start + _FILES_A_RUN]
        try:
            severities = _findings(root, part, seconds)
        except subprocess.TimeoutExpired:
            return f"bandit took more than {seconds:g} s"
        except ValueError as error:
            return f"bandit failed: {error}"
        found |= {path: _metrics(severities[path], tool) for path in part if path in severities}
    return found


def _findings(root: Path, paths: Sequence[str], seconds: float) -> dict[str, Counter[str]]:
    """How many findings of each severity each file has; files that it did not read are missing."""
    # Isolated: a module of the project that is called like one of Python's is not to be run.
    command = [sys.executable, "-I", "-m", "bandit", "--format", "json", "--quiet", "--exit-zero", "--"]
    done = subprocess.run(  # noqa: S603 - no shell; paths follow `--`
        [*command, *(str(root / path) for path in paths)],
        capture_output=True,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
        cwd=root,
    )
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise ValueError(done.stderr.decode(errors="replace").strip()[-200:] or "no report") from None
    names = {str(root / path): path for path in paths}
    unread = {error["filename"] for error in report["errors"]}
    scanned = names.keys() & report["metrics"].keys() - unread
    severities = {names[name]: Counter[str]() for name in scanned}
    for result in report["results"]:
        severities[names[result["filename"]]][result["issue_severity"]] += 1
    return severities


def _metrics(severities: Counter[str], tool: dict[str, Json]) -> Metrics:
    penalty = sum(PENALTIES.get(severity, 0) * count for severity, count in severities.items())
    values: dict[str, Json] = {
        "security_score": float(max(0, 100 - penalty)),
        "vulnerability_count": sum(severities[severity] for severity in _VULNERABLE),
    }
    return Metrics(values, dict.fromkeys(values, tool))
