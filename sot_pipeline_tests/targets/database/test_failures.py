from __future__ import annotations

import os
import pickle
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import psycopg
import pytest

from sot_pipeline.errors import DatabaseUnavailable, DeadlineExceeded, LockNotAcquired, SotError
from sot_pipeline.plan import diff
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.database import Database, engine
from sot_pipeline_tests.conftest import PostgresServer
from sot_pipeline_tests.targets.database.ledger import SOON, hashes, record, sync, tamper
from sot_pipeline_tests.users import said_to_nobody

SECRET = "hunter2"


def refusal(url: str, deadline: Deadline = SOON) -> SotError:
    """What `check` says; nothing of the password may be in it, nor in its traceback."""
    with Database(url) as database, pytest.raises(DatabaseUnavailable) as refused:
        database.check(deadline)
    told = "".join(traceback.format_exception(refused.value)) + refused.value.remedy + repr(pickle.dumps(refused.value))
    assert SECRET not in told
    assert refused.value.remedy
    return refused.value


def test_an_unreachable_host_is_named_without_its_password() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    error = refusal(f"postgresql+psycopg://user:{SECRET}@127.0.0.1:{port}/sot")

    assert f"user:***@127.0.0.1:{port}/sot" in error.message
    assert "cannot be reached" in error.message


def test_a_host_that_does_not_answer_costs_no_more_than_the_deadline() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()

        refusal(f"postgresql+psycopg://user:{SECRET}@127.0.0.1:{silent.getsockname()[1]}/sot", Deadline(1))

    assert time.monotonic() - started < 5


def test_a_missing_database_is_named(postgres_server: PostgresServer) -> None:
    assert "has no such database" in refusal(postgres_server.url("absent")).message


def test_a_wrong_password_is_told_from_an_unreachable_server(postgres_server: PostgresServer) -> None:
    with postgres_server.connect() as connection:
        connection.execute("CREATE DATABASE secured_1")
        connection.execute("CREATE ROLE keeper LOGIN PASSWORD 'right'")
    try:
        wrong = refusal(postgres_server.url("secured_1", "keeper", SECRET))
        missing = refusal(postgres_server.url("secured_1", "keeper"))
    finally:
        with postgres_server.connect() as connection:
            connection.execute("DROP DATABASE secured_1")
            connection.execute("DROP ROLE keeper")

    assert "refuses the user or the password" in wrong.message
    assert "refuses the user or the password" in missing.message


def test_a_user_who_may_not_create_tables_is_told_before_the_first_write(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    with postgres_server.connect() as connection:
        connection.execute("CREATE ROLE reader LOGIN")
    try:
        assert "may not create tables" in refusal(postgres_url.replace("postgres@", "reader@")).message
    finally:
        with postgres_server.connect() as connection:
            connection.execute("DROP ROLE reader")


def test_a_url_that_cannot_be_read_is_an_error_of_ours() -> None:
    refusal(f"postgresql+psycopg://user:{SECRET}@[::1/sot")
    refusal(f"postgresql+psycopg://user:{SECRET}@host:port/sot")
    refusal(f"postgresql+psycopg://user:{SECRET}@host/sot?nonsense=1")


def test_a_usable_database_passes_the_check_and_stays_as_it_is(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    database.check(SOON)

    assert database.revision() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"This is text, no database. " * 100, "is no SQLite database"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "database"),
    ],
)
def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes(content)

    error = refusal(f"sqlite:///{path}")

    assert said in error.message
    assert str(path) in error.message
    assert path.read_bytes() == content


def test_a_missing_folder_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    error = refusal(f"sqlite:///{tmp_path / 'absent' / 'sot.db'}")

    assert "does not exist" in error.message
    assert f"mkdir -p {tmp_path / 'absent'}" in error.remedy


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "is a folder" in refusal(f"sqlite:///{tmp_path}").message


def test_an_empty_file_is_a_database_without_tables(tmp_path: Path) -> None:
    (tmp_path / "sot.db").touch()
    with Database(f"sqlite:///{tmp_path / 'sot.db'}") as database:
        database.check(SOON)
        sync(database, [record("BUILD-1")])

        assert database.counts("atlas") == {"build_history": 1}


@pytest.mark.parametrize("locked", ["file", "folder"])
def test_a_read_only_file_or_folder_is_found_before_the_first_write(tmp_path: Path, locked: str) -> None:
    url = f"sqlite:///{tmp_path / 'sot.db'}"
    with Database(url) as database:
        sync(database, [record("BUILD-1")])
    place, mode = (tmp_path / "sot.db", 0o444) if locked == "file" else (tmp_path, 0o555)
    place.chmod(mode)
    try:
        said = said_to_nobody(tmp_path, lambda: Database(url).check(SOON))
    finally:
        place.chmod(0o755)

    assert "is read-only for this user" in said


def test_a_locked_sqlite_file_ends_with_the_deadline(sqlite_url: str) -> None:
    with Database(sqlite_url) as database:
        database.upgrade(SOON)
        other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(DeadlineExceeded), database.writing("atlas", Deadline(0.3)):
                pass
            assert database.fingerprints("atlas") == {}
        finally:
            other.close()


def test_a_writer_that_never_ends_is_named_as_a_lock(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With time left the wait for another writer has a limit of its own."""
    from sot_pipeline.targets.database.postgres import engine as postgres
    from sot_pipeline.targets.database.sqlite import engine as sqlite

    database.upgrade(SOON)
    for module in (engine, postgres, sqlite):
        monkeypatch.setattr(module, "LOCK_WAIT_SECONDS", 0.3)
    with Database(database._url) as other, other.writing("atlas", SOON) as rows:
        rows.fingerprints()
        with pytest.raises(LockNotAcquired, match="Another process is writing"), database.writing("atlas", SOON):
            pass


def test_a_deadline_that_passed_starts_nothing(database: Database) -> None:
    with pytest.raises(DeadlineExceeded):
        database.check(Deadline(0))


def test_a_statement_is_ended_by_the_deadline_and_the_connection_can_go_on(database: Database) -> None:
    records = [record(f"BUILD-{number}") for number in range(50)]
    sync(database, records)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    started = time.monotonic()

    with pytest.raises(DeadlineExceeded, match=r"0\.5 s"), database.writing("atlas", Deadline(0.5)) as rows:
        rows.apply(diff([], rows.fingerprints()))
        rows._engine.query(endless)

    assert time.monotonic() - started < 2
    assert database.fingerprints("atlas") == hashes(records)


def test_a_connection_killed_midway_undoes_everything_and_the_next_run_goes_on(postgres_url: str) -> None:
    one, two = record("BUILD-1"), record("BUILD-2")
    with Database(postgres_url) as database:
        sync(database, [one])
        with pytest.raises(DatabaseUnavailable, match="was lost"), database.writing("atlas", SOON) as rows:
            rows.apply(diff([one, two], rows.fingerprints()))
            tamper(
                postgres_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'sot' AND datname = current_database()",
            )
            rows.apply_fulltext([one, two])

        assert database.fingerprints("atlas") == hashes([one])
        sync(database, [one, two])
        assert database.fingerprints("atlas") == hashes([one, two])


def test_a_server_that_stops_answering_costs_little_more_than_the_deadline(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    with Database(postgres_url) as database:
        sync(database, [record("BUILD-1")])
        found = tamper(
            postgres_url,
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'sot' AND datname = current_database()",
        )
        pid = int(str(found[0][0]))
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        try:
            with pytest.raises(DeadlineExceeded), database.writing("atlas", Deadline(0.5)):
                pass
        finally:
            os.kill(pid, signal.SIGCONT)

    assert time.monotonic() - started < 6


def test_a_writer_killed_midway_leaves_the_old_state(sqlite_url: str) -> None:
    records = [record(f"BUILD-{number}") for number in range(20)]
    with Database(sqlite_url) as database:
        sync(database, records)
    script = """
import os, sys
from sot_pipeline.plan import diff
from sot_pipeline.targets.database import Database
from sot_pipeline_tests.targets.database.ledger import SOON, record
with Database(sys.argv[1]) as database, database.writing("atlas", SOON) as rows:
    rows.apply(diff([record("BUILD-99", "x" * 5_000_000)], rows.fingerprints()))
    rows.apply_fulltext([record("BUILD-99", "x" * 5_000_000)])
    os.kill(os.getpid(), 9)
"""

    killed = subprocess.run([sys.executable, "-c", script, sqlite_url], check=False)

    assert killed.returncode == -signal.SIGKILL
    with Database(sqlite_url) as database:
        assert database.fingerprints("atlas", deep=True) == hashes(records)
        assert database.plan_fulltext("atlas", records, deep=True).is_empty


def test_a_second_writer_sees_what_the_first_one_committed(database: Database, database_url: str) -> None:
    """The plan is made inside the transaction, so two runs of the same plan insert once."""
    one = record("BUILD-1")
    database.upgrade(SOON)
    counts = []

    def run() -> None:
        with Database(database_url) as mine:
            counts.append(sync(mine, [one]))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(tuple(found) for found in counts) == [(0, 0, 0, 1)] * 3 + [(1, 0, 0, 0)]


def test_no_row_is_quoted_in_an_error(postgres_url: str) -> None:
    with Database(postgres_url) as database, pytest.raises(DatabaseUnavailable) as refused:
        sync(database, [record("BUILD-1", f"{SECRET}\0")])

    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert not isinstance(refused.value, psycopg.Error)
