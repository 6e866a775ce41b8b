"""Leases between threads, processes and hosts, in both databases and with nothing simulated."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sot_pipeline.errors import EXIT_LOCKED, LeaseLost, LockNotAcquired
from sot_pipeline.plan import Counts
from sot_pipeline.runtime.process import this_process
from sot_pipeline.targets.database import Activity, Database
from sot_pipeline_tests.holders import (
    BOTH,
    BRIEF,
    SOON,
    claim,
    held_elsewhere,
    holding,
    holding_process,
    lock,
    states,
)
from sot_pipeline_tests.targets.database.ledger import tamper

PROCESSES = 8
ACQUISITIONS = 250  # each
# An acquisition takes 10 ms on a busy machine; the heartbeat of whoever holds a lease is 15 s.
SILENT_SECONDS = 30.0
# 6 s on SQLite and 17 s on PostgreSQL, on a busy machine; waiting without a pause takes 35 s and more.
CPU_SECONDS = 30.0

# Makes a file that must not be there, notes the fence, removes the file.
TAKE_TURNS = """
import os, sys
from sot_pipeline.runtime.acquire import leased
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.database import Database

url, folder, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
fences = os.open(folder + "/fences", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
with Database(url) as database:
    database.upgrade(Deadline(60))
    for _ in range(times):
        with leased(database, lambda: Database(url), ("archive", "docs"), wait_seconds=120) as held:
            os.close(os.open(folder + "/inside", os.O_CREAT | os.O_EXCL))
            os.write(fences, b"%d %d\\n" % tuple(grant.fence for grant in held.grants))
            os.unlink(folder + "/inside")
"""

KEEP_BUSY = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("busy", flush=True)
time.sleep(0.7)
"""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database(database_url) as found:
        found.upgrade(SOON)
        yield found


def test_leases_are_free_again_after_the_block(database: Database, database_url: str) -> None:
    with pytest.raises(ZeroDivisionError), holding(database, database_url):
        assert states(database.locks(SOON)) == {"archive": "held", "docs": "held"}
        _ = 1 / 0

    assert states(database.locks(SOON)) == {"archive": "free", "docs": "free"}


def test_holder_is_described_without_options(database: Database, database_url: str) -> None:
    with holding_process(database_url, "docs") as holder:
        row = lock(database, "docs")
        with pytest.raises(LockNotAcquired) as refused, holding(database, database_url, wait=0.2):
            pass

    assert row.holder
    assert (row.holder.pid, row.holder.host) == (holder.pid, socket.gethostname())
    assert refused.value.exit_code == EXIT_LOCKED
    assert f"'sot sync' (process {holder.pid} on {socket.gethostname()}) since 20" in refused.value.message
    assert "0.2 s" in refused.value.message
    assert f"sot locks break docs --expect-owner {row.owner} --expect-fence 1" in refused.value.remedy
    assert "canary" not in str(refused.value)


def test_all_or_nothing_under_one_deadline(database: Database, database_url: str) -> None:
    held_elsewhere(database, "docs")
    started = time.monotonic()

    with pytest.raises(LockNotAcquired, match="'docs'"), holding(database, database_url, wait=0.5):
        pass

    assert 0.5 <= time.monotonic() - started < 5
    assert states(database.locks(SOON)) == {"docs": "held"}


@pytest.mark.parametrize("names", [("docs", "archive"), ("docs", "docs"), ("other",)])
def test_names_out_of_order_unknown_or_repeated_are_refused(
    database: Database, database_url: str, names: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="canonical order"), holding(database, database_url, *names):
        pass


@pytest.mark.parametrize("second", ["docs", "archive"])
def test_holder_may_only_take_later_leases(database: Database, database_url: str, second: str) -> None:
    with (
        Database(database_url) as another,
        holding(database, database_url, "docs"),
        pytest.raises(RuntimeError, match=second),
        holding(another, database_url, second),
    ):
        pass


def test_later_lease_can_be_taken_while_holding_an_earlier_one(database: Database, database_url: str) -> None:
    with (
        Database(database_url) as another,
        holding(database, database_url, "runs"),
        holding(another, database_url, "docs"),
    ):
        assert states(database.locks(SOON)) == {"runs": "held", "docs": "held"}


def test_waiter_gets_the_lease_when_it_is_given_back(database: Database, database_url: str) -> None:
    with holding_process(database_url) as holder:
        assert holder.process.stdin
        subprocess.Popen(["sleep", "0.3"], stdin=subprocess.DEVNULL).wait()
        holder.process.stdin.close()

        with holding(database, database_url, wait=20) as held:
            assert [grant.fence for grant in held.grants] == [2, 2]


def test_killed_holder_on_this_host_is_taken_over_at_once(database: Database, database_url: str) -> None:
    with holding_process(database_url) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.process.wait(timeout=20)
        assert lock(database, "docs").left == pytest.approx(60, abs=20)
        started = time.monotonic()

        with holding(database, database_url, wait=0) as held:
            assert [grant.fence for grant in held.grants] == [2, 2]

        assert time.monotonic() - started < 2


@pytest.mark.parametrize("other", ["host = 'elsewhere'", "boot_id = 'another boot'", "boot_id = ''", "pid = NULL"])
def test_holder_that_cannot_be_proven_dead_is_waited_for(database: Database, database_url: str, other: str) -> None:
    with holding_process(database_url, times=BRIEF) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.process.wait(timeout=20)
        tamper(database_url, f"UPDATE sot_locks SET {other}")

        with pytest.raises(LockNotAcquired), holding(database, database_url, wait=0):
            pass
        ends_in = lock(database, "docs").left
        started = time.monotonic()
        with holding(database, database_url, wait=20) as held:
            assert [grant.fence for grant in held.grants] == [2, 2]

        assert ends_in
        assert time.monotonic() - started >= ends_in - 0.1


def test_number_of_a_dead_process_that_was_given_anew_proves_death(database: Database, database_url: str) -> None:
    """The process that has the number now started later than the holder did."""
    held_elsewhere(database)
    me = this_process()
    tamper(database_url, f"UPDATE sot_locks SET host = '{me.host}', process_start = {me.started - 1}")

    with holding(database, database_url, wait=0) as held:
        assert [grant.fence for grant in held.grants] == [2, 2]


def test_living_holder_is_kept_alive_by_its_heartbeat(database: Database, database_url: str) -> None:
    with holding_process(database_url, times=BRIEF) as holder:
        with pytest.raises(LockNotAcquired), holding(database, database_url, wait=2.5 * BRIEF.ttl):
            pass

        assert holder.write() == "written"


@pytest.mark.parametrize("notices_time", [True, False], ids=["stops-itself", "stopped-by-the-database"])
@pytest.mark.parametrize("taken_over", [True, False])
def test_holder_paused_beyond_its_lease_cannot_write(
    database: Database, database_url: str, taken_over: bool, notices_time: bool
) -> None:
    with holding_process(database_url, times=BRIEF, notices_time=notices_time) as holder:
        assert holder.write() == "written"
        os.kill(holder.pid, signal.SIGSTOP)
        try:
            time.sleep(BRIEF.ttl + 0.5)
            if taken_over:
                assert database.acquire_leases(BOTH, claim("next"), dead=(), ttl=60, deadline=SOON)
        finally:
            os.kill(holder.pid, signal.SIGCONT)

        assert holder.write().startswith(f"{EXIT_LOCKED} LeaseLost ")
        assert holder.write().startswith(f"{EXIT_LOCKED} LeaseLost ")

    assert len(database.activities()) == 1
    assert lock(database, "docs").owner == ("next" if taken_over else "")


def test_holder_on_this_host_that_is_only_stopped_is_not_taken_for_dead(database: Database, database_url: str) -> None:
    with holding_process(database_url) as holder:
        os.kill(holder.pid, signal.SIGSTOP)
        try:
            with pytest.raises(LockNotAcquired), holding(database, database_url, wait=0.3):
                pass
        finally:
            os.kill(holder.pid, signal.SIGCONT)

        assert holder.write() == "written"


@pytest.mark.parametrize("hours", [-1, 1])
def test_client_whose_clock_is_wrong_steals_nothing_and_loses_nothing(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Only the clock of the database counts (in SQLite, that of the system beneath Python)."""
    wall, off = time.time, timedelta(hours=hours)
    monkeypatch.setattr("time.time", lambda: wall() + off.total_seconds())
    with Database(database_url, now=lambda: datetime.now(UTC).replace(tzinfo=None) + off) as wrong:
        with holding_process(database_url) as holder:
            with pytest.raises(LockNotAcquired), holding(wrong, database_url, wait=0.2):
                pass
            assert holder.write() == "written"

        with holding(wrong, database_url):
            assert lock(database, "docs").left == pytest.approx(60, abs=20)
            assert database.acquire_leases(BOTH, claim("next"), dead=(), ttl=60, deadline=SOON) is None
            wrong.record_activity("atlas", Activity("w", 0, "success", None, Counts(), 0), SOON)


def test_holder_learns_who_took_over(database: Database, database_url: str) -> None:
    with Database(database_url) as other, holding(database, database_url):
        tamper(database_url, "UPDATE sot_locks SET heartbeat_at = 1, expires_at = 2")
        held_elsewhere(other, owner="next")

        with pytest.raises(LeaseLost, match=r"held by 'sot sync' \(process \d+ on elsewhere\)"):
            database.record_activity("atlas", Activity("w", 0, "success", None, Counts(), 0), SOON)


def test_eight_processes_and_two_thousand_acquisitions_never_overlap(database_url: str, tmp_path: Path) -> None:
    """From an empty database on: the first to come make the tables.

    Bounded is what they use and how long nobody gets on, since neighbours may take most of the time that passes.
    """
    used = cpu_seconds_of_children()
    command = [sys.executable, "-c", TAKE_TURNS, database_url, str(tmp_path), str(ACQUISITIONS)]
    running = [subprocess.Popen(command) for _ in range(PROCESSES)]
    try:
        require_progress(running, tmp_path / "fences")
    finally:
        for process in running:
            process.kill()

    assert [process.wait() for process in running] == [0] * PROCESSES
    lines = (tmp_path / "fences").read_text().splitlines()
    assert lines == [f"{number} {number}" for number in range(1, PROCESSES * ACQUISITIONS + 1)]
    assert cpu_seconds_of_children() - used < CPU_SECONDS


def cpu_seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def require_progress(running: Sequence[subprocess.Popen[bytes]], noted: Path) -> None:
    """Wait for the processes to end; never are SILENT_SECONDS to pass without a new line in `noted`."""
    size, since = 0, time.monotonic()
    while any(process.poll() is None for process in running):
        now = noted.stat().st_size if noted.exists() else 0
        if now != size:
            size, since = now, time.monotonic()
        assert time.monotonic() - since < SILENT_SECONDS, f"nobody got a lease after {size} bytes"
        time.sleep(0.05)


def test_database_that_is_only_busy_is_told_from_a_held_lease(sqlite_url: str) -> None:
    with Database(sqlite_url) as busy, Database(sqlite_url) as database:
        busy.upgrade(SOON)
        with (
            busy.writing("atlas", SOON),
            pytest.raises(LockNotAcquired, match="could not be taken") as refused,
            holding(database, sqlite_url, wait=0),
        ):
            pass

    assert "writing to the database" in refused.value.remedy


def test_leases_are_given_back_to_a_busy_database(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try is over before the other writer is."""
    monkeypatch.setattr("sot_pipeline.runtime.acquire._RELEASE_SECONDS", 0.2)
    with Database(sqlite_url) as database:
        database.upgrade(SOON)
        with holding(database, sqlite_url):
            busy = subprocess.Popen(
                [sys.executable, "-c", KEEP_BUSY, sqlite_url.removeprefix("sqlite:///")], stdout=subprocess.PIPE
            )
            assert busy.stdout
            assert busy.stdout.readline() == b"busy\n"
        busy.wait()

        assert states(database.locks(SOON)) == {"archive": "free", "docs": "free"}
