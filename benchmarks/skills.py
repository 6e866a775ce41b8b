"""Skills at size: a first export, a sync of nothing, of one edit in a hundred on either side, and an import.

    python benchmarks/skills.py --skills 1000 --output skills.json

Each skill is generated: a SKILL.md of 8 kB and two attached files, one of them executable. Seconds are of
the step, in this process and with the database opened before, wall and CPU; and of `sot skills` as a whole
process, where the command is there. After every scenario, outside the clock, both sides are compared.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from generated import entries_of
from machine import machine, write_report
from processes import SOT, environment
from servers import KINDS, databases

from sot_pipeline.outcome import Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session, open_session
from sot_pipeline.skills.edit import render
from sot_pipeline.skills.files import read_skills
from sot_pipeline.skills.model import DOCUMENT
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps.skills import skill_store, sync_skills
from sot_pipeline.workspace import Workspace, load_workspace

# Bytes of a SKILL.md: those of the public collections are between 2 and 20 kB.
LENGTH = 8_000
ATTACHED = {"scripts/run.py": (2_000, 0o755), "references/notes.md": (3_000, 0o644)}
EDITED = 100  # one skill in so many
GOAL = {"cold export": 3.0, "no change": 0.5}
SECONDS = 600.0
CONFIG = '[workspace]\ndatabase_url = {url}\n\n[[project]]\nid = "bench"\n[project.skills]\n'


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds of one scenario. `process` is `sot skills` from start to exit, None where it was not measured."""

    database: str
    scenario: str
    skills: int
    wall: float
    cpu: float
    process: float | None


def make_skills(root: Path, count: int) -> None:
    """So many skills in folders three levels deep; the same count gives the same bytes."""
    prose = [entry.body for entry in entries_of(50, seed=5)]
    for number in range(count):
        chance = random.Random(number)
        folder = root / f"area-{number % 10}" / f"topic-{number % 70}" / f"skill-{number}"
        text = "\n\n".join(chance.sample(prose, 12))
        head = (
            f"---\nname: skill-{number}\ndescription: >-\n  Does work {number} of many,\n  and does it well.\n"
            f"version: 1.{number}\ntags: [one, two, tag-{number % 9}]\nmetadata:\n  author: Ada\n---\n"
        )
        for name, (length, mode) in {DOCUMENT: (LENGTH, 0o644), **ATTACHED}.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text((head if name == DOCUMENT else f"# {number}\n") + text[:length], encoding="utf-8")
            file.chmod(mode)


@dataclass(frozen=True, slots=True)
class Bench:
    """One project, measured scenario by scenario."""

    kind: str
    workspace: Workspace
    has_command: bool

    @property
    def root(self) -> Path:
        return self.workspace.projects[0].root / "skills"

    def scenarios(self) -> Iterator[Figure]:
        yield self.measured("cold export", Direction.EXPORT, self.forget)
        yield self.measured("no change", Direction.SYNC, lambda: None)
        yield self.measured("1 % of the files", Direction.SYNC, self.edit_files)
        yield self.measured("1 % of the rows", Direction.SYNC, self.edit_rows)
        yield self.measured("import", Direction.IMPORT, self.remove_files)

    def measured(self, scenario: str, direction: Direction, prepare: Callable[[], None]) -> Figure:
        process = None
        if self.has_command:
            prepare()
            process = self.process(direction)
        prepare()
        with self.session() as session:
            wall, cpu = time.perf_counter(), time.process_time()
            outcome = sync_skills(session, self.workspace.projects[0], direction, execute=True, allow_mass_delete=True)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            assert outcome.exit_code == 0, outcome
        figure = Figure(self.kind, scenario, self.compared(), round(wall, 3), round(cpu, 3), process)
        print(f"{self.kind:11}{scenario:18}{wall:8.3f} s, CPU {cpu:.3f} s, process {process}", file=sys.stderr)
        return figure

    def process(self, direction: Direction) -> float:
        started = time.perf_counter()
        arguments = [SOT, "skills", direction.value, "--execute", "--allow-mass-delete"]
        subprocess.run(arguments, cwd=self.workspace.folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
        return round(time.perf_counter() - started, 3)

    @contextmanager
    def session(self) -> Iterator[Session]:
        deadline, projects = Deadline(SECONDS), self.workspace.projects
        with open_session(self.workspace, Mode.DB_ONLY, projects=projects, execute=True, deadline=deadline) as session:
            yield session

    def compared(self) -> int:
        """How many skills there are; both sides have to hold the same bytes."""
        with self.session() as session:
            rows = skill_store(session, self.workspace.projects[0]).read()
        files = read_skills(self.root).skills
        assert files.keys() == {row.path for row in rows}
        for row in rows:
            skill = files[row.path]
            assert skill.document == render(row.template, row.fields, row.body)
            assert {name: file for name, file in skill.files.items() if name != DOCUMENT} == row.files
        return len(files)

    def forget(self) -> None:
        """Nothing was ever exported."""
        self.change_rows(*(f"DELETE FROM {table}" for table in ("skills", "skill_base", "skill_base_file")))

    def edit_files(self) -> None:
        for document in sorted(self.root.rglob(DOCUMENT))[::EDITED]:
            with document.open("a", encoding="utf-8") as file:
                file.write("One line more.\n")

    def edit_rows(self) -> None:
        numbered = "SELECT uid FROM (SELECT uid, row_number() OVER (ORDER BY uid) AS number FROM skills) AS numbered"
        self.change_rows(
            f"UPDATE skills SET description = description || ' Edited.' WHERE uid IN ({numbered} "
            f"WHERE number / {EDITED} * {EDITED} = number)"
        )

    def change_rows(self, *statements: str) -> None:
        with self.session() as session:
            database = session.require_database()
            with database.changing(self.workspace.projects[0].id, session.deadline) as (engine, _):
                for statement in statements:
                    engine.execute(statement)

    def remove_files(self) -> None:
        shutil.rmtree(self.root)


def has_command() -> bool:
    """Whether `sot skills` is there."""
    return not subprocess.run([SOT, "skills", "--help"], env=environment(), capture_output=True, check=False).returncode


def benches(folder: Path, count: int, kinds: Sequence[str]) -> Iterator[Figure]:
    """All scenarios on each kind of database."""
    for kind in kinds:
        with databases(kind) as fresh:
            place = folder / kind
            make_skills(place / "skills", count)
            (place / "sot.toml").write_text(CONFIG.format(url=json.dumps(fresh(place))), encoding="utf-8")
            yield from Bench(kind, load_workspace(place / "sot.toml", env={}), has_command()).scenarios()


def main() -> None:
    """Run all and print JSON, or write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--skills", type=int, default=1_000)
    parser.add_argument("--database", choices=KINDS, action="append", help="only this one")
    parser.add_argument("--output", type=Path, help="write the JSON here, not to stdout")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sot-bench-") as name:
        figures = list(benches(Path(name), options.skills, options.database or KINDS))
    write_report({"machine": machine(), "goal": GOAL, "figures": [asdict(one) for one in figures]}, options.output)


if __name__ == "__main__":
    main()
