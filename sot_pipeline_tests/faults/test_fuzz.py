"""A few seconds of fuzzing, and proof that it would find something; more is `benchmarks/fuzz.py --seconds 300`."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("atheris", reason="atheris is missing (Linux only)")

FUZZ = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"
# Guessing three bytes takes millions of tries; each that is right shows as new coverage.
DEEP = """
def target(data):
    if data[:1] == b"s":
        if data[1:2] == b"o":
            if data[2:3] == b"t":
                raise ValueError("found")
"""
GREEDY = """
def target(data):
    if data[:1] == b"s":
        bytes(1 << 40)
"""


def fuzzed(tmp_path: Path, target: str, seconds: int) -> tuple[int, Any]:
    output = tmp_path / "fuzz.json"
    done = subprocess.run(
        [sys.executable, FUZZ, "--seconds", str(seconds), "--target", target, "--output", output],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert output.exists(), done.stderr
    return done.returncode, json.loads(output.read_text())["targets"][0]


def test_fuzzing_the_ledger_parser_finds_nothing(tmp_path: Path) -> None:
    code, found = fuzzed(tmp_path, "ledger", seconds=3)

    assert (code, found["defect"]) == (0, None)
    assert found["executions"] > 100
    assert found["covered"] > 500


@pytest.mark.parametrize(
    ("planted", "words"), [(DEEP, "ValueError: found"), (GREEDY, "MemoryError")], ids=["deep", "greedy"]
)
def test_planted_defect_is_found_with_its_input(tmp_path: Path, planted: str, words: str) -> None:
    (tmp_path / "planted.py").write_text(planted)

    code, found = fuzzed(tmp_path, "planted:target", seconds=20)

    assert code == 1
    assert words in found["defect"]
    assert ast.literal_eval(found["input"]).startswith(b"s")
