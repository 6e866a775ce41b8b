"""Qdrant that goes down, and embedding servers that answer badly, in the middle of a sync in full."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sot_pipeline.targets.vectors import payload
from sot_pipeline_tests.faults.processes import run
from sot_pipeline_tests.faults.states import State, edit, points_of, require_agreement, state_of
from sot_pipeline_tests.stubs.openai_server import Answer, Fault, StubOpenAIServer
from sot_pipeline_tests.stubs.qdrant_server import ROUTES, StubQdrantServer
from sot_pipeline_tests.workspaces import Kiln, make_kiln, many_builds

Before = Callable[[StubQdrantServer], None]


@contextmanager
def before_each_upsert(before: Before) -> Iterator[None]:
    """Within the block, stubs call `before` with themselves ahead of every batch of points."""
    original = StubQdrantServer.upsert

    def upsert(stub: StubQdrantServer, body: object, name: str) -> object:
        before(stub)
        return original(stub, body, name)

    routes = tuple((verb, path, upsert if action is original else action) for verb, path, action in ROUTES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sot_pipeline_tests.stubs.qdrant_server.ROUTES", routes)
        yield


def test_qdrant_that_goes_down_between_two_batches(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "BATCH_BYTES", 20_000)
    with StubQdrantServer(tmp_path / "server") as server:
        kiln = make_kiln(tmp_path / "kiln", sqlite_url, qdrant=server.url)
        kiln.builds.write_text(many_builds(60))

        def go_down(stub: StubQdrantServer) -> None:
            stub.down_after = len(stub.requests)  # this batch is the last that gets through

        with before_each_upsert(go_down):
            report = kiln.sync()

        assert report.exit_code == 4
        assert report.projects[0].database and report.projects[0].database.counts.inserted == 61
        assert len(kiln.rows()) == 61
        server.down_after = None
        stored = len(points_of(kiln))
        assert 0 < stored < 61
        outcome = kiln.synced()
        assert outcome.vectors and outcome.vectors.embedded == 0
        assert (outcome.vectors.counts.inserted, outcome.vectors.counts.unchanged) == (61 - stored, stored)
        require_agreement(kiln)


@pytest.mark.parametrize("lost", [1, 3])
def test_answers_of_qdrant_that_are_lost_make_no_duplicates(
    tmp_path: Path, sqlite_url: str, undisturbed: State, lost: int
) -> None:
    with StubQdrantServer(tmp_path / "server") as server:
        kiln = make_kiln(tmp_path / "kiln", sqlite_url, qdrant=server.url)
        kiln.synced()
        edit(kiln)

        with before_each_upsert(lambda stub: setattr(stub, "lost_answers", lost)):
            kiln.sync()

        server.lost_answers = 0
        kiln.synced()
        assert state_of(kiln) == undisturbed
        require_agreement(kiln)


@pytest.fixture
def server() -> Iterator[StubOpenAIServer]:
    with StubOpenAIServer() as found:
        yield found


@pytest.fixture
def kiln(tmp_path: Path, sqlite_url: str, server: StubOpenAIServer) -> Kiln:
    """A workspace that embeds by the server, synced, then edited."""
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    kiln.config.write_text(kiln.config.read_text().replace('"local"', '"openai:stub"\nembedding_dimension = 8'))
    kiln.environment["OPENAI_BASE_URL"] = server.base_url
    kiln.synced()
    edit(kiln)
    return kiln


def first_changed(change: Callable[[list[float]], list[float]]) -> Callable[[Answer], Answer]:
    """A tampering with the first vector of an answer."""

    def tamper(answer: Answer) -> Answer:
        vector = answer["data"][0]["embedding"]
        assert isinstance(vector, list)
        answer["data"][0]["embedding"] = change(vector)
        return answer

    return tamper


UNUSABLE = {
    "short": Fault(tamper=lambda answer: {"data": answer["data"][:-1]}),
    "nan": Fault(tamper=first_changed(lambda vector: [math.nan, *vector[1:]])),
    "dimension": Fault(tamper=first_changed(lambda vector: vector[:-1])),
    "one text twice": Fault(tamper=lambda answer: {"data": [answer["data"][0], answer["data"][0]]}),
    "no json": Fault(body=b"<html>"),
    "refused": Fault(status=401, body=json.dumps({"error": {"message": "no"}}).encode()),
}


@pytest.mark.parametrize("fault", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_answer_is_exit_4_and_the_index_keeps_its_old_points(
    kiln: Kiln, server: StubOpenAIServer, fault: Fault
) -> None:
    before = points_of(kiln)
    server.script(fault)

    report = kiln.sync()

    assert report.exit_code == 4
    assert report.projects[0].database and report.projects[0].database.counts.inserted == 1
    assert points_of(kiln) == before
    kiln.synced()
    require_agreement(kiln)


@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(reset=True), Fault(status=429, headers={"Retry-After": "1"})]
)
def test_passing_fault_is_waited_for(kiln: Kiln, server: StubOpenAIServer, fault: Fault) -> None:
    server.script(fault)
    asked = len(server.asked_at)

    kiln.synced()

    first, again = server.asked_at[asked:]
    assert again - first >= float(fault.headers.get("Retry-After", 0))
    require_agreement(kiln)


def test_wait_beyond_the_deadline_is_not_even_begun(kiln: Kiln, server: StubOpenAIServer) -> None:
    before = points_of(kiln)
    server.script(Fault(status=429, headers={"Retry-After": "60"}))

    ended = run(kiln, "sync", "--full", "--execute", "--max-seconds", "20")

    assert (ended.code, ended.json()["projects"][0]["database"]["inserted"]) == (3, 1)
    assert ended.seconds < 15
    assert points_of(kiln) == before


def test_server_that_fails_for_ever_is_given_up_at_the_deadline(kiln: Kiln, server: StubOpenAIServer) -> None:
    before = points_of(kiln)
    server.script(*[Fault(status=500)] * 20)

    ended = run(kiln, "sync", "--full", "--execute", "--max-seconds", "3")

    assert (ended.code, ended.json()["projects"][0]["database"]["inserted"]) == (3, 1)
    assert ended.json()["projects"][0]["seconds"]["vectors"] < 5
    assert points_of(kiln) == before
