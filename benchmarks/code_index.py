"""Source files into the code index: the standard library beside a floor and a peer, and a trend up to 50,000 files.

    python benchmarks/code_index.py --output code.json
    python benchmarks/code_index.py --files 5000          # the trend's largest tree

All of the standard library of this Python is indexed into empty tables, related, and indexed again
unchanged. The floor reads, hashes and parses the same files; the peer, lizard, tells lines and
cyclomatic complexity of the Python files alone. The trend is the same for trees of copied files.
Every piece of work is a new process (`code_work.py`). After each the tables are compared with the
files, outside the clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from code_work import (
    Measured,
    Work,
    floor,
    full_pass,
    index,
    index_on_one_core,
    lizard,
    measured,
    require_agreement,
)
from machine import machine, write_report
from servers import KINDS, FreshUrl, databases
from source_trees import copy_library, make_tree

TREND = (1_000, 5_000, 10_000, 50_000)
LIBRARY = "standard library"
# In this order on one database. What `sot code index --execute` costs the first time is the first two.
SCENARIOS: Mapping[str, Work] = {"index": index, "relate": full_pass, "no change": full_pass}
BESIDE: Mapping[str, Work] = {"floor": floor, "lizard": lizard}
ALONE: Mapping[str, Work] = {"one core": index_on_one_core}
GOAL = {"one core, files a second": 250, "no change, seconds": 2.0}


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians of one piece of work on one tree; `database` is None for what has none.

    `phases` are wall seconds of the last run. `files_a_second` are those of a wall second of all
    phases: to start Python and to make tables takes as long for one file as for all.
    """

    tree: str
    database: str | None
    work: str
    files: int
    seconds: float
    cpu_seconds: float
    files_a_second: float
    peak_mb: float
    phases: Mapping[str, float]
    runs: Sequence[float]


def figure(tree: str, database: str | None, work: str, runs: Sequence[Measured]) -> Figure:
    seconds = statistics.median(one.seconds for one in runs)
    cpu = statistics.median(one.cpu_seconds for one in runs)
    found = Figure(
        tree=tree,
        database=database,
        work=work,
        files=runs[-1].done.files,
        seconds=seconds,
        cpu_seconds=cpu,
        files_a_second=runs[-1].done.files / statistics.median(map(worked, runs)),
        peak_mb=statistics.median(one.peak_mb for one in runs),
        phases=runs[-1].done.phases,
        runs=[one.seconds for one in runs],
    )
    print(
        f"{tree:18} {database or '':10} {work:10} {found.files:6} files {found.seconds:8.2f} s  "
        f"cpu {cpu:7.2f} s  {found.files_a_second:6.0f} files/s  {found.peak_mb:5.0f} MB  {dict(found.phases)}",
        file=sys.stderr,
    )
    return found


def worked(run: Measured) -> float:
    """Seconds of the phases, of all of it where there are none."""
    return sum(run.done.phases.values()) or run.seconds


def beside(folder: Path, runs: int) -> Iterator[Figure]:
    """The floor and the peer on the tree in `folder`, once more than counted, for the page cache."""
    for name, work in BESIDE.items():
        yield figure(LIBRARY, None, name, [measured(work, folder) for _ in range(runs + 1)][1:])


def indexed(
    tree: str, kind: str, folder: Path, fresh_url: FreshUrl, runs: int, scenarios: Mapping[str, Work] = SCENARIOS
) -> Iterator[Figure]:
    """The index of the tree in `folder`, each run on an empty database."""
    found: dict[str, list[Measured]] = {name: [] for name in scenarios}
    for _ in range(runs):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            workspace = Path(place)
            write_config(workspace, folder / "tree", fresh_url(workspace))
            for name, work in scenarios.items():
                found[name].append(measured(work, workspace))
                require_agreement(workspace)
    for name, those in found.items():
        yield figure(tree, kind, name, those)


def write_config(folder: Path, tree: Path, url: str) -> None:
    folder.joinpath("sot.toml").write_text(
        f"[workspace]\ndatabase_url = {json.dumps(url)}\n\n"
        f'[[project]]\nid = "bench"\nroot = {json.dumps(str(tree))}\n[project.code]\n',
        encoding="utf-8",
    )


def figures(folder: Path, kinds: Sequence[str], largest: int, runs: int) -> Iterator[Figure]:
    """All of them, a tree at a time."""
    library = folder / "library"
    copy_library(library / "tree")
    yield from beside(library, runs)
    for kind in kinds:
        with databases(kind) as fresh_url:
            yield from indexed(LIBRARY, kind, library, fresh_url, runs)
            yield from indexed(LIBRARY, kind, library, fresh_url, runs, ALONE)
    for count in (count for count in TREND if count <= largest):
        name = f"{count:,} files"
        make_tree(folder / name / "tree", library / "tree", count)
        for kind in kinds:
            with databases(kind) as fresh_url:
                yield from indexed(name, kind, folder / name, fresh_url, 1)


def main() -> None:
    """Run what the options say and print JSON, or write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--files", type=int, default=TREND[-1], help="the largest tree of the trend; 0: no trend")
    parser.add_argument("--runs", type=int, default=3, help="repeats on the standard library; the median counts")
    parser.add_argument("--database", choices=KINDS, action="append", help="default: all")
    parser.add_argument("--output", type=Path, help="write the JSON here, not to stdout")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sot-bench-") as folder:
        found = list(figures(Path(folder), options.database or KINDS, options.files, options.runs))
    report = {"machine": machine(), "goal": GOAL, "figures": [asdict(one) for one in found]}
    write_report(report, options.output)


if __name__ == "__main__":
    main()
