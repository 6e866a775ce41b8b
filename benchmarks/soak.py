"""Random edits, syncs, kills and verifications for as long as one likes, all from one seed.

    python benchmarks/soak.py --seconds 3600 --seed 7 [--database postgresql] [--output soak.json]

This process stays, syncs now and then and is watched for growth; other processes are started and
killed beside it. At the end all targets must agree, and hold what a fresh sync of the same files
makes. Exit 0 where that is so and memory stayed flat, else 1. Same seed, same edits; when a kill
strikes depends on the machine.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from machine import machine, write_report
from servers import KINDS, databases

from sot_pipeline.ledgers.project import read_project
from sot_pipeline.outcome import Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.sync import sync_projects
from sot_pipeline.targets.database import Database
from sot_pipeline.verify import open_verification, verify_project
from sot_pipeline.workspace import load_workspace

SOT = Path(sys.executable).with_name("sot")
PROJECT = "soak"
CONFIG = f"""
[workspace]
embedding = "local"
qdrant = ".sot/qdrant"

[[project]]
id = "{PROJECT}"
readme = "README.md"
"""
README = "# Soak\n\n<!-- SOT_SUMMARY_START -->\n<!-- SOT_SUMMARY_END -->\n"
FIRST_ENTRIES = 40
RUN_SECONDS = 120.0
# A sync takes about a second: kills are spread over start, work and end.
LATEST_KILL_SECONDS = 1.5
# The first syncs load models and fill caches; what is held after them is what counts.
WARM_UP_SYNCS = 5
FLAT_MB = 32.0
WORDS = ("kiln", "cone", "glaze", "shelf", "ramp", "soak", "biscuit", "vent", "relay", "probe", "draft", "slip", "ash")


class Ledger:
    """Entries that are edited at random and written as a ledger. `broken` writes bytes that nobody can read."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self._path = path
        self._rng = rng
        self._last = 0
        self._entries: dict[int, tuple[str, str]] = {}
        for _ in range(FIRST_ENTRIES):
            self.add()
        self.write()

    def add(self) -> None:
        self._last += 1
        self._entries[self._last] = (self._text(4), self._text(40))

    def change(self) -> None:
        number = self._rng.choice(list(self._entries))
        title, body = self._entries[number]
        self._entries[number] = (title, self._text(40)) if self._rng.random() < 0.7 else (self._text(4), body)

    def remove(self) -> None:
        if len(self._entries) > FIRST_ENTRIES // 2:
            del self._entries[self._rng.choice(list(self._entries))]

    def shuffle(self) -> None:
        numbers = list(self._entries)
        self._rng.shuffle(numbers)
        self._entries = {number: self._entries[number] for number in numbers}

    def edit(self) -> str:
        """One to three random changes; the name of the last."""
        for _ in range(self._rng.randint(1, 3)):
            act = self._rng.choice((self.add, self.change, self.change, self.remove, self.shuffle))
            act()
        self.write()
        return act.__name__

    def break_(self) -> None:
        self._path.write_bytes(b"### BUILD-1 | \xff\xfe\0")

    def write(self) -> None:
        sections = "".join(
            f"### BUILD-{number} | 2026-01-{1 + number % 28:02} | Work | {title}\n\n{body}\n\n"
            for number, (title, body) in self._entries.items()
        )
        # As editors do it: no reader sees half a file.
        temporary = self._path.with_suffix(".new")
        temporary.write_text(f"# Build History\n\n## BUILDS\n\n{sections}", encoding="utf-8")
        temporary.replace(self._path)

    def _text(self, words: int) -> str:
        return " ".join(self._rng.choices(WORDS, k=words))


@dataclass(frozen=True, slots=True)
class Soaked:
    """What happened, and how it ended. Resident memory in MB, after the warm-up and at the end."""

    database: str
    seed: int
    seconds: float
    actions: dict[str, int]
    exit_codes: dict[str, int]
    agrees: bool
    same_as_fresh: bool
    first_rss_mb: float
    last_rss_mb: float

    @property
    def passed(self) -> bool:
        return self.agrees and self.same_as_fresh and self.last_rss_mb - self.first_rss_mb < FLAT_MB


class Soak:
    """A workspace in `folder` and everything that is done to it."""

    def __init__(self, folder: Path, seed: int, database_url: str) -> None:
        self._folder = folder
        self._rng = random.Random(seed)
        self._seed = seed
        (folder / "docs").mkdir(parents=True)
        (folder / "sot.toml").write_text(CONFIG, encoding="utf-8")
        self.readme = folder / "README.md"
        self.readme.write_text(README, encoding="utf-8")
        self.ledger = Ledger(folder / "docs" / "BUILD_HISTORY.md", self._rng)
        self._environment = {"DATABASE_URL": database_url}
        self._actions: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._rss: list[float] = []

    def run(self, seconds: float) -> Soaked:
        end = time.monotonic() + seconds
        acts = {self.sync_here: 4, self.sync: 3, self.kill: 5, self.crowd: 1, self.verify: 2, self.quarantine: 1}
        while time.monotonic() < end:
            self._actions[self.ledger.edit()] += 1
            act = self._rng.choices(list(acts), list(acts.values()))[0]
            self._actions[act.__name__] += 1
            act()
        for _ in range(WARM_UP_SYNCS + 1 - len(self._rss)):
            self.sync_here()
        self.sync_here()
        return Soaked(
            self._environment["DATABASE_URL"].partition(":")[0],
            self._seed,
            seconds,
            dict(self._actions),
            dict(self._codes),
            agrees=self.agrees(),
            same_as_fresh=self.digest() == self.digest_of_fresh(),
            first_rss_mb=self._rss[WARM_UP_SYNCS],
            last_rss_mb=self._rss[-1],
        )

    def sync_here(self) -> None:
        """Sync in this process, which stays."""
        workspace = load_workspace(self._folder / "sot.toml", env=self._environment)
        report = sync_projects(
            workspace,
            Mode.FULL,
            projects=workspace.projects,
            execute=True,
            deadline=Deadline(RUN_SECONDS),
            allow_mass_delete=True,
        )
        self._codes[f"here {report.exit_code}"] += 1
        self._rss.append(resident_mb())

    def sync(self) -> None:
        self._ended(self._start("sync", "--full", "--execute"))

    def kill(self) -> None:
        """A sync or a rebuild that is killed at a random moment, if it is not over by then."""
        options = ["--rebuild"] if self._rng.random() < 0.3 else []
        process = self._start("sync", "--full", "--execute", *options)
        time.sleep(self._rng.uniform(0.1, LATEST_KILL_SECONDS))
        process.kill()
        self._ended(process)

    def crowd(self) -> None:
        """Three at once, one of them killed, while somebody edits."""
        running = [self._start("sync", "--full", "--execute") for _ in range(3)]
        time.sleep(self._rng.uniform(0.1, LATEST_KILL_SECONDS))
        self.ledger.edit()
        running[0].kill()
        for process in running:
            self._ended(process)

    def verify(self) -> None:
        """Whatever was killed before: a sync, then a verification, which has to agree."""
        self.sync_here()
        if not self.agrees():
            raise SystemExit(f"The targets disagree after {dict(self._actions)}: {self._folder}")

    def quarantine(self) -> None:
        """A sync while the ledger cannot be read: nothing may be lost."""
        self.sync_here()
        before = self.digest()
        self.ledger.break_()
        self.sync_here()
        if self.digest() != before:
            raise SystemExit(f"Rows of an unreadable ledger changed: {self._folder}")
        self.ledger.write()

    def agrees(self) -> bool:
        workspace = load_workspace(self._folder / "sot.toml", env=self._environment)
        with open_verification(workspace, workspace.projects, Deadline(RUN_SECONDS)) as session:
            return verify_project(session, read_project(workspace.projects[0])).agree

    def digest(self) -> str:
        with Database(load_workspace(self._folder / "sot.toml", env=self._environment).database_url) as database:
            return database.digest(PROJECT)

    def digest_of_fresh(self) -> str:
        """The digest of rows that a first sync of the files as they are now makes."""
        environment = self._environment
        self._environment = {"DATABASE_URL": f"sqlite:///{self._folder / 'fresh.db'}"}
        try:
            self.sync_here()
            return self.digest()
        finally:
            self._environment = environment

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(SOT), *arguments, "--allow-mass-delete"],
            cwd=self._folder,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        self._codes[f"process {process.wait(RUN_SECONDS)}"] += 1


def resident_mb() -> float:
    """Resident memory of this process, as Linux counts it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sot-soak-"))  # kept where something is wrong
    with databases(arguments.database) as fresh_url:
        soaked = Soak(folder / "workspace", arguments.seed, fresh_url(folder)).run(arguments.seconds)
    write_report({"machine": machine(), **asdict(soaked), "passed": soaked.passed}, arguments.output)
    if soaked.passed:
        shutil.rmtree(folder)
    return 0 if soaked.passed else 1


if __name__ == "__main__":
    sys.exit(main())
