"""What a holder does by itself: heartbeats, and giving up in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sot_pipeline.errors import DatabaseUnavailable, LeaseLost
from sot_pipeline.runtime.acquire import leased
from sot_pipeline.runtime.held import HeldLeases
from sot_pipeline.runtime.leases import Grant, LeaseTimes
from sot_pipeline.targets.database import Database
from sot_pipeline_tests.holders import BOTH, BRIEF, SOON, lock
from sot_pipeline_tests.targets.database.ledger import record, sync, tamper

GRANT = Grant("docs", "me", 1)


class MovedClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def no_connection() -> Database:
    raise DatabaseUnavailable("There is no database.")


def held_since_zero(clock: Callable[[], float]) -> HeldLeases:
    return HeldLeases((GRANT,), no_connection, LeaseTimes(), since=0.0, clock=clock)


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def test_holder_stops_itself_before_its_lease_ends() -> None:
    clock = MovedClock()
    held = held_since_zero(clock)
    clock.seconds = 40.0
    held.check()
    clock.seconds = 40.1

    with pytest.raises(LeaseLost, match="'docs' was lost: there was no heartbeat for 40 s"):
        held.check()


def test_holder_that_stopped_itself_does_not_begin_again() -> None:
    clock = MovedClock()
    held = held_since_zero(clock)
    clock.seconds = 41.0
    with pytest.raises(LeaseLost):
        held.check()
    clock.seconds = 1.0

    with pytest.raises(LeaseLost):
        held.report("goes on")


def test_holder_does_not_stop_within_its_write_transaction() -> None:
    clock = MovedClock()
    held = held_since_zero(clock)

    with held.transaction():
        clock.seconds = 500.0
        held.check()
        assert held.is_due()
        held.renewed(500.0)

    held.check()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database(database_url) as found:
        found.upgrade(SOON)
        yield found


class Connections:
    """Opens databases for heartbeats and counts them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opened = 0

    def __call__(self) -> Database:
        self.opened += 1
        return Database(self.url)


def test_no_connection_is_opened_before_the_first_heartbeat(database: Database, database_url: str) -> None:
    connections = Connections(database_url)

    with leased(database, connections, BOTH, wait_seconds=1, times=replace(BRIEF, heartbeat=0.5)):
        time.sleep(0.2)
        before = connections.opened
        assert eventually(lambda: connections.opened == 1)

    assert before == 0


def test_heartbeats_tell_progress(database: Database, database_url: str) -> None:
    with leased(database, Connections(database_url), BOTH, wait_seconds=1, times=BRIEF) as held:
        held.report("points of atlas 3/7")

        assert eventually(lambda: lock(database, "docs").progress == "points of atlas 3/7")


def test_without_progress_heartbeats_end_and_the_lease_runs_out(database: Database, database_url: str) -> None:
    with (
        leased(database, Connections(database_url), BOTH, wait_seconds=1, times=replace(BRIEF, stall=0.5)) as held,
        database.fenced(held),
    ):
        assert eventually(lambda: lock(database, "docs").state == "expired")

        with pytest.raises(LeaseLost, match="no heartbeat"):
            sync(database, [record("BUILD-1")])


def test_work_that_goes_on_keeps_its_lease(database: Database, database_url: str) -> None:
    with (
        leased(database, Connections(database_url), BOTH, wait_seconds=1, times=replace(BRIEF, stall=0.5)) as held,
        database.fenced(held),
    ):
        end = time.monotonic() + 2 * BRIEF.ttl
        while time.monotonic() < end:
            time.sleep(0.1)
            sync(database, [record("BUILD-1")])

        assert lock(database, "docs").fence == 1


def test_heartbeat_that_finds_the_lease_lost_stops_the_holder(database: Database, database_url: str) -> None:
    with leased(database, Connections(database_url), BOTH, wait_seconds=1, times=BRIEF) as held:
        tamper(database_url, "UPDATE sot_locks SET owner = 'next', fence = 2 WHERE name = 'docs'")

        def stopped() -> bool:
            try:
                held.check()
            except LeaseLost as lost:
                return "taken over" in str(lost)
            return False

        assert eventually(stopped)


def test_heartbeats_survive_a_database_that_is_away_for_a_moment(tmp_path: Path, sqlite_url: str) -> None:
    with Database(sqlite_url) as database:
        database.upgrade(SOON)
        blocked = threading.Event()

        def block() -> None:
            with Database(sqlite_url) as other, other.writing("atlas", SOON):
                blocked.set()
                time.sleep(0.5)

        with leased(database, Connections(sqlite_url), BOTH, wait_seconds=1, times=BRIEF) as held:
            thread = threading.Thread(target=block)
            thread.start()
            assert blocked.wait(5)
            time.sleep(1.2)
            held.check()
            thread.join()

        assert lock(database, "docs").fence == 1


def test_blocks_end_at_once_while_a_heartbeat_is_far_away(database: Database, database_url: str) -> None:
    started = time.monotonic()

    with leased(database, Connections(database_url), BOTH, wait_seconds=1):
        pass

    assert time.monotonic() - started < 2
    assert not [thread for thread in threading.enumerate() if thread.name == "sot-heartbeat"]
