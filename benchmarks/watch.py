"""From the last write of a file to its row, as another connection sees it, with `sot watch` between.

    python benchmarks/watch.py --output watch.json
    python benchmarks/watch.py --churn 600           # memory of the watcher while it works

Real processes: the watcher is `sot watch`, and a thread of ours asks the database until the last row
of an edit is there. One edit changes one entry of one ledger, or one entry in each of ten ledgers of
four projects; or a line of 1, 10 or 1,000 Python files among 1,200. Seconds include the debounce
(50 ms). Idle is the processor time of a watcher to which nothing happens.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import psycopg
from generated import PREFIX, edited, entries_of, render
from machine import machine, write_report
from processes import SOT, environment
from servers import KINDS, databases

# Ten ledgers: three in each of three projects, one in the fourth.
LEDGERS = ("docs/BUILD_HISTORY.md", "docs/ARCHITECTURE_DECISIONS.md", "docs/DEBUG_LOG.md")
PLACES = [(f"p{number // 3}", LEDGERS[number % 3]) for number in range(10)]
ENTRIES = 30
# Python files of about 2 kB, and how many of them one edit changes.
SOURCES = 1_200
SOURCES_AN_EDIT = (1, 10, 1_000)
SOURCE = """\
def fire_{number}(cone: int, soak: int = 0) -> int:
    if cone > 6 and soak:
        return cone * soak
    return max(cone, soak)


"""
# Churn: how often memory is looked at, files that come and go, seconds between two rounds of edits.
LOOKS = 40
PASSING = 200
CHURN_PAUSE = 0.05
CODE = "code"
GOAL = {"p50": 0.150, "p95": 0.300, "1000 files": 3.0}
LONGEST = 60.0

Ask = Callable[[Sequence[str]], int]
# Makes an edit that leaves this mark, and tells in how many rows it will be.
Edit = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds from the last write to the last row, over all edits; CPU milliseconds of the watcher for each edit."""

    database: str
    targets: str
    files: int
    p50: float
    p95: float
    longest: float
    cpu_ms: float
    edits: Sequence[float]


def make_workspace(folder: Path, url: str, qdrant: bool) -> None:
    """Four small projects in `folder`, and a sot.toml."""
    target = 'qdrant = ".sot/qdrant"\n' if qdrant else ""
    text = f'[workspace]\ndatabase_url = {json.dumps(url)}\nembedding = "local"\n{target}'
    for project in dict.fromkeys(project for project, _ in PLACES):
        (folder / project / "docs").mkdir(parents=True)
        text += f'\n[[project]]\nid = "{project}"\nroot = "{project}"\n'
    (folder / "sot.toml").write_text(text, encoding="utf-8")
    for place in PLACES:
        write(folder, place, "first")


def write(folder: Path, place: tuple[str, str], mark: str) -> None:
    """Write a ledger whose first entry has `mark` in it."""
    kind = {"BUILD_HISTORY": PREFIX, "ARCHITECTURE_DECISIONS": "DEC", "DEBUG_LOG": "DBG"}[Path(place[1]).stem]
    text = render(edited(entries_of(ENTRIES, seed=3), {0}, mark)).replace(f"{PREFIX}-", f"{kind}-")
    (folder / place[0] / place[1]).write_text(text, encoding="utf-8")


def edit_ledgers(folder: Path, places: Sequence[tuple[str, str]]) -> Edit:
    """Marks one entry in each of these ledgers."""

    def edit(mark: str) -> int:
        for place in places:
            write(folder, place, mark)
        return len(places)

    return edit


def make_sources(folder: Path, url: str) -> None:
    """A project of Python files in `folder`, and a sot.toml."""
    text = f'[workspace]\ndatabase_url = {json.dumps(url)}\n\n[[project]]\nid = "{CODE}"\n[project.code]\n'
    (folder / "src").mkdir(parents=True)
    (folder / "sot.toml").write_text(text, encoding="utf-8")
    edit_sources(folder, SOURCES)("first")


def edit_sources(folder: Path, count: int) -> Edit:
    """Marks the first line of so many files."""

    def edit(mark: str) -> int:
        for number in range(count):
            body = SOURCE.format(number=number) * 12
            (folder / "src" / f"kiln_{number}.py").write_text(f'"""Kiln, {mark}.."""\n\n{body}', encoding="utf-8")
        return count

    return edit


@contextmanager
def rows(url: str, table: str) -> Iterator[Ask]:
    """Asks, on a connection of its own, how many rows hold a mark."""
    sql = f"SELECT count(*) FROM {table} WHERE content LIKE {{0}}"
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None) as file:
            yield lambda mark: int(file.execute(sql.format("?"), mark).fetchone()[0])
        file.close()
        return
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as server:
        yield lambda mark: int((server.execute(sql.format("%s"), mark).fetchone() or (0,))[0])


@contextmanager
def watcher(folder: Path, batches: int = 4) -> Iterator[psutil.Process]:
    """`sot watch`, once it has caught up."""
    with (folder / "watch.log").open("w+") as log:
        process = subprocess.Popen(
            [SOT, "watch", "--json"], cwd=folder, env=environment(), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_for(
                lambda: (folder / "watch.log").read_text().count('"milliseconds"') >= batches,
                "the watcher's first look",
            )
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def wait_for(question: Callable[[], bool], what: str) -> None:
    """Look every 2 ms. Ends the benchmark where it does not come."""
    end = time.perf_counter() + LONGEST
    while not question():
        if time.perf_counter() > end:
            sys.exit(f"waited {LONGEST:g} s for {what}")
        time.sleep(0.002)


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def measure(folder: Path, url: str, table: str, edit: Edit, edits: int) -> list[float]:
    """Seconds of each edit; a pause between two lets the watcher finish what comes after the rows."""
    seconds: list[float] = []
    with rows(url, table) as ask:
        for number in range(edits):
            mark = f"mark-{number}-{time.time_ns()}"
            count = edit(mark)
            written = time.perf_counter()
            wait_for(lambda mark=mark, count=count: ask((f"%{mark}.%",)) == count, "rows")  # type: ignore[misc]  # bound now
            seconds.append(time.perf_counter() - written)
            settle(folder)
    return seconds


def settle(folder: Path) -> None:
    """Wait until the watcher is not at work and has not been for a moment."""
    time.sleep(0.15)
    state = folder / ".sot" / "watch" / "state.json"
    wait_for(lambda: json.loads(state.read_bytes())["busy_since"] is None, "the watcher's rest")


def figure(kind: str, targets: str, files: int, seconds: Sequence[float], cpu_seconds: float) -> Figure:
    p95 = statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
    found = Figure(
        kind,
        targets,
        files,
        statistics.median(seconds),
        p95,
        max(seconds),
        1000 * cpu_seconds / len(seconds),
        seconds,
    )
    print(
        f"{kind:10} {targets:15} {files:4} files  p50 {found.p50:.3f} s  p95 {found.p95:.3f} s  "
        f"longest {found.longest:.3f} s  cpu {found.cpu_ms:.0f} ms",
        file=sys.stderr,
    )
    return found


def latencies(kind: str, url: str, folder: Path, edits: int, qdrant: bool) -> Iterator[Figure]:
    """Figures for one ledger and for ten."""
    make_workspace(folder, url, qdrant)
    with watcher(folder) as process:
        for places in (PLACES[:1], PLACES):
            edit = edit_ledgers(folder, places)
            measure(folder, url, "sot_entries", edit, 2)
            before = cpu(process)
            seconds = measure(folder, url, "sot_entries", edit, edits)
            yield figure(kind, "rows + vectors" if qdrant else "rows", len(places), seconds, cpu(process) - before)


def code_latencies(kind: str, url: str, folder: Path, edits: int) -> Iterator[Figure]:
    """Figures for one source file and for more; of the largest edit there are fewer."""
    make_sources(folder, url)
    with watcher(folder, batches=1) as process:
        for files in SOURCES_AN_EDIT:
            edit = edit_sources(folder, files)
            measure(folder, url, "code_files", edit, 1)
            before = cpu(process)
            seconds = measure(folder, url, "code_files", edit, edits if files < 100 else max(3, edits // 8))
            yield figure(kind, "code", files, seconds, cpu(process) - before)


def idle(folder: Path, url: str, seconds: float) -> Mapping[str, float]:
    """Share of one processor that a watcher takes while nothing happens, and its memory."""
    make_workspace(folder, url, qdrant=False)
    with watcher(folder) as process:
        time.sleep(1)
        before = cpu(process)
        time.sleep(seconds)
        share = (cpu(process) - before) / seconds
        memory = process.memory_info().rss / 1024**2
    print(f"idle: {share:.2%} of a processor, {memory:.0f} MB", file=sys.stderr)
    return {"seconds": seconds, "cpu_share": share, "memory_mb": memory}


def churn(folder: Path, url: str, seconds: float) -> Mapping[str, object]:
    """Memory of a watcher while ledgers and source files are edited, made and deleted without a pause."""
    make_workspace(folder, url, qdrant=True)
    make_sources(folder / CODE, url)
    (folder / CODE / "sot.toml").unlink()
    with (folder / "sot.toml").open("a", encoding="utf-8") as config:
        config.write(f'\n[[project]]\nid = "{CODE}"\nroot = "{CODE}"\n[project.code]\n')
    memory: list[float] = []
    with watcher(folder, batches=5) as process:
        start = time.perf_counter()
        number = 0
        while (now := time.perf_counter() - start) < seconds:
            number += 1
            write(folder, PLACES[number % len(PLACES)], f"churn-{number}")
            edit_sources(folder / CODE, 1)(f"churn-{number}")
            passing = folder / CODE / "src" / f"passing_{number % PASSING}.py"
            passing.write_text(SOURCE.format(number=number), encoding="utf-8")
            (folder / CODE / "src" / f"passing_{(number + PASSING // 2) % PASSING}.py").unlink(missing_ok=True)
            if now >= len(memory) * seconds / LOOKS:
                memory.append(process.memory_info().rss / 1024**2)
            time.sleep(CHURN_PAUSE)
    later = memory[len(memory) // 2 :]
    growth = later[-1] - later[0]
    lines = (folder / "watch.log").read_text(encoding="utf-8").splitlines()
    batches = Counter(json.loads(line)["source"] for line in lines if line.startswith("{"))
    print(f"churn: {number} rounds, {dict(batches)} batches, MB {[round(one) for one in memory]}", file=sys.stderr)
    return {
        "seconds": seconds,
        "rounds": number,
        "batches": batches,
        "memory_mb": memory,
        "growth_in_the_second_half_mb": growth,
    }


def main() -> None:
    """Run all and print JSON, or write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--edits", type=int, default=40)
    parser.add_argument("--idle", type=float, default=20.0, help="seconds of doing nothing")
    parser.add_argument("--churn", type=float, help="only this: seconds of edits without a pause")
    parser.add_argument("--output", type=Path, help="write the JSON here, not to stdout")
    options = parser.parse_args()
    report: dict[str, object] = {"machine": machine(), "goal": GOAL}
    with tempfile.TemporaryDirectory(prefix="sot-bench-") as name:
        folder = Path(name)
        if options.churn:
            report["churn"] = churn(folder / "churn", f"sqlite:///{folder / 'churn.db'}", options.churn)
        else:
            figures: list[Figure] = []
            for kind in KINDS:
                with databases(kind) as fresh:
                    for qdrant in (False, True):
                        place = folder / f"{kind}-{qdrant}"
                        place.mkdir()
                        figures += latencies(kind, fresh(place), place, options.edits, qdrant)
                    place = folder / f"{kind}-code"
                    figures += code_latencies(kind, fresh(folder), place, options.edits)
            report["latency"] = [asdict(one) for one in figures]
            report["idle"] = idle(folder / "idle", f"sqlite:///{folder / 'idle.db'}", options.idle)
    report["load_at_the_end"] = round(os.getloadavg()[0], 2)
    write_report(report, options.output)


if __name__ == "__main__":
    main()
