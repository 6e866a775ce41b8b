"""Leases against a model: whatever holders do and however long they pause, fences only grow and no stale write counts.

The SQL is the real one; the database's clock is a table that the test moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sot_pipeline.errors import LeaseLost, LockNotBroken
from sot_pipeline.runtime.held import HeldLeases
from sot_pipeline.runtime.leases import Grant, LeaseTimes
from sot_pipeline.runtime.order import CANONICAL_ORDER
from sot_pipeline.targets.database import Database
from sot_pipeline_tests.holders import SOON, claim
from sot_pipeline_tests.targets.database.ledger import activity, tamper

HOLDERS = range(3)
TTL = 60.0
GRACE = 30.0
CLOCK = "(SELECT seconds FROM test_clock)"

holders = st.sampled_from(HOLDERS)
name_sets = st.sets(st.sampled_from(CANONICAL_ORDER), min_size=1).map(
    lambda names: tuple(name for name in CANONICAL_ORDER if name in names)
)


@dataclass
class Expected:
    """What the model says of one lock."""

    fence: int = 0
    owner: str = ""
    expires: float = 0.0


class Leases(RuleBasedStateMachine):
    """Three holders that do not watch the time themselves, so that only the database keeps them in order."""

    open_database: Callable[[], Database]

    @initialize()
    def begin(self) -> None:
        self.databases = [self.open_database() for _ in HOLDERS]
        with self.databases[0]._write(SOON):
            engine = self.databases[0]._engine
            engine.execute("DELETE FROM sot_locks")
            engine.execute("UPDATE test_clock SET seconds = 1000")
        self.now = 1000.0
        self.expected = {name: Expected() for name in CANONICAL_ORDER}
        self.grants: dict[int, tuple[Grant, ...]] = {}
        self.accepted: dict[str, list[int]] = {name: [] for name in CANONICAL_ORDER}

    def is_taken(self, name: str) -> bool:
        return bool(self.expected[name].owner) and self.expected[name].expires > self.now

    def is_ours(self, grant: Grant) -> bool:
        lock = self.expected[grant.name]
        return (lock.owner, lock.fence) == (grant.owner, grant.fence) and self.is_taken(grant.name)

    @rule(holder=holders, names=name_sets)
    def acquire(self, holder: int, names: tuple[str, ...]) -> None:
        owner = uuid4().hex
        found = self.databases[holder].acquire_leases(names, claim(owner), dead=(), ttl=TTL, deadline=SOON)

        if any(self.is_taken(name) for name in names):
            assert found is None
            return
        for name in names:
            self.expected[name] = Expected(self.expected[name].fence + 1, owner, self.now + TTL)
        assert found == tuple(Grant(name, owner, self.expected[name].fence) for name in names)
        self.grants[holder] = found

    @precondition(lambda self: self.grants)
    @rule(holder=holders)
    def renew(self, holder: int) -> None:
        grants = self.grants.get(holder, ())
        renewed = self.databases[holder].renew_leases(grants, ttl=TTL, progress="", deadline=SOON)

        assert renewed == all(self.is_ours(grant) for grant in grants)
        if renewed:
            for grant in grants:
                self.expected[grant.name].expires = self.now + TTL

    @rule(seconds=st.sampled_from([0.5, 15.0, 40.0, 59.5, 60.0, 60.5, 90.0, 1000.0]))
    def pause(self, seconds: float) -> None:
        self.now += seconds
        with self.databases[0]._write(SOON):
            self.databases[0]._engine.execute("UPDATE test_clock SET seconds = ?", (self.now,))

    @precondition(lambda self: self.grants)
    @rule(holder=holders)
    def write(self, holder: int) -> None:
        grants = self.grants.get(holder, ())
        held = HeldLeases(grants, self.open_database, LeaseTimes(), since=0.0, clock=lambda: 0.0)
        try:
            with self.databases[holder].fenced(held):
                self.databases[holder].record_activity("atlas", activity(), SOON)
        except LeaseLost:
            assert not all(self.is_ours(grant) for grant in grants)
            return
        assert all(self.is_ours(grant) for grant in grants)
        for grant in grants:
            self.accepted[grant.name].append(grant.fence)

    @precondition(lambda self: self.grants)
    @rule(holder=holders)
    def release(self, holder: int) -> None:
        grants = self.grants.pop(holder, ())
        self.databases[holder].release_leases(grants, SOON)

        for grant in grants:
            lock = self.expected[grant.name]
            if (lock.owner, lock.fence) == (grant.owner, grant.fence):
                lock.owner = ""

    @rule(name=st.sampled_from(CANONICAL_ORDER), force=st.booleans(), stale=st.booleans())
    def break_by_hand(self, name: str, force: bool, stale: bool) -> None:
        lock = self.expected[name]
        fence = lock.fence - 1 if stale else lock.fence
        allowed = bool(lock.owner) and not stale and (force or self.now >= lock.expires + GRACE)
        try:
            self.databases[0].break_lock(
                name, owner=lock.owner, fence=fence, grace=GRACE, force=force, by="me", deadline=SOON
            )
        except LockNotBroken:
            assert not allowed
            return
        assert allowed
        lock.owner = ""

    @invariant()
    def rows_are_what_the_model_says(self) -> None:
        for row in self.databases[1].locks(SOON):
            lock = self.expected[row.name]
            assert (row.fence, row.owner, row.is_taken) == (lock.fence, lock.owner, self.is_taken(row.name))

    @invariant()
    def accepted_fences_never_decrease(self) -> None:
        assert all(fences == sorted(fences) for fences in self.accepted.values())

    def teardown(self) -> None:
        for database in getattr(self, "databases", ()):
            database.close()


@pytest.fixture
def open_database(database_url: str) -> Iterator[Callable[[], Database]]:
    """Opens the database with a clock that stands still until it is moved."""
    with ExitStack() as stack:

        def opened() -> Database:
            database = stack.enter_context(Database(database_url))
            database._engine.clock = CLOCK  # the one thing that is not as it is outside
            return database

        opened().upgrade(SOON)
        tamper(
            database_url, "CREATE TABLE test_clock (seconds double precision)", "INSERT INTO test_clock VALUES (1000)"
        )
        yield opened


def test_fences_never_decrease_and_no_stale_write_is_accepted(open_database: Callable[[], Database]) -> None:
    class Bound(Leases):
        pass

    Bound.open_database = staticmethod(open_database)

    run_state_machine_as_test(
        Bound,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
