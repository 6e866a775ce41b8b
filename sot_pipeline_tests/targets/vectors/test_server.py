"""The server store against faults at the network edge, and against what others put on the server."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from sot_pipeline.errors import DeadlineExceeded, VectorStoreUnavailable
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.vectors import attempts, open_store
from sot_pipeline.targets.vectors.embedded import EmbeddedStore
from sot_pipeline.targets.vectors.server import ServerStore
from sot_pipeline.workspace import QdrantTarget
from sot_pipeline_tests.stubs.qdrant_server import StubQdrantServer
from sot_pipeline_tests.targets.vectors.conftest import (
    DIMENSION,
    DOCS,
    MODEL,
    NEVER,
    PROJECT,
    entry,
    fingerprints,
    points,
    vectors_for,
    wanted,
    write,
)

FOUND = points(*(entry(number) for number in range(5)))
ALIAS = f"{PROJECT}_sot_docs"


@pytest.fixture
def store(server: StubQdrantServer) -> ServerStore:
    return ServerStore(server.url)


def test_the_name_is_an_alias_onto_a_version_with_its_indexes(store: ServerStore, server: StubQdrantServer) -> None:
    write(store, FOUND)

    assert server.aliases == {ALIAS: f"{ALIAS}_v1"}
    assert sorted(server.shard(ALIAS).info().payload_schema) == ["file_type", "stamp"]


def test_indexes_are_made_before_points(store: ServerStore, server: StubQdrantServer) -> None:
    write(store, FOUND)

    calls = [request.split("/")[-1] for request in server.requests if request.startswith("PUT")]
    assert calls == [f"{ALIAS}_v1", "index", "index", "points"]


def test_a_rebuild_moves_the_alias_and_drops_the_old_version(store: ServerStore, server: StubQdrantServer) -> None:
    write(store, FOUND)

    with store.rebuild(DOCS, model=MODEL, dimension=DIMENSION, deadline=NEVER) as fresh:
        fresh.upsert(FOUND, vectors_for(FOUND), NEVER)

    assert server.aliases == {ALIAS: f"{ALIAS}_v2"}
    assert list(server.shards) == [f"{ALIAS}_v2"]


def test_what_a_crashed_rebuild_left_is_dropped_by_the_next(store: ServerStore, server: StubQdrantServer) -> None:
    write(store, FOUND)
    server.create_collection({"vectors": {"size": 4, "distance": "Cosine"}}, f"{ALIAS}_v7")

    with store.rebuild(DOCS, model=MODEL, dimension=DIMENSION, deadline=NEVER) as fresh:
        fresh.upsert(FOUND, vectors_for(FOUND), NEVER)

    assert len(server.shards) == 1
    assert fingerprints(store, deep=True) == wanted(FOUND)


def test_a_rebuild_that_fails_while_writing_leaves_only_the_old_version(
    store: ServerStore, server: StubQdrantServer
) -> None:
    write(store, FOUND)

    with (
        pytest.raises(VectorStoreUnavailable, match="HTTP 400"),
        store.rebuild(DOCS, model="new", dimension=DIMENSION, deadline=NEVER) as fresh,
    ):
        server.statuses = [400]
        fresh.upsert(FOUND, vectors_for(FOUND), NEVER)

    assert list(server.shards) == [f"{ALIAS}_v1"]
    assert fingerprints(store, deep=True) == wanted(FOUND)


def test_a_lost_answer_to_the_swap_does_not_lose_the_new_version(store: ServerStore, server: StubQdrantServer) -> None:
    write(store, FOUND)

    with store.rebuild(DOCS, model=MODEL, dimension=DIMENSION, deadline=NEVER) as fresh:
        fresh.upsert(FOUND, vectors_for(FOUND), NEVER)
        server.lost_answers = 2

    assert fingerprints(store, deep=True) == wanted(FOUND)


def test_a_swap_whose_every_answer_is_lost_is_not_taken_for_a_failed_one(
    store: ServerStore, server: StubQdrantServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "_FIRST_PAUSE_SECONDS", 0.001)
    write(store, FOUND[:1])

    with (
        pytest.raises(VectorStoreUnavailable, match="cannot be reached"),
        store.rebuild(DOCS, model=MODEL, dimension=DIMENSION, deadline=NEVER) as fresh,
    ):
        fresh.upsert(FOUND, vectors_for(FOUND), NEVER)
        server.lost_answers = attempts.ATTEMPTS

    assert fingerprints(store, deep=True) == wanted(FOUND)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_is_tried_again(store: ServerStore, server: StubQdrantServer, status: int) -> None:
    server.statuses = [status]
    store.info(DOCS, NEVER)
    assert server.statuses == []

    server.statuses = [status, status]
    assert fingerprints(store) == {}


def test_a_lost_answer_to_an_upsert_makes_no_second_point(store: ServerStore, server: StubQdrantServer) -> None:
    write(store, [])
    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=NEVER) as collection:
        server.lost_answers = 1
        collection.upsert(FOUND, vectors_for(FOUND), NEVER)

    info = store.info(DOCS, NEVER)
    assert info
    assert info.points == len(FOUND)
    assert fingerprints(store, deep=True) == wanted(FOUND)


def test_a_server_that_dies_mid_batch_keeps_what_it_has_and_the_next_run_goes_on(
    store: ServerStore, server: StubQdrantServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("sot_pipeline.targets.vectors.payload.BATCH_POINTS", 2)
    write(store, [])
    server.down_after = len(server.requests) + 3  # aliases, description, first batch

    with pytest.raises(VectorStoreUnavailable, match="cannot be reached"):
        write(store, FOUND)
    server.down_after = None

    assert fingerprints(store) == wanted(FOUND[:2])
    write(store, FOUND)
    assert fingerprints(store, deep=True) == wanted(FOUND)


def test_a_request_to_slow_down_is_honoured(store: ServerStore, server: StubQdrantServer) -> None:
    server.statuses, server.headers = [429], {"Retry-After": "1"}

    started = time.monotonic()
    store.info(DOCS, NEVER)

    assert time.monotonic() - started >= 1


def test_a_wait_longer_than_the_deadline_is_not_begun(store: ServerStore, server: StubQdrantServer) -> None:
    server.statuses, server.headers = [429], {"Retry-After": "60"}

    with pytest.raises(VectorStoreUnavailable, match="HTTP 429"):
        store.info(DOCS, Deadline(2))


def test_a_hanging_server_costs_no_more_than_the_deadline(store: ServerStore, server: StubQdrantServer) -> None:
    server.delay = 3.0

    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="while waiting for Qdrant"):
        store.check(Deadline(0.3))

    assert time.monotonic() - started < 1.5


def test_a_server_that_is_down_is_reported_at_once_without_its_password(server: StubQdrantServer) -> None:
    server.stop()
    url = server.url.replace("http://", "http://me:canary-secret@")

    started = time.monotonic()
    with pytest.raises(VectorStoreUnavailable, match="cannot be reached") as refused:
        ServerStore(url, SecretStr("canary-key")).check(NEVER)

    assert time.monotonic() - started < 1
    assert "canary" not in f"{refused.value!r}{refused.value.remedy}{refused.value.__dict__}"
    assert "***" in refused.value.message


def test_a_wrong_key_is_named_and_not_tried_again(server: StubQdrantServer) -> None:
    server.api_key = "right"

    with pytest.raises(VectorStoreUnavailable, match="refuses the API key") as refused:
        ServerStore(server.url, SecretStr("canary-key")).info(DOCS, NEVER)

    assert len(server.requests) == 1
    assert "QDRANT_API_KEY" in refused.value.remedy
    assert "canary-key" not in str(refused.value)


@pytest.mark.filterwarnings("error")
def test_the_right_key_is_sent_without_a_warning(server: StubQdrantServer) -> None:
    server.api_key = "right"
    store = ServerStore(server.url, SecretStr("right"))

    write(store, FOUND)

    assert fingerprints(store) == wanted(FOUND)


def test_a_foreign_collection_of_our_name_is_never_touched(store: ServerStore, server: StubQdrantServer) -> None:
    server.create_collection({"vectors": {"size": 4, "distance": "Cosine"}}, ALIAS)

    with pytest.raises(VectorStoreUnavailable, match="is a collection and not our alias"):
        write(store, FOUND)
    with (
        pytest.raises(VectorStoreUnavailable),
        store.rebuild(DOCS, model=MODEL, dimension=DIMENSION, deadline=NEVER),
    ):
        pass

    assert list(server.shards) == [ALIAS]


def test_a_server_too_old_to_keep_the_model_is_named(store: ServerStore, server: StubQdrantServer) -> None:
    server.keeps_metadata = False

    with pytest.raises(VectorStoreUnavailable, match="older than 1\\.16"):
        write(store, FOUND)

    assert server.shards == {}
    assert server.aliases == {}


def test_an_alias_onto_a_foreign_collection_is_never_written(store: ServerStore, server: StubQdrantServer) -> None:
    server.create_collection({"vectors": {"size": DIMENSION, "distance": "Cosine"}}, "theirs")
    server.aliases[ALIAS] = "theirs"

    with pytest.raises(VectorStoreUnavailable, match="does not say what it was built with"):
        write(store, FOUND)

    assert server.shard(ALIAS).info().points_count == 0


def test_vectors_are_proved_without_being_moved(store: ServerStore, server: StubQdrantServer) -> None:
    write(store, FOUND)
    server.requests.clear()

    fingerprints(store, deep=True)

    calls = [request.rsplit("/", 1)[-1] for request in server.requests if "points" in request]
    assert calls == ["count", "query", "scroll"]


def test_open_store_picks_the_engine(tmp_path: Path) -> None:
    assert isinstance(open_store(QdrantTarget(path=tmp_path)), EmbeddedStore)
    assert isinstance(open_store(QdrantTarget(url="http://localhost:6333")), ServerStore)

    with pytest.raises(VectorStoreUnavailable, match="neither a folder nor a URL"):
        open_store(QdrantTarget())


def test_opening_a_store_loads_no_engine() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from sot_pipeline.targets.vectors import open_store\n"
        "from sot_pipeline.workspace import QdrantTarget\n"
        "open_store(QdrantTarget(path=Path('x'))); open_store(QdrantTarget(url='http://localhost:6333'))\n"
        "print([name for name in ('qdrant_client', 'qdrant_edge', 'numpy', 'mistune', 'httpx') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_both_engines_give_the_same_answers(store: ServerStore, tmp_path: Path) -> None:
    embedded = EmbeddedStore(tmp_path / "vectors")
    query = np.full(DIMENSION, 0.25).tolist()
    answers = []
    for each in (store, embedded):
        write(each, FOUND)
        with each.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER) as collection:
            answers.append(collection.search(query, limit=5, file_types=[], deadline=NEVER))

    assert [match.record for match in answers[0]] == [match.record for match in answers[1]]
    assert [match.score for match in answers[0]] == pytest.approx([match.score for match in answers[1]], abs=1e-6)
