"""PostgreSQL that dies, stalls or loses an answer in the middle of a sync."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sot_pipeline.plan import Counts
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.database import Activity, Database
from sot_pipeline.targets.database.model import Source
from sot_pipeline_tests.faults.conftest import SOCKET, MortalServer, through
from sot_pipeline_tests.faults.processes import run
from sot_pipeline_tests.faults.states import State, edit, require_agreement, state_of
from sot_pipeline_tests.stubs.tcp_proxy import StubTcpProxy, to_unix
from sot_pipeline_tests.workspaces import SECONDS, Kiln, make_kiln

# Only the transaction of the rows makes this table.
ROWS = b"sot_stage"
COMMITTED = b"COMMIT\0"


@pytest.fixture
def kiln(tmp_path: Path, proxied_url: str) -> Kiln:
    """A workspace behind the proxy, synced, then edited."""
    kiln = make_kiln(tmp_path / "kiln", proxied_url)
    kiln.synced()
    edit(kiln)
    return kiln


def rows_of(url: str) -> str:
    with Database(url) as database:
        return database.digest("kiln")


def claims_of(url: str) -> tuple[list[Source], list[Activity]]:
    """What the database says was done: the files that its rows agree with, and who wrote what, newest first."""
    with Database(url) as database:
        return database.sources(["kiln"], Deadline(SECONDS)), [row.activity for row in database.activities("kiln")]


def nothing() -> None:
    """For a trigger that only waits for the one before it."""


def test_server_killed_in_the_middle_and_started_again(
    tmp_path: Path, mortal_server: MortalServer, undisturbed: State
) -> None:
    with StubTcpProxy(to_unix(str(mortal_server.folder / SOCKET))) as proxy:
        proxied = through(proxy, "postgres")
        kiln = make_kiln(tmp_path / "kiln", proxied)
        kiln.synced()
        before, claimed = state_of(kiln), claims_of(proxied)
        edit(kiln)
        proxy.when(ROWS, mortal_server.kill)

        ended = run(kiln, "sync", "--full", "--execute")

        assert proxy.fired.is_set()
        assert (ended.code, ended.json()["exit_code"]) == (2, 2)
        assert "connection" in ended.json()["error"]
        mortal_server.restart()
        assert (state_of(kiln), claims_of(proxied)) == (before, claimed)
        kiln.synced()
        assert state_of(kiln) == undisturbed
        require_agreement(kiln)


def test_server_that_is_down_is_exit_2(tmp_path: Path, mortal_server: MortalServer) -> None:
    mortal_server.kill()
    with StubTcpProxy(to_unix(str(mortal_server.folder / SOCKET))) as proxy:
        kiln = make_kiln(tmp_path / "kiln", through(proxy, "postgres"))

        ended = run(kiln, "sync", "--full", "--execute")

    assert (ended.code, ended.json()["projects"]) == (2, [])
    assert not (kiln.folder / ".sot" / "qdrant").exists()


def test_slow_line_changes_nothing_but_the_time(kiln: Kiln, proxy: StubTcpProxy, undisturbed: State) -> None:
    proxy.latency = 0.01

    ended = run(kiln, "sync", "--full", "--execute")

    assert ended.code == 0
    assert state_of(kiln) == undisturbed


def test_reset_in_the_middle_undoes_the_rows_and_the_next_run_converges(
    kiln: Kiln, postgres_url: str, proxy: StubTcpProxy, undisturbed: State
) -> None:
    before, claimed = state_of(kiln), claims_of(postgres_url)
    proxy.when(ROWS, proxy.reset)

    ended = run(kiln, "sync", "--full", "--execute")

    assert proxy.fired.is_set()
    assert (ended.code, ended.json()["projects"][0]["database"]) == (2, None)
    assert (state_of(kiln), claims_of(postgres_url)) == (before, claimed)
    kiln.synced()
    assert state_of(kiln) == undisturbed
    require_agreement(kiln)


def test_commit_whose_answer_is_lost_is_an_error_and_then_found_done(
    kiln: Kiln, postgres_url: str, proxy: StubTcpProxy, undisturbed: State
) -> None:
    proxy.when(ROWS, nothing)
    proxy.when(COMMITTED, proxy.reset, answer=True)

    ended = run(kiln, "sync", "--full", "--execute")

    assert proxy.fired.is_set()
    # Nobody can say whether it was committed, so the run neither claims so nor goes on.
    assert (ended.code, ended.json()["projects"][0]["database"]) == (2, None)
    assert rows_of(postgres_url) == undisturbed.rows
    sources, activities = claims_of(postgres_url)
    assert hashlib.sha256(kiln.builds.read_bytes()).hexdigest() in {source.file_hash for source in sources}
    assert activities[0].counts == Counts(inserted=1, updated=1, deleted=1, unchanged=2)
    again = kiln.synced()
    assert again.database and again.database.counts == Counts(unchanged=4)
    assert state_of(kiln) == undisturbed
    require_agreement(kiln)
