"""A short soak; the long one is `benchmarks/soak.py --seconds 3600`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


def test_targets_agree_after_random_edits_syncs_and_kills(tmp_path: Path) -> None:
    output = tmp_path / "soak.json"

    done = subprocess.run(
        [sys.executable, SOAK, "--seconds", "20", "--seed", "7", "--output", output],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(output.read_text())
    assert report["agrees"] and report["same_as_fresh"]
    assert report["exit_codes"].get("process -9", 0) > 0
    assert report["last_rss_mb"] - report["first_rss_mb"] < 32
