"""What the rows of `sot_locks` allow and refuse, in both databases."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from sot_pipeline.errors import EXIT_LOCKED, DatabaseUnavailable, LeaseLost, LockNotAcquired, LockNotBroken
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.leases import Grant, LockState
from sot_pipeline.targets.database import Database
from sot_pipeline_tests.holders import BOTH, BRIEF, SOON, claim, held_elsewhere, holding, lock, states
from sot_pipeline_tests.targets.database.ledger import activity, migrate, record, sync, tamper

OVER = "UPDATE sot_locks SET heartbeat_at = heartbeat_at - {0}, expires_at = expires_at - {0}"


def take(database: Database, *names: str, dead: tuple[Grant, ...] = ()) -> tuple[Grant, ...] | None:
    return database.acquire_leases(names or BOTH, claim("me"), dead=dead, ttl=60, deadline=SOON)


def test_first_leases_have_the_first_fence(database: Database) -> None:
    assert take(database) == (Grant("archive", "me", 1), Grant("docs", "me", 1))


def test_released_lock_keeps_its_row_and_its_fence(database: Database) -> None:
    grants = held_elsewhere(database)

    database.release_leases(grants, SOON)

    assert [(row.name, row.state, row.fence, row.owner) for row in database.locks(SOON)] == [
        ("archive", LockState.FREE, 1, ""),
        ("docs", LockState.FREE, 1, ""),
    ]
    assert take(database, "docs") == (Grant("docs", "me", 2),)


def test_one_held_lease_means_that_none_is_taken(database: Database) -> None:
    held_elsewhere(database, "docs")

    assert take(database, "queue", "docs") is None

    assert states(database.locks(SOON)) == {"docs": "held"}


def test_lease_that_is_over_is_taken_with_a_higher_fence(database: Database, database_url: str) -> None:
    held_elsewhere(database)
    tamper(database_url, OVER.format(60.1))

    assert states(database.locks(SOON)) == {"archive": "expired", "docs": "expired"}
    assert take(database) == (Grant("archive", "me", 2), Grant("docs", "me", 2))


def test_lease_of_the_dead_is_taken_only_as_long_as_it_is_theirs(database: Database) -> None:
    (grant,) = held_elsewhere(database, "docs")

    assert take(database, "docs", dead=(Grant("docs", grant.owner, 7),)) is None
    assert take(database, "docs", dead=(Grant("docs", "another", grant.fence),)) is None
    assert take(database, "docs", dead=(grant,)) == (Grant("docs", "me", 2),)


def test_renewed_lease_lasts_from_now(database: Database, database_url: str) -> None:
    grants = held_elsewhere(database)
    tamper(database_url, OVER.format(59))

    assert database.renew_leases(grants, ttl=60, progress="points 3/7", deadline=SOON)

    row = lock(database, "docs")
    assert row.left == pytest.approx(60, abs=5)
    assert row.progress == "points 3/7"


@pytest.mark.parametrize("fate", ["over", "taken", "broken"])
def test_lost_lease_is_not_renewed_and_stays_as_it_is(database: Database, database_url: str, fate: str) -> None:
    grants = held_elsewhere(database)
    lose(database, database_url, fate)
    before = [(row.owner, row.fence, row.expires_at) for row in database.locks(SOON)]

    assert not database.renew_leases(grants, ttl=60, progress="", deadline=SOON)

    assert [(row.owner, row.fence, row.expires_at) for row in database.locks(SOON)] == before


def lose(database: Database, url: str, fate: str) -> None:
    """End the lease of 'docs' behind its holder's back."""
    if fate == "broken":
        row = lock(database, "docs")
        database.break_lock("docs", owner=row.owner, fence=row.fence, grace=0, force=True, by="me", deadline=SOON)
        return
    tamper(url, OVER.format(61) + " WHERE name = 'docs'")
    if fate == "taken":
        assert take(database, "docs")


@pytest.mark.parametrize("fate", ["over", "taken", "broken"])
def test_writes_of_who_lost_a_lease_are_refused_unwritten(database_url: str, fate: str) -> None:
    with Database(database_url) as database, Database(database_url) as other:
        sync(database, [record("BUILD-1")])
        with holding(database, database_url):
            sync(database, [record("BUILD-1"), record("BUILD-2")])
            lose(other, database_url, fate)

            for write in (
                lambda: sync(database, [record("BUILD-3")]),
                lambda: database.record_activity("atlas", activity(), SOON),
                lambda: database.record_readme("atlas", "summary", SOON),
                lambda: database.store_vectors("model", 1, {"hash": b"\0\0\0\0"}, SOON),
            ):
                with pytest.raises(LeaseLost, match="'docs'") as lost:
                    write()
                assert lost.value.exit_code == EXIT_LOCKED
                assert "run the same command again" in lost.value.remedy

        assert {key.entry_id for key in other.fingerprints("atlas")} == {"BUILD-1", "BUILD-2"}
        assert other.readme("atlas") is None
        assert other.cached_vectors("model", ["hash"]) == {}
        assert len([row for row in other.activities() if row.project_id == "atlas"]) == 2


def test_lost_lease_that_is_free_again_still_refuses_its_old_holder(database_url: str) -> None:
    with Database(database_url) as database, Database(database_url) as other, holding(database, database_url):
        lose(other, database_url, "taken")
        other.release_leases((Grant("docs", "me", 2),), SOON)

        with pytest.raises(LeaseLost, match="'docs' was broken"):
            sync(database, [record("BUILD-1")])


def test_giving_back_a_lost_lease_leaves_its_new_holder_alone(database_url: str) -> None:
    with Database(database_url) as database, Database(database_url) as other:
        with holding(database, database_url):
            lose(other, database_url, "taken")

        assert (lock(other, "docs").owner, lock(other, "docs").fence) == ("me", 2)


def test_nobody_takes_a_lease_from_an_open_write_transaction(database_url: str) -> None:
    """However long it takes: the transaction holds the row, and renews it before it commits."""
    taken: list[object] = []

    def take_over() -> None:
        with Database(database_url) as other:
            try:
                taken.append(other.acquire_leases(BOTH, claim(), dead=(), ttl=60, deadline=Deadline(0.3)))
            except Exception as error:
                taken.append(type(error))

    with Database(database_url) as database, Database(database_url) as reader:
        times = replace(BRIEF, ttl=2.5)  # a busy machine takes a second over the heartbeat that follows
        with holding(database, database_url, times=times):
            with database.writing("atlas", SOON) as rows:
                time.sleep(times.ttl + 0.3)
                thread = threading.Thread(target=take_over)
                thread.start()
                thread.join()
                rows.record(activity())
            assert states(reader.locks(SOON)) == {"archive": "held", "docs": "held"}
            sync(database, [record("BUILD-1")])

        assert taken
        assert taken[0] not in ((), None)
        assert not isinstance(taken[0], tuple)
        assert reader.counts("atlas") == {"build_history": 1}


def test_writer_stopped_in_its_transaction_does_not_hold_its_leases_for_ever(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sot_pipeline.targets.database.postgres.engine._IDLE_MILLISECONDS", 200)
    with Database(postgres_url) as database, Database(postgres_url) as other:
        database.upgrade(SOON)
        with (
            holding(database, postgres_url, times=BRIEF),
            pytest.raises(DatabaseUnavailable, match="nothing happened for too long"),
            database.writing("atlas", SOON) as rows,
        ):
            time.sleep(BRIEF.ttl + 0.3)
            assert take(other) == (Grant("archive", "me", 2), Grant("docs", "me", 2))
            rows.record(activity())

        assert other.activities() == []


# What no program of ours writes: each makes the row of 'docs' one that cannot be judged.
CORRUPTIONS = {
    "no owner": "owner = NULL",
    "empty owner": "owner = ''",
    "no end": "expires_at = NULL",
    "no heartbeat": "heartbeat_at = NULL",
    "no begin": "acquired_at = NULL",
    "end before heartbeat": "expires_at = heartbeat_at - 1",
    "no fence": "fence = 0",
    "negative fence": "fence = -7",
}
SQLITE_CORRUPTIONS = {
    "fence in words": "fence = 'seven'",
    "end in words": "expires_at = 'soon'",
    "begin in words": "acquired_at = 'then'",
    "heartbeat in words": "heartbeat_at = 'now'",
    "bytes": "owner = x'00ff', fence = x'00'",
}


@pytest.mark.parametrize("damage", CORRUPTIONS.values(), ids=CORRUPTIONS.keys())
def test_row_that_cannot_be_read_counts_as_held_for_ever(database: Database, database_url: str, damage: str) -> None:
    refuses_everybody_until_forced(database, database_url, damage)


@pytest.mark.parametrize("damage", SQLITE_CORRUPTIONS.values(), ids=SQLITE_CORRUPTIONS.keys())
def test_what_sqlite_takes_for_a_number_counts_as_held(sqlite_url: str, damage: str) -> None:
    with Database(sqlite_url) as database:
        refuses_everybody_until_forced(database, sqlite_url, damage)


def refuses_everybody_until_forced(database: Database, url: str, damage: str) -> None:
    held_elsewhere(database, "docs")
    tamper(url, OVER.format(1000), f"UPDATE sot_locks SET {damage}")

    assert take(database, "docs") is None
    row = lock(database, "docs")
    assert row.state is LockState.UNREADABLE
    with pytest.raises(LockNotBroken, match="cannot be read"):
        database.break_lock("docs", owner=row.owner, fence=row.fence, grace=0, force=False, by="me", deadline=SOON)
    with pytest.raises(LockNotAcquired, match="counts as held") as refused, holding(database, url, "docs", wait=0):
        pass
    assert "--force" in refused.value.remedy

    database.break_lock("docs", owner=row.owner, fence=row.fence, grace=0, force=True, by="me", deadline=SOON)

    grants = take(database, "docs")
    assert grants
    assert grants[0].fence > 1


def test_break_needs_the_owner_and_the_fence_that_are_there(database: Database, database_url: str) -> None:
    held_elsewhere(database, "docs")
    tamper(database_url, OVER.format(1000))

    for owner, fence in (("somebody", 2), ("another", 1)):
        with pytest.raises(LockNotBroken, match="'somebody' with fence 1"):
            database.break_lock("docs", owner=owner, fence=fence, grace=30, force=True, by="me", deadline=SOON)

    assert lock(database, "docs").owner == "somebody"


@pytest.mark.parametrize(("over_for", "why"), [(0, "runs for 60 s more"), (80, "less than the grace time of 30 s")])
def test_break_waits_for_end_and_grace(database: Database, database_url: str, over_for: int, why: str) -> None:
    held_elsewhere(database, "docs")
    tamper(database_url, OVER.format(over_for))

    with pytest.raises(LockNotBroken, match=why) as refused:
        database.break_lock("docs", owner="somebody", fence=1, grace=30, force=False, by="me", deadline=SOON)

    assert refused.value.exit_code == EXIT_LOCKED
    assert lock(database, "docs").owner == "somebody"


@pytest.mark.parametrize(("over_for", "force", "status"), [(91, False, "broken"), (0, True, "forced")])
def test_break_frees_the_lock_and_is_noted(
    database: Database, database_url: str, over_for: int, force: bool, status: str
) -> None:
    held_elsewhere(database, "docs")
    tamper(database_url, OVER.format(over_for))

    database.break_lock("docs", owner="somebody", fence=1, grace=30, force=force, by="Ada", deadline=SOON)

    assert (lock(database, "docs").state, lock(database, "docs").fence) == (LockState.FREE, 1)
    (noted,) = database.activities()
    assert (noted.activity.sync_type, noted.activity.status) == ("locks", status)
    assert noted.activity.error_message
    assert "elsewhere" in noted.activity.error_message
    assert "by Ada" in noted.activity.error_message
    assert take(database, "docs") == (Grant("docs", "me", 2),)


@pytest.mark.parametrize("taken_before", [True, False])
def test_free_lock_is_not_broken(database: Database, taken_before: bool) -> None:
    if taken_before:
        database.release_leases(held_elsewhere(database, "docs"), SOON)

    with pytest.raises(LockNotBroken, match="nobody holds it"):
        database.break_lock("docs", owner="", fence=1, grace=0, force=True, by="me", deadline=SOON)


def test_looking_makes_no_tables(database: Database) -> None:
    assert database.locks(SOON) == ()
    assert database.revision() is None


def test_schema_without_leases_has_no_locks(database_url: str) -> None:
    migrate(database_url, "0001")

    with Database(database_url) as older:
        assert older.locks(SOON) == ()
        assert take(older) == (Grant("archive", "me", 1), Grant("docs", "me", 1))
