"""Two writers and a program with plain SQL against a model: nobody writes over what was not read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.skill_model import StoredSkill
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline_tests.targets.database.ledger import SOON
from sot_pipeline_tests.targets.database.skills import stored

writers = st.sampled_from(range(2))
uids = st.sampled_from("abc")
paths = st.sampled_from(["p/a", "p/b", "p/c", "p/d"])
bodies = st.sampled_from(["one", "two"])


@dataclass(frozen=True)
class Row:
    """What the model says of a skill; `change` is another number after every change of it."""

    path: str
    body: str
    tags: int
    change: int


class Writers(RuleBasedStateMachine):
    """Each writer goes on from what it read last, however old that is."""

    open_database: Callable[[], Database]

    @initialize()
    def begin(self) -> None:
        *databases, self.program = [self.open_database() for _ in range(3)]
        self.stores = [SkillStore(database, "atlas") for database in databases]
        self.run("DELETE FROM skills")
        self.rows: dict[str, Row] = {}
        self.changes = 0
        self.read: list[dict[str, tuple[StoredSkill, int]]] = [{}, {}]
        self.versions: dict[tuple[str, int], int] = {}
        for uid in "abc":
            self.insert(0, uid, f"p/{uid}")
        for writer in range(2):
            self.look(writer)

    def run(self, statement: str) -> None:
        with self.program.changing("atlas", SOON) as (engine, _):
            engine.execute(statement)

    def changed(self) -> int:
        self.changes += 1
        return self.changes

    @rule(writer=writers)
    def look(self, writer: int) -> None:
        self.read[writer] = {skill.uid: (skill, self.rows[skill.uid].change) for skill in self.stores[writer].read()}

    @rule(writer=writers, uid=uids, path=paths)
    def insert(self, writer: int, uid: str, path: str) -> None:
        written = self.stores[writer].apply([stored(uid, path, body="new")], (), {}, SOON)

        is_free = uid not in self.rows and path not in {row.path for row in self.rows.values()}
        assert (written.versions.keys(), written.moved) == (({uid}, set()) if is_free else (set(), {uid}))
        if is_free:
            self.rows[uid] = Row(path, "new", 0, self.changed())

    @rule(writer=writers, changes=st.dictionaries(uids, st.tuples(paths, bodies), min_size=1))
    def update(self, writer: int, changes: dict[str, tuple[str, str]]) -> None:
        known = {uid: self.read[writer][uid] for uid in changes if uid in self.read[writer]}
        asked = [replace(skill, path=changes[uid][0], body=changes[uid][1]) for uid, (skill, _) in known.items()]
        written = self.stores[writer].apply((), asked, {}, SOON)

        assert written.versions.keys() | written.moved == known.keys()
        for skill in asked:
            uid, row = skill.uid, self.rows.get(skill.uid)
            is_as_read = row is not None and row.change == known[uid][1]
            if uid in written.versions:
                assert is_as_read
                self.rows[uid] = Row(skill.path, skill.body, 0, self.changed())
                mine = replace(skill, row_version=written.versions[uid])
                self.read[writer][uid] = mine, self.rows[uid].change
        for skill in asked:
            if skill.uid in written.moved and self.rows.get(skill.uid):
                taken = any(row.path == skill.path for uid, row in self.rows.items() if uid != skill.uid)
                assert taken or self.rows[skill.uid].change != known[skill.uid][1]

    @rule(writer=writers, uid=uids)
    def delete(self, writer: int, uid: str) -> None:
        if uid not in self.read[writer]:
            return
        skill, change = self.read[writer].pop(uid)
        written = self.stores[writer].apply((), (), {uid: skill.row_version}, SOON)

        may = uid not in self.rows or self.rows[uid].change == change
        assert (written.deleted, written.moved) == (({uid}, set()) if may else (set(), {uid}))
        if may:
            self.rows.pop(uid, None)

    @rule(uid=uids, body=bodies)
    def edit_by_hand(self, uid: str, body: str) -> None:
        self.run(f"UPDATE skills SET body = '{body}' WHERE uid = '{uid}'")
        if uid in self.rows:
            self.rows[uid] = replace(self.rows[uid], body=body, change=self.changed())

    @rule(uid=uids)
    def tag_by_hand(self, uid: str) -> None:
        if uid in self.rows:
            self.run(f"INSERT INTO skill_tags (project_id, uid, value) VALUES ('atlas', '{uid}', 'by hand')")
            self.rows[uid] = replace(self.rows[uid], tags=self.rows[uid].tags + 1, change=self.changed())

    @invariant()
    def rows_are_what_the_model_says(self) -> None:
        found = {skill.uid: skill for skill in self.stores[0].read()}

        assert {uid: (skill.path, skill.body) for uid, skill in found.items()} == {
            uid: (row.path, row.body) for uid, row in self.rows.items()
        }
        for uid, row in self.rows.items():
            assert len(found[uid].fields.lists.get("tags", ())) >= row.tags
            assert self.versions.setdefault((uid, row.change), found[uid].row_version) == found[uid].row_version
        assert len(set(self.versions.values())) == len(self.versions)


@pytest.fixture
def open_database(database_url: str) -> Iterator[Callable[[], Database]]:
    with ExitStack() as stack:
        opened = [stack.enter_context(Database(database_url)) for _ in range(3)]
        opened[0].upgrade(SOON)
        turns = itertools.cycle(opened)
        yield lambda: next(turns)


def test_nobody_writes_over_what_was_not_read(open_database: Callable[[], Database]) -> None:
    class Bound(Writers):
        pass

    Bound.open_database = staticmethod(open_database)

    run_state_machine_as_test(
        Bound,
        settings=settings(
            max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
