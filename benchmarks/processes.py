"""Whole processes, from start to exit: what a person waits for at the prompt.

    python benchmarks/processes.py --output processes.json

Each command runs once to warm the page cache, then `--runs` times; the median counts. Wall and CPU
seconds, and the peak of resident memory, are those the system reports for the process. The package
is compiled before, as an installed one is.
"""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from generated import entries_of, render
from machine import machine, write_report

import sot_pipeline

SOT = Path(sys.executable).with_name("sot")
CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "ledgers"
PROJECT = "bench"


@dataclass(frozen=True, slots=True)
class Command:
    """A command and the goal of docs/performance.md for it, in seconds."""

    name: str
    folder: Path
    arguments: Sequence[str]
    goal: float


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians over the runs of one command; `runs` are wall seconds."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_mb: float
    goal: float
    runs: Sequence[float]


def workspace(folder: Path, root: Path) -> Path:
    """A workspace in `folder` for the project in `root`: SQLite, no vectors."""
    folder.mkdir()
    (folder / "sot.toml").write_text(f'[[project]]\nid = "{PROJECT}"\nroot = "{root}"\n', encoding="utf-8")
    return folder


def project(folder: Path, entries: int) -> Path:
    """A project with one generated ledger."""
    ledger = folder / "docs" / "BUILD_HISTORY.md"
    ledger.parent.mkdir(parents=True)
    ledger.write_text(render(entries_of(entries, seed=7)), encoding="utf-8")
    return folder


def commands(folder: Path, entries: int) -> list[Command]:
    """What is measured, with the targets already in agreement."""
    small = CORPUS if CORPUS.is_dir() else project(folder / "small", 500)
    docs = workspace(folder / "docs-only", small)
    large = workspace(folder / "large", project(folder / "generated", entries))
    sync = ("sync", "--db-only", "--execute")
    run(Command("first sync", large, sync, goal=0.0))
    return [
        Command("sot --help", folder, ("--help",), goal=0.3),
        Command(f"sot sync --docs-only, {small.parent.name}", docs, ("sync", "--docs-only"), goal=0.35),
        Command(f"sot sync --db-only, {entries:,} entries, no change", large, sync, goal=0.4),
        Command(
            f"sot search --mode keyword, {entries:,} entries",
            large,
            ("search", "--mode", "keyword", "which scheduler keeps the lease"),
            goal=0.3,
        ),
    ]


def run(command: Command) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MB of one run. Ends the benchmark where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [SOT, *command.arguments],
        cwd=command.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command.name}: exit code {process.returncode}\n{output.decode(errors='replace')}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def environment() -> Mapping[str, str]:
    """Ours without what would name other targets."""
    ours = ("DATABASE_URL", "QDRANT_HOST", "SOT_CONFIG", "EMBEDDING_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL")
    return {name: value for name, value in os.environ.items() if name not in ours}


def measure(command: Command, runs: int) -> Figure:
    """The medians of a command."""
    run(command)
    measured = [run(command) for _ in range(runs)]
    seconds, cpu, peak = (statistics.median(column) for column in zip(*measured, strict=True))
    figure = Figure(command.name, seconds, cpu, peak, command.goal, [one[0] for one in measured])
    print(f"{figure.name:52} {seconds:6.3f} s  goal {command.goal} s  cpu {cpu:.3f} s", file=sys.stderr)
    return figure


def main() -> None:
    """Run all and print JSON, or write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--entries", type=int, default=3_000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--output", type=Path, help="write the JSON here, not to stdout")
    options = parser.parse_args()
    compileall.compile_dir(Path(sot_pipeline.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory(prefix="sot-bench-") as folder:
        figures = [measure(command, options.runs) for command in commands(Path(folder), options.entries)]
    write_report({"machine": machine(), "commands": [asdict(figure) for figure in figures]}, options.output)


if __name__ == "__main__":
    main()
