"""`sot locks`, and what a locked workspace answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sot_pipeline.targets.database import Database
from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.holders import held_elsewhere, holding_process, lock
from sot_pipeline_tests.targets.database.ledger import tamper
from sot_pipeline_tests.workspaces import Kiln, make_kiln

SOT = (sys.executable, "-c", "from sot_pipeline.cli.main import main; main()")
OVER = "UPDATE sot_locks SET heartbeat_at = heartbeat_at - {0}, expires_at = expires_at - {0}"


@pytest.fixture
def sot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.fixture
def kiln(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Kiln:
    kiln = make_kiln(tmp_path / "kiln", database_url)
    monkeypatch.chdir(kiln.folder)
    monkeypatch.setenv("DATABASE_URL", database_url)
    return kiln


def test_status_of_an_empty_database_says_so_and_makes_nothing(sot: Command, kiln: Kiln) -> None:
    before = sorted(path.name for path in kiln.folder.rglob("*"))

    assert sot("locks", "status").out == "No lock was ever taken.\n"
    assert sot("locks", "status", "--json").json() == {"locks": []}

    with kiln.database() as database:
        assert database.revision() is None
    assert sorted(path.name for path in kiln.folder.rglob("*")) == before


def test_status_after_a_sync_shows_free_locks_in_canonical_order(sot: Command, kiln: Kiln) -> None:
    kiln.synced()

    locks = sot("locks", "status", "--json").json()["locks"]

    assert [(found["name"], found["state"], found["fence"]) for found in locks] == [
        ("archive", "free", 1),
        ("docs", "free", 1),
    ]


def test_status_names_holder_times_and_the_command_that_breaks_it(sot: Command, kiln: Kiln, database_url: str) -> None:
    kiln.synced()
    with holding_process(database_url, "docs") as holder:
        text = sot("locks", "status").out
        _, found = sot("locks", "status", "--json").json()["locks"]

    assert (found["state"], found["pid"], found["command"], found["holder_is_dead"]) == (
        "held",
        holder.pid,
        "sot sync",
        False,
    )
    assert 0 < found["seconds_left"] <= 60
    assert f"process {holder.pid}" in text
    assert f"sot locks break docs --expect-owner {found['owner']} --expect-fence 2" in text


def test_row_that_cannot_be_read_is_shown_as_such(sot: Command, kiln: Kiln, database_url: str) -> None:
    with Database(database_url) as database:
        held_elsewhere(database, "docs")
    tamper(database_url, "UPDATE sot_locks SET expires_at = NULL, pid = NULL")

    answer = sot("locks", "status")

    assert answer.code == 0
    assert "unreadable" in answer.out
    assert "--force" in answer.out
    assert sot("locks", "status", "--json").json()["locks"][0]["state"] == "unreadable"


def test_break_refuses_a_running_lease_and_breaks_it_by_force(sot: Command, kiln: Kiln, database_url: str) -> None:
    with holding_process(database_url, "docs") as holder, Database(database_url) as database:
        words = ("locks", "break", "docs", "--expect-owner", lock(database, "docs").owner, "--expect-fence", "1")

        refused = sot(*words)
        forced = sot(*words, "--force")

        assert (refused.code, forced.code) == (5, 0)
        assert "s more" in refused.err
        assert "--force" in refused.err
        assert lock(database, "docs").state == "free"
        assert holder.write().startswith("5 LeaseLost")
        (noted,) = database.activities()
        assert (noted.project_id, noted.activity.sync_type, noted.activity.status) == ("*", "locks", "forced")
        assert str(os.getpid()) in str(noted.activity.error_message)


def test_break_frees_the_lock_of_a_killed_process_at_once(sot: Command, kiln: Kiln, database_url: str) -> None:
    with holding_process(database_url, "docs") as holder:
        holder.process.kill()
        holder.process.wait(timeout=20)
        with Database(database_url) as database:
            owner = lock(database, "docs").owner
        told = sot("locks", "status").out

        answer = sot("locks", "break", "docs", "--expect-owner", owner, "--expect-fence", "1")

    assert "proven dead" in told
    assert answer.code == 0
    assert f"process {holder.pid}" in answer.out


def test_break_of_another_fence_than_the_one_that_is_there_changes_nothing(
    sot: Command, kiln: Kiln, database_url: str
) -> None:
    with Database(database_url) as database:
        held_elsewhere(database, "docs")
        tamper(database_url, OVER.format(1000))

        answer = sot("locks", "break", "docs", "--expect-owner", "somebody", "--expect-fence", "2", "--force")

        assert answer.code == 5
        assert "fence 1" in answer.err
        assert lock(database, "docs").owner == "somebody"


@pytest.mark.parametrize("mode", ["--db-only", "--qdrant-only", "--full"])
def test_sync_under_a_lease_of_another_host_is_exit_5_and_says_whose(
    sot: Command, kiln: Kiln, database_url: str, mode: str
) -> None:
    with Database(database_url) as database:
        held_elsewhere(database, "archive")

        answer = sot("sync", mode, "--execute", "--lock-wait", "0.2", "--json")

        assert answer.code == 5
        document = answer.json()
        assert "'archive'" in document["error"]
        assert "on elsewhere) since 20" in document["error"]
        assert "sot locks break archive --expect-owner somebody --expect-fence 1" in document["remedy"]
        assert database.counts("kiln") == {}


def test_sync_goes_on_as_soon_as_the_lease_is_over(sot: Command, kiln: Kiln, database_url: str) -> None:
    with Database(database_url) as database:
        held_elsewhere(database, ttl=1.0)

        assert sot("sync", "--full", "--execute", "--lock-wait", "20").code == 0
        assert lock(database, "docs").fence == 2


def test_reading_modes_wait_for_nobody(sot: Command, kiln: Kiln, database_url: str) -> None:
    with Database(database_url) as database:
        held_elsewhere(database)

        for words in (("sync",), ("plan",), ("status",), ("sync", "--docs-only")):
            assert sot(*words).code == 0


def test_lock_reads_waits_for_writers_and_keeps_them_out(sot: Command, kiln: Kiln, database_url: str) -> None:
    assert sot("sync", "--docs-only", "--lock-reads").code == 0
    with Database(database_url) as database:
        assert (lock(database, "docs").state, lock(database, "docs").fence) == ("free", 1)
        held_elsewhere(database, "docs")

        answer = sot("sync", "--docs-only", "--lock-reads", "--lock-wait", "0.1")

        assert answer.code == 5
        assert "'docs'" in answer.err


def test_lock_reads_needs_the_database(sot: Command, kiln: Kiln, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")

    assert sot("sync", "--lock-reads").code == 2
    assert sot("sync").code == 0


def test_without_a_database_vectors_are_guarded_by_lock_files_alone_which_is_said(
    sot: Command, kiln: Kiln, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")

    answer = sot("sync", "--qdrant-only", "--execute")

    assert answer.code == 0
    assert "lock files alone" in answer.err


def test_two_syncs_at_once_end_in_the_same_rows(kiln: Kiln, database_url: str) -> None:
    words = [*SOT, "sync", "--full", "--execute", "--json"]
    running = [
        subprocess.Popen(words, cwd=kiln.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in running]

    assert [answer["exit_code"] for answer in answers] == [0, 0]
    counts = sorted(answer["projects"][0]["database"]["inserted"] for answer in answers)
    assert counts == [0, 4]
    alone = make_kiln(kiln.folder.parent / "alone", f"sqlite:///{kiln.folder.parent / 'alone.db'}")
    alone.synced()
    with kiln.database() as database, alone.database() as undisturbed:
        assert database.digest("kiln") == undisturbed.digest("kiln")
        assert lock(database, "docs").fence == 2
    assert kiln.verify().agree
    assert kiln.readme.read_text() == alone.readme.read_text()


def test_of_two_syncs_at_once_one_without_patience_is_exit_5(kiln: Kiln, database_url: str) -> None:
    """Two folders with one database: no lock file is shared, the lease alone decides."""
    other = make_kiln(kiln.folder.parent / "other", database_url)
    with holding_process(database_url):
        ended = subprocess.run(
            [*SOT, "sync", "--full", "--execute", "--lock-wait", "0"],
            cwd=other.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    assert ended.returncode == 5
    assert "Traceback" not in ended.stderr
    assert "is held by 'sot sync'" in ended.stderr
