"""Ledgers into rows and points at size: the pipeline beside the floor, in one run.

    python benchmarks/ledgers.py --entries 10000 --output ledgers.json --plot ledgers.png

After each scenario, outside the clock, every row and every point is compared with the ledger.
What is measured is `pipeline.py` and `floor.py`, how is `subject.py`.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from floor import Floor
from generated import Entry, edited, entries_of, render, without
from machine import machine, write_report
from pipeline import Pipeline
from report import Line, lines_of, table
from servers import KINDS, FreshUrl, databases
from subject import Apart, Held, Maker, Measured, Setting, fingerprint

TARGETS = ("rows", "rows + vectors")
SUBJECTS: Mapping[str, Maker] = {"floor": Floor, "pipeline": Pipeline}
REHEARSAL_ENTRIES = 200


class Comparison:
    """All subjects on one ledger file: each does the same work in turn and is then checked."""

    def __init__(self, folder: Path, fresh_url: FreshUrl, *, vectors: bool, entries: int, dimension: int) -> None:
        self._folder = folder
        self._fresh_url = fresh_url
        self._vectors = vectors
        self._dimension = dimension
        self._ledger = folder / "BUILD_HISTORY.md"
        self._rehearsal = folder / "REHEARSAL.md"
        self._rehearsal.write_text(render(entries_of(REHEARSAL_ENTRIES, seed=1)), encoding="utf-8")
        self._entries = entries_of(entries, seed=7)
        self._settings: dict[str, Setting] = {}
        self.runs: dict[tuple[str, str], list[Measured]] = defaultdict(list)

    def run(self, inner: int) -> None:
        """Every scenario `inner` times."""
        for number in range(inner):
            self._settings = {name: self._setting(f"{name}-{number}", self._ledger) for name in SUBJECTS}
            with self._processes() as subjects:
                self._measure("cold", subjects)
        for _ in range(inner):
            with self._processes() as subjects:
                self._measure("first look", subjects)
                self._measure("no change", subjects)
        chance = random.Random(3)
        percent = max(1, len(self._entries) // 100)
        with self._processes() as subjects:
            self._measure("first look", subjects)
            for scenario, count in (("one edit", 1), ("1 % edits", percent), ("1 % deletes", percent)):
                for number in range(inner):
                    at = set(chance.sample(range(len(self._entries)), count))
                    deletes = scenario == "1 % deletes"
                    self._entries = (
                        without(self._entries, at) if deletes else edited(self._entries, at, f"{scenario}, {number}")
                    )
                    self._measure(scenario, subjects)

    def _setting(self, name: str, ledger: Path) -> Setting:
        folder = self._folder / name
        folder.mkdir()
        return Setting(ledger, folder, self._fresh_url(folder), self._vectors, self._dimension)

    @contextmanager
    def _processes(self) -> Iterator[Mapping[str, Apart]]:
        """A warm process for each subject, on the targets as they are."""
        with ExitStack() as stack, tempfile.TemporaryDirectory(dir=self._folder) as place:
            yield {
                name: stack.enter_context(
                    Apart(make, self._settings[name], self._setting(f"{Path(place).name}/{name}", self._rehearsal))
                )
                for name, make in SUBJECTS.items()
            }

    def _measure(self, scenario: str, subjects: Mapping[str, Apart]) -> None:
        text = render(self._entries)
        self._ledger.write_text(text, encoding="utf-8")
        for name, subject in subjects.items():
            measured = subject.sync()
            _require_agreement(f"{name}, {scenario}", subject.held(), self._entries)
            self.runs[scenario, name].append(measured)
            print(f"  {scenario:12} {name:9} {measured.seconds:8.3f} s", file=sys.stderr)


def _require_agreement(what: str, held: Held, entries: Sequence[Entry]) -> None:
    """Ends the benchmark where a target does not hold exactly the entries of the ledger."""
    rows = {one.entry_id: fingerprint(one.body) for one in entries}
    points = {one.entry_id: fingerprint(f"{one.title}\n\n{one.body}") for one in entries}
    if held.rows != rows:
        sys.exit(f"{what}: the rows are not the ledger's ({len(held.rows)} rows, {len(rows)} entries)")
    if held.points is not None and held.points != points:
        sys.exit(f"{what}: the points are not the ledger's ({len(held.points)} points, {len(points)} entries)")


def main() -> None:
    """Run what the options say and print JSON, or write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--inner", type=int, default=3, help="repeats of each scenario; the median counts")
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--database", choices=KINDS, action="append", help="default: all")
    parser.add_argument("--targets", choices=TARGETS, action="append", help="default: all")
    parser.add_argument("--output", type=Path, help="write the JSON here, not to stdout")
    parser.add_argument("--plot", type=Path, help="draw a PNG")
    options = parser.parse_args()
    lines: list[Line] = []
    for kind in options.database or KINDS:
        for targets in options.targets or TARGETS:
            print(f"{kind}, {targets}", file=sys.stderr)
            with tempfile.TemporaryDirectory(prefix="sot-bench-") as folder, databases(kind) as fresh_url:
                comparison = Comparison(
                    Path(folder),
                    fresh_url,
                    vectors=targets == "rows + vectors",
                    entries=options.entries,
                    dimension=options.dimension,
                )
                comparison.run(options.inner)
            lines += lines_of(kind, targets, comparison.runs)
    report = {"entries": options.entries, "dimension": options.dimension, "machine": machine()}
    report["lines"] = [asdict(line) for line in lines]
    write_report(report, options.output)
    print(table(lines), file=sys.stderr)
    if options.plot:
        from drawing import draw  # not above: matplotlib would count as memory of every subject

        draw(lines, options.plot)


if __name__ == "__main__":
    main()
