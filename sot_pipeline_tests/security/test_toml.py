"""Hostile `sot.toml`: a clean error, in bounded time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sot_pipeline.config import MAX_BYTES
from sot_pipeline_tests.security.limits import run_limited

READ = """
import sys
from pathlib import Path
from sot_pipeline.config import read_config
from sot_pipeline.errors import ConfigError
try:
    read_config(Path(sys.argv[1]))
except ConfigError as error:
    print(str(error)[:2_000])
else:
    print("no error")
"""
SECONDS = 8
MEBIBYTES = 1_024

PROJECT = '[[project]]\nid = "kiln"\n'
HALF = MAX_BYTES // 2 - 100


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 20_000, "nested too deeply"),
        ("x = " + "[" * 20_000 + "]" * 20_000, "nested too deeply"),
        ("x = " + "{a=" * 20_000, "nested too deeply"),
        (PROJECT + "x = " + "9" * 100_000, "not usable TOML"),
        (PROJECT + "x = 0x" + "f" * 100_000, "unknown key"),
        (PROJECT + "[search]\nsemantic_weight = 1e999999999", "semantic_weight"),
        (PROJECT + 'x = "\0"', "not valid TOML"),
        (PROJECT + 'root = "\\u0000"', "no error"),  # a path is not followed here; `workspace.py` refuses it
        ("x = '''" + "'" * HALF, "not valid TOML"),
        ("[" + "a." * HALF + "a]", "dots"),
        ("a." * HALF + "a = 1", "dots"),
        ("".join(f"[{'a.' * 900}a{number}]\n" for number in range(500)), "unknown key"),
        ("".join(f"{'a.' * 900}a{number} = 1\n" for number in range(500)), "unknown key"),
        ("".join(f"[[a{number}]]\n" for number in range(60_000)), "unknown key"),
        ("".join(f"k{number} = 1\n" for number in range(60_000)), "unknown key"),
        (PROJECT * 20_000 + "zzz = 1", "unknown key 'project.zzz'"),
        (" " * HALF + "\n" + "zzz = 1", "unknown key"),
        ("zzz" + " " * HALF + "= 1", "unknown key"),
        ("k" * HALF + " = 1", "unknown key"),
    ],
    ids=lambda text: text[:20] + "…",
)
def test_hostile_toml_is_refused_with_little_time_and_memory(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "sot.toml"
    file.write_text(text)

    done = run_limited(READ, file, mebibytes=MEBIBYTES, seconds=SECONDS)

    assert done.returncode == 0, done.stderr[-500:]
    assert words in done.stdout


def test_file_over_the_size_limit_is_not_parsed(tmp_path: Path) -> None:
    file = tmp_path / "sot.toml"
    with file.open("wb") as sparse:
        sparse.truncate(64 * 1024**3)

    done = run_limited(READ, file, mebibytes=MEBIBYTES, seconds=SECONDS)

    assert "larger than 1024 KiB" in done.stdout, done.stderr[-500:]


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sot.toml")

    done = subprocess.run(
        [sys.executable, "-c", READ, tmp_path / "sot.toml"], capture_output=True, text=True, timeout=30, check=False
    )

    assert "no regular file" in done.stdout
