"""Whatever hangs, a run ends soon after its deadline, says what was committed, and can be continued."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from sot_pipeline.locking import lock_folder
from sot_pipeline.runtime.locks import MultiLock
from sot_pipeline_tests.faults.processes import Ended, run
from sot_pipeline_tests.faults.states import State, edit, require_agreement, state_of
from sot_pipeline_tests.stubs.openai_server import Fault, StubOpenAIServer
from sot_pipeline_tests.stubs.qdrant_server import StubQdrantServer
from sot_pipeline_tests.stubs.tcp_proxy import StubTcpProxy, to_tcp
from sot_pipeline_tests.workspaces import SECONDS, Kiln, make_kiln

MAX_SECONDS = 2.0
# Start of the process on a busy machine, the moment a peer gets to answer late, giving back leases on a dead line.
# Measured: 3.5 at most.
OVERRUN_SECONDS = 8.0


def run_out_of_time(kiln: Kiln, *options: str, max_seconds: float = MAX_SECONDS) -> Ended:
    """A sync that hangs: bounded, and with one document that says so."""
    ended = run(kiln, "sync", "--full", "--execute", "--max-seconds", str(max_seconds), *options)
    assert ended.json()["exit_code"] == ended.code
    assert ended.seconds < max_seconds + OVERRUN_SECONDS, ended.err
    return ended


def require_convergence(kiln: Kiln, expected: State) -> None:
    kiln.synced()
    assert state_of(kiln) == expected
    require_agreement(kiln)


def edited(folder: Path, url: str, qdrant: str = ".sot/qdrant") -> Kiln:
    kiln = make_kiln(folder / "kiln", url, qdrant=qdrant)
    kiln.synced()
    edit(kiln)
    return kiln


@pytest.mark.parametrize("marker", [b"sot_locks", b"sot_stage", b"embedding_cache", b"readme_sync"])
def test_postgres_that_falls_silent(
    tmp_path: Path, proxied_url: str, proxy: StubTcpProxy, undisturbed: State, marker: bytes
) -> None:
    kiln = edited(tmp_path, proxied_url)
    proxy.when(marker, proxy.swallow)

    ended = run_out_of_time(kiln)

    # While leases are taken, another look is a new connection, which is never made.
    assert ended.code == (2 if marker == b"sot_locks" else 3)
    committed = [project["database"] is not None for project in ended.json()["projects"]]
    assert committed == {b"sot_locks": [], b"sot_stage": [False]}.get(marker, [True])
    proxy.heal()
    require_convergence(kiln, undisturbed)


def test_postgres_that_never_answers(tmp_path: Path, proxied_url: str, proxy: StubTcpProxy) -> None:
    kiln = make_kiln(tmp_path / "kiln", proxied_url)
    proxy.swallow()

    ended = run_out_of_time(kiln)

    assert (ended.code, ended.json()["projects"]) == (2, [])  # it was never reached
    proxy.heal()
    kiln.synced()


@pytest.mark.parametrize("options", [(), ("--rebuild",)], ids=["update", "rebuild"])
def test_qdrant_server_that_falls_silent(
    tmp_path: Path, sqlite_url: str, undisturbed: State, options: tuple[str, ...]
) -> None:
    with (
        StubQdrantServer(tmp_path / "server") as server,
        StubTcpProxy(to_tcp(server.url)) as proxy,
    ):
        kiln = edited(tmp_path, sqlite_url, f"http://127.0.0.1:{proxy.port}")
        proxy.when(b"PUT /collections/kiln_sot_docs", proxy.swallow)

        ended = run_out_of_time(kiln, *options, max_seconds=4)  # importing the client takes a second of it

        assert ended.code == 3
        assert ended.json()["projects"][0]["database"]["inserted"] == 1
        proxy.heal()
        require_convergence(kiln, undisturbed)


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
def test_embedding_server_that_hangs(tmp_path: Path, sqlite_url: str, drips: bool) -> None:
    with StubOpenAIServer() as server:
        kiln = make_kiln(tmp_path / "kiln", sqlite_url)
        kiln.config.write_text(kiln.config.read_text().replace('"local"', '"openai:stub"\nembedding_dimension = 8'))
        kiln.environment["OPENAI_BASE_URL"] = server.base_url
        kiln.synced()
        edit(kiln)
        before = state_of(kiln)
        asked = len(server.requests)
        server.script(Fault(drip=0.2) if drips else Fault(delay=SECONDS))

        ended = run_out_of_time(kiln, max_seconds=4)  # importing the client takes a second of it

        assert (ended.code, len(server.requests)) == (3, asked + 1)
        assert ended.json()["projects"][0]["database"]["inserted"] == 1
        assert state_of(kiln).points == before.points
        kiln.synced()
        require_agreement(kiln)


@contextmanager
def held_by_a_thread(kiln: Kiln) -> Iterator[None]:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with MultiLock(lock_folder(kiln.workspace()), ("docs",), wait_seconds=1):
            held.set()
            done.wait(SECONDS)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(SECONDS)
    try:
        yield
    finally:
        done.set()
        holder.join()


def test_lock_that_is_held(tmp_path: Path, sqlite_url: str, undisturbed: State) -> None:
    kiln = edited(tmp_path, sqlite_url)

    with held_by_a_thread(kiln):
        ended = run_out_of_time(kiln)

    assert (ended.code, ended.json()["projects"]) == (5, [])
    require_convergence(kiln, undisturbed)


def test_database_that_another_program_is_writing_to(tmp_path: Path, sqlite_url: str, undisturbed: State) -> None:
    kiln = edited(tmp_path, sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    ended = run_out_of_time(kiln)

    other.close()
    assert ended.code in {3, 5}
    require_convergence(kiln, undisturbed)


def test_collection_that_another_process_holds(tmp_path: Path, sqlite_url: str, undisturbed: State) -> None:
    kiln = edited(tmp_path, sqlite_url)
    (lock,) = (kiln.folder / ".sot" / "qdrant").glob("*.shard.lock")

    with FileLock(lock):
        ended = run_out_of_time(kiln)

    assert ended.code == 3
    assert ended.json()["projects"][0]["database"]["inserted"] == 1
    require_convergence(kiln, undisturbed)
