"""Two people, a sync between them that may die or be disturbed at any moment, and nothing that is ever lost.

A value is a token that nobody wrote before (`t17x`), in a description, a list, a subkey, a line of a
body or an attached file. The model is the set of values that are *owed*: a value is owed from when a
person writes it on a side, until a person works on a side that holds it and it is gone from that
side afterwards; who replaces or deletes what they have before them means to. A sync, whatever its
direction, however it ends and whatever it was told to overrule, takes nothing out of that set.

Invariant (a): every owed value is in the files (temporary ones included), in the rows of skills, in
a conflict record (resolved ones included) or in what was last agreed on.
(b): after a sync that nothing was in the way of, both sides are equal byte for byte, the side of a
single editor is as it was, and the next sync writes nothing but its line in `sync_activity`.
(c): a dry run writes nothing, and names what the execution then does.
(d): no SKILL.md ever has a conflict marker.
(e): after a kill, the same command comes to what it would have come to undisturbed, or to a
conflict or report, and (a) holds throughout.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sot_pipeline.errors import EditRefused, SkillUnreadable
from sot_pipeline.outcome import SkillsOutcome
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session
from sot_pipeline.skills.merge import Take
from sot_pipeline.skills.model import DOCUMENT, Skill
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps import skills_apply
from sot_pipeline.steps.skills import Choice, skill_store, sync_skills
from sot_pipeline.targets import skill_folders
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database import database as database_module
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline_tests.skills.project import (
    PROJECT,
    SECONDS,
    TABLES,
    SkillProject,
    elsewhere,
    make_project,
    paths_and_files,
    rendered,
    tokens_in,
    tree,
)
from sot_pipeline_tests.skills.users import ACTIONS, DatabaseUser, FileUser
from sot_pipeline_tests.targets.database.ledger import SOON

numbers = st.integers(0, 11)
actions = st.sampled_from(ACTIONS)
sides = st.sampled_from(["files", "database"])
directions = st.sampled_from([Direction.SYNC, Direction.SYNC, Direction.EXPORT, Direction.IMPORT])
Work = tuple[str, str, int, int]
pieces_of_work = st.tuples(sides, actions, numbers, numbers)
moments = st.integers(1, 14)
EXAMPLES = int(os.environ.get("SOT_SKILL_EXAMPLES", "0"))


class KilledError(BaseException):
    """Stands for the end of a process."""


class Moments:
    """Calls something at the n-th moment of a run: at failpoints, and wherever it looks at deadline and leases."""

    def __init__(self) -> None:
        self.left = -1
        self.then: Callable[[], None] = lambda: None

    def reach(self, _point: object) -> None:
        self.left -= 1
        if self.left == 0:
            self.then()

    report = reach

    def arm(self, number: int, then: Callable[[], None]) -> None:
        self.left, self.then = number, then

    def disarm(self) -> None:
        self.left = -1


@contextmanager
def patched(moments: Moments) -> Iterator[None]:
    with (
        mock.patch.object(skills_apply, "reach", moments.reach),
        mock.patch.object(skill_folders, "reach", moments.reach),
        mock.patch.object(database_module, "reach", moments.reach),
    ):
        yield


class SkillMachine(RuleBasedStateMachine):
    """One project; `place` is set for each database."""

    place: tuple[SkillProject, Path]
    examples = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        empty, self.folder = self.place
        self.tokens = itertools.count(1)
        self.owed: set[bytes] = set()
        self.folder = self.folder / str(next(self.examples))
        self.folder.mkdir()
        (self.folder / "skills").mkdir()
        url = empty.workspace.database_url
        self.sqlite = url.startswith("sqlite")
        if self.sqlite:
            shutil.copyfile(url.removeprefix("sqlite:///"), self.folder / "sot.db")
            url = f"sqlite:///{self.folder / 'sot.db'}"
        self.project = elsewhere(empty, self.folder, url)
        self.database = Database(url)
        self.moments = Moments()
        self.users: dict[str, FileUser | DatabaseUser] = {
            "files": FileUser(self.project.root, self.token),
            "database": DatabaseUser(url, PROJECT, self.token),
        }
        # Sides that were worked on since both were equal.
        self.worked: set[str] = set()
        self.agreed = True

    def teardown(self) -> None:
        user = self.database_user
        if not self.sqlite:
            for table in (*TABLES[1:], TABLES[0], "sync_activity"):
                user.run(f"DELETE FROM {table}")
        user.close()
        self.database.close()
        shutil.rmtree(self.folder)

    def token(self) -> str:
        return f"t{next(self.tokens)}x"

    @property
    def database_user(self) -> DatabaseUser:
        user = self.users["database"]
        assert isinstance(user, DatabaseUser)
        return user

    # What people do

    @initialize(many=st.integers(0, 3), start=numbers)
    def begin(self, many: int, start: int) -> None:
        for number in range(many):
            self.work("files", "create", start + number, start + 3 * number)
            self.work("files", "attach", number, start + number)
        if many:
            self.sync(Direction.SYNC, Choice(), allow=True)

    @rule(side=sides, action=actions, one=numbers, two=numbers)
    def one_works(self, side: str, action: str, one: int, two: int) -> None:
        self.work(side, action, one, two)

    @rule(action=actions, other=actions, one=numbers, two=numbers)
    def both_work(self, action: str, other: str, one: int, two: int) -> None:
        self.work("files", action, one, two)
        self.work("database", other, one, two)

    def work(self, side: str, action: str, one: int, two: int) -> None:
        user = self.users[side]
        before = tokens_in(user.content())
        user.act(action, one, two)
        after = tokens_in(user.content())
        self.owed = self.owed - (before - after) | (after - before)
        if action != "touch":
            self.worked.add(side)

    # What the program does

    @rule(direction=directions, allow=st.booleans(), planned=st.booleans())
    def syncs(self, direction: Direction, allow: bool, planned: bool) -> None:
        self.sync(direction, Choice(), allow=allow, planned=planned)

    @rule(take=st.sampled_from(list(Take)), direction=directions)
    def forces(self, take: Take, direction: Direction) -> None:
        self.sync(direction, Choice(force=take), allow=True)

    @rule(path=st.sampled_from(["a", "a/b", "."]), direction=directions)
    def syncs_some(self, path: str, direction: Direction) -> None:
        self.sync(direction, Choice(path=path), allow=True)

    @rule(take=st.sampled_from(list(Take)))
    def resolves(self, take: Take) -> None:
        store = skill_store(self.session(), self.project.workspace.projects[0])
        for conflict in store.conflicts():
            store.resolve_conflict(conflict.conflict.path, take.value, SOON)
        self.sync(Direction.SYNC, Choice(), allow=True)
        self.agreed = False  # a decision may have been overtaken

    @rule(before=st.lists(pieces_of_work, max_size=3), direction=directions, moment=moments, again=moments)
    def is_killed(self, before: list[Work], direction: Direction, moment: int, again: int) -> None:
        for work in before:
            self.work(*work)
        with self.undisturbed(direction) as expected:
            for number in (moment, again):
                self.die_at(number, direction)
            found = self.sync(direction, Choice(), allow=True, planned=True)
            if expected is not None and not found.conflicts and not found.problems and not found.quarantined:
                assert self.both_sides() == expected, "a kill made a difference"

    @rule(before=st.lists(pieces_of_work, max_size=3), direction=directions, moment=moments, after=pieces_of_work)
    def is_killed_and_somebody_works_on(
        self, before: list[Work], direction: Direction, moment: int, after: Work
    ) -> None:
        for work in before:
            self.work(*work)
        self.die_at(moment, direction)
        self.work(*after)
        self.agreed = False
        self.sync(direction, Choice(), allow=True)

    def die_at(self, moment: int, direction: Direction) -> None:
        self.moments.arm(moment, self.die)
        try:
            with patched(self.moments):
                self.run(direction, Choice(), allow=True)
        except KilledError:
            self.database.close()
            self.nothing_is_lost()
        self.moments.disarm()

    def die(self) -> None:
        raise KilledError

    @contextmanager
    def undisturbed(self, direction: Direction) -> Iterator[object]:
        """What both sides come to in a copy of the project where nothing goes wrong; None where that is not known."""
        if not self.sqlite:
            yield None
            return
        twin = self.folder / "twin"
        shutil.copytree(self.project.root, twin / "skills")
        with sqlite3.connect(self.folder / "sot.db") as here, sqlite3.connect(twin / "sot.db") as there:
            here.backup(there)
        here.close()
        there.close()
        url = f"sqlite:///{twin / 'sot.db'}"
        project = elsewhere(self.project, twin, url)
        with Database(url) as database:
            first = project.workspace.projects[0]
            session = Session(project.workspace, Deadline(SECONDS), database, None, None)
            found = sync_skills(session, first, direction, execute=True, allow_mass_delete=True)
            rows = self.rows_of(skill_store(session, first))
        clean = not (found.conflicts or found.problems or found.quarantined)
        expected = (paths_and_files(project.files()), rows) if clean else None
        shutil.rmtree(twin)
        yield expected

    @rule(direction=directions, moment=st.integers(1, 9), side=sides, action=actions, one=numbers, two=numbers)
    def is_disturbed(self, direction: Direction, moment: int, side: str, action: str, one: int, two: int) -> None:
        self.moments.arm(moment, lambda: self.work(side, action, one, two))
        with patched(self.moments):
            self.run(direction, Choice(), allow=True)
        self.moments.disarm()
        self.agreed = False
        self.nothing_is_lost()

    def session(self) -> Session:
        held: Any = self.moments
        return Session(self.project.workspace, Deadline(SECONDS), self.database, None, None, held=held)

    def run(self, direction: Direction, choice: Choice, *, allow: bool, execute: bool = True) -> SkillsOutcome:
        first = self.project.workspace.projects[0]
        found = sync_skills(self.session(), first, direction, execute=execute, choice=choice, allow_mass_delete=allow)
        assert found.error is None, found.error
        return found

    def sync(self, direction: Direction, choice: Choice, *, allow: bool, planned: bool = False) -> SkillsOutcome:
        plan = None
        if planned:
            before = self.everything()
            plan = self.run(direction, choice, allow=allow, execute=False)
            assert self.everything() == before, "a dry run wrote"
        before, count = self.everything(), self.activities()
        sides = self.both_sides() if self.agreed and direction is Direction.SYNC else (None, None)
        found = self.run(direction, choice, allow=allow)
        if plan:
            assert self.lists(plan) == self.lists(found), "plan and execution differ"
        if any(problem.check == "skill_loss" for problem in found.problems):
            assert self.everything() == before, "a refused plan was applied"
            return found
        assert self.activities() == count + 1
        self.nothing_is_lost()
        if not found.problems:
            self.the_next_writes_nothing(direction, choice)
        clean = not (found.conflicts or found.problems or found.quarantined)
        if clean and direction is Direction.SYNC and choice.path is None:
            self.both_sides_are_equal(*sides)
            self.worked, self.agreed = set(), True
        elif direction is not Direction.SYNC or not clean:
            self.agreed = False
        return found

    def both_sides_are_equal(self, files_before: object, rows_before: object) -> None:
        ours, theirs = self.both_sides()
        assert ours == theirs, "both sides differ"
        if self.agreed and self.worked <= {"files"}:
            assert ours == files_before, "the only editor's files were changed"
        if self.agreed and self.worked <= {"database"}:
            assert theirs == rows_before, "the only editor's rows were changed"

    def the_next_writes_nothing(self, direction: Direction, choice: Choice) -> None:
        before, count = self.everything(), self.activities()
        found = self.run(direction, choice, allow=True)
        assert self.everything() == before, "a second sync wrote"
        assert self.activities() == count + 1
        sides = [side for side in (found.files, found.database) if side]
        assert all(not (side.created or side.updated or side.deleted or side.renamed) for side in sides)

    @staticmethod
    def lists(found: SkillsOutcome) -> tuple[object, ...]:
        return found.files, found.database, found.conflicts, dict(found.quarantined), found.unchanged

    # What is there

    def both_sides(self) -> tuple[object, object]:
        store = skill_store(self.session(), self.project.workspace.projects[0])
        return paths_and_files(self.project.files()), self.rows_of(store)

    @staticmethod
    def rows_of(store: SkillStore) -> object:
        found: dict[str, Skill] = {}
        for row in store.read():
            try:
                found[row.path] = rendered(row)
            except (EditRefused, SkillUnreadable):  # it was spoiled
                found[row.path] = Skill(row.path)
        return paths_and_files(found)

    def everything(self) -> tuple[object, ...]:
        return tree(self.project.root), self.database_user.dump(*TABLES)

    def activities(self) -> int:
        ((count,),) = self.database_user.run("SELECT count(*) FROM sync_activity")
        return int(str(count))

    @invariant()
    def nothing_is_lost(self) -> None:
        kept = [user.content() for user in self.users.values()]
        kept.append(self.database_user.dump("skill_base_file", "skill_conflicts"))
        lost = self.owed - tokens_in(*kept)
        assert not lost, f"lost: {sorted(lost)}"

    @invariant()
    def no_document_has_markers(self) -> None:
        assert not any(b"<<<<<<<" in path.read_bytes() for path in self.project.root.rglob(DOCUMENT) if path.is_file())


def explore(project: SkillProject, folder: Path, examples: int, steps: int) -> None:
    """Run so many examples, of so many steps at the most."""
    project.sync()  # the tables
    machine = type("SkillMachineHere", (SkillMachine,), {"place": (project, folder)})
    chosen = settings(
        max_examples=EXAMPLES or examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        database=None,
        derandomize=not EXAMPLES,  # who asks for more examples gets others each time
    )
    run_state_machine_as_test(machine, settings=chosen)


@pytest.fixture
def memory_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that costs no disk, where the system has one."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="sot-", dir=shared)) if shared.is_dir() else tmp_path / "memory"
    folder.mkdir(exist_ok=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_nothing_is_lost_whatever_two_people_and_a_sync_do_with_sqlite(memory_folder: Path) -> None:
    project = make_project(memory_folder / "empty", f"sqlite:///{memory_folder / 'sot.db'}")
    explore(project, memory_folder, examples=2_000, steps=4)


def test_nothing_is_lost_whatever_two_people_and_a_sync_do_with_postgresql(
    memory_folder: Path, postgres_url: str
) -> None:
    explore(make_project(memory_folder / "empty", postgres_url), memory_folder, examples=60, steps=4)
