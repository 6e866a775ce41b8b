"""What every store does, whatever its engine: one suite for all."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from sot_pipeline.errors import DeadlineExceeded, EmbeddingMismatch
from sot_pipeline.plan import diff
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.payload import BATCH_POINTS
from sot_pipeline.targets.vectors.store import VectorStore
from sot_pipeline_tests.targets.vectors.conftest import (
    DIMENSION,
    DOCS,
    MODEL,
    NEVER,
    PROJECT,
    Rig,
    entry,
    fingerprints,
    points,
    vectors_for,
    wanted,
    write,
)

HOSTILE = 'Zürich 日本語 👩‍👩‍👧 "q" \\ \x00\x07 \u2028 {"a": 1} </script> \' OR 1=1 -- %s $1 \ufeff'


def test_a_collection_that_was_never_made_is_empty(store: VectorStore) -> None:
    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER) as collection:
        assert collection.fingerprints(deep=True, deadline=NEVER) == {}
        assert collection.vectors(["demo_build_history_BUILD-1#0"], NEVER) == {}
        assert collection.search([1.0] * DIMENSION, limit=5, file_types=[], deadline=NEVER) == []
    assert store.info(DOCS, NEVER) is None
    assert list(store.projects(Kind.DOCS, NEVER)) == []


def test_an_empty_collection_can_be_read(store: VectorStore) -> None:
    write(store, [])

    assert fingerprints(store) == fingerprints(store, deep=True) == {}
    info = store.info(DOCS, NEVER)
    assert info and (info.name, info.model, info.dimension, info.points) == ("demo_sot_docs", MODEL, DIMENSION, 0)


@pytest.mark.parametrize("deep", [False, True])
def test_written_points_are_told_with_their_fingerprints(store: VectorStore, deep: bool) -> None:
    found = points(*(entry(number) for number in range(30)))

    write(store, found)

    assert fingerprints(store, deep=deep) == wanted(found)


def test_writing_twice_changes_nothing(store: VectorStore) -> None:
    found = points(entry(1), entry(2))
    write(store, found)

    write(store, found)

    assert fingerprints(store, deep=True) == wanted(found)
    info = store.info(DOCS, NEVER)
    assert info and info.points == 2


def test_an_edit_changes_one_fingerprint(store: VectorStore) -> None:
    write(store, points(entry(1), entry(2)))
    edited = points(entry(1), entry(2, "other text"))

    plan = diff(edited, fingerprints(store))
    write(store, plan.upserts)

    assert [point.key for point in plan.updates] == ["demo_build_history_BUILD-2#0"]
    assert fingerprints(store, deep=True) == wanted(edited)


def test_deleted_points_are_gone(store: VectorStore) -> None:
    found = points(entry(1), entry(2), entry(3))
    write(store, found)

    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=NEVER) as collection:
        collection.delete([found[0].key, found[2].key], NEVER)

    assert fingerprints(store) == fingerprints(store, deep=True) == wanted(found[1:2])


def test_more_points_than_a_batch_are_all_written(store: VectorStore) -> None:
    found = points(*(entry(number) for number in range(BATCH_POINTS + 1)))

    write(store, found)

    assert fingerprints(store) == fingerprints(store, deep=True) == wanted(found)


def test_search_gives_the_nearest_first_with_everything_an_answer_needs(store: VectorStore) -> None:
    records = [entry(number, f"content {number}") for number in range(20)]
    found = points(*records)
    write(store, found)

    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER) as collection:
        matches = collection.search(vectors_for(found)[7].tolist(), limit=3, file_types=[], deadline=NEVER)

    best = matches[0]
    assert len(matches) == 3
    assert best.record == records[7].key
    assert best.score == pytest.approx(1.0, abs=1e-5)
    assert (best.chunk, best.title, best.text) == (0, "Entry 7", "Entry 7\n\ncontent 7")
    assert (best.path, best.entry_hash) == ("docs/B.md", records[7].content_hash)
    assert matches[0].score >= matches[1].score >= matches[2].score


def test_search_can_be_limited_to_file_types(store: VectorStore) -> None:
    kinds = ["build_history", "debug_log", "architecture_decisions"]
    found = points(*(entry(number, file_type=kinds[number % 3]) for number in range(9)))
    write(store, found)

    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER) as collection:
        some = collection.search([0.25] * DIMENSION, limit=9, file_types=kinds[1:], deadline=NEVER)

    assert sorted(match.record.file_type for match in some) == ["architecture_decisions"] * 3 + ["debug_log"] * 3


def test_vectors_come_back_as_they_were_written(store: VectorStore) -> None:
    found = points(entry(1), entry(2))
    write(store, found)

    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER) as collection:
        stored = collection.vectors([found[1].key, "demo_build_history_BUILD-99#0"], NEVER)

    assert list(stored) == [found[1].key]
    np.testing.assert_allclose(stored[found[1].key], vectors_for(found)[1], atol=1e-6)


def test_hostile_text_is_stored_byte_for_byte(store: VectorStore) -> None:
    found = points(entry(1, HOSTILE, title=HOSTILE))

    write(store, found)

    assert fingerprints(store) == fingerprints(store, deep=True) == wanted(found)
    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER) as collection:
        match = collection.search([1.0] * DIMENSION, limit=1, file_types=[], deadline=NEVER)[0]
    assert (match.title, match.text) == (HOSTILE, f"{HOSTILE}\n\n{HOSTILE}")


FORGERIES: list[dict[str, object]] = [{"text": "forged"}, {"title": "forged"}, {"path": "x.md"}, {"chunk": 7}]
FORGERIES += [{"content_hash": "0" * 16}, {"projection": 0.5}, {"projection": "0"}, {"entry_id": "BUILD-8"}, {"x": 1}]
FORGERIES += [{"title": 5}, {"chunk": "0"}, {"stamp": "0 other#0"}]


@pytest.mark.parametrize("fields", FORGERIES, ids=str)
def test_a_deep_read_shows_an_altered_payload(rig: Rig, fields: dict[str, object]) -> None:
    found = points(entry(1), entry(2))
    write(rig.store, found)

    rig.alter_payload(found[0].key, fields)

    plan = diff(found, fingerprints(rig.store, deep=True))
    assert found[0] in plan.upserts
    assert plan.unchanged == 1


def test_a_deep_read_shows_an_altered_vector(rig: Rig) -> None:
    found = points(entry(1), entry(2))
    write(rig.store, found)

    rig.alter_vector(found[1].key, vectors_for(found)[0].tolist())

    assert fingerprints(rig.store, deep=True) == {**wanted(found), found[1].key: ""}


def test_a_read_shows_a_point_that_was_removed(rig: Rig) -> None:
    found = points(entry(1), entry(2))
    write(rig.store, found)

    rig.remove(found[0].key)

    assert fingerprints(rig.store) == fingerprints(rig.store, deep=True) == wanted(found[1:])


@pytest.mark.parametrize("fields", [{}, {"key": "x#0", "stamp": 5}, {"stamp": "no-key"}], ids=["none", "typed", "bare"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_foreign_point_is_listed_under_its_id_and_can_be_deleted(
    rig: Rig, deep: bool, fields: dict[str, object]
) -> None:
    found = points(entry(1))
    write(rig.store, found)
    foreign = str(uuid.UUID(int=5))
    rig.add(foreign, [0.25] * DIMENSION, fields)

    plan = diff(found, fingerprints(rig.store, deep=deep))
    with rig.store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=NEVER) as collection:
        answers = collection.search([0.25] * DIMENSION, limit=5, file_types=[], deadline=NEVER)
        collection.delete(plan.deletes, NEVER)

    assert plan.deletes == (foreign,)
    assert [match.record for match in answers] == [found[0].record]
    assert fingerprints(rig.store, deep=True) == wanted(found)


def test_a_copied_point_under_another_id_is_found_and_healed(rig: Rig) -> None:
    found = points(entry(1))
    write(rig.store, found)
    copied = str(uuid.UUID(int=6))
    rig.add(copied, vectors_for(found)[0].tolist(), {"key": found[0].key, "stamp": f"0 {found[0].key}"})

    assert fingerprints(rig.store, deep=True) == {**wanted(found), copied: ""}


def test_damage_is_healed_by_what_the_plan_says(rig: Rig) -> None:
    found = points(*(entry(number) for number in range(5)))
    write(rig.store, found)
    rig.alter_payload(found[0].key, {"text": "forged"})
    rig.alter_vector(found[1].key, [0.25] * DIMENSION)
    rig.remove(found[2].key)

    plan = diff(found, fingerprints(rig.store, deep=True))
    write(rig.store, plan.upserts)

    assert plan.counts() == (1, 2, 0, 2)
    assert fingerprints(rig.store) == fingerprints(rig.store, deep=True) == wanted(found)


@pytest.mark.parametrize(("model", "dimension"), [("other-model", DIMENSION), (MODEL, 32)])
@pytest.mark.parametrize("write_mode", [False, True])
def test_another_model_or_dimension_is_refused_with_the_way_out(
    store: VectorStore, model: str, dimension: int, write_mode: bool
) -> None:
    write(store, points(entry(1)))

    with (
        pytest.raises(EmbeddingMismatch) as refused,
        store.open(DOCS, model=model, dimension=dimension, write=write_mode, deadline=NEVER),
    ):
        pass

    message = str(refused.value)
    assert f"{MODEL} ({DIMENSION} dimensions)" in message
    assert f"{model} ({dimension} dimensions)" in message
    assert "sot sync --full --rebuild --execute --project demo" in message


def test_a_rebuild_is_seen_when_it_is_done_and_not_before(store: VectorStore) -> None:
    old, new = points(entry(1), entry(2)), points(entry(2, "new"), entry(3))
    write(store, old)

    with store.rebuild(DOCS, model="new-model", dimension=DIMENSION, deadline=NEVER) as fresh:
        assert fresh.fingerprints(deep=False, deadline=NEVER) == {}
        fresh.upsert(new, vectors_for(new), NEVER)
        assert fingerprints(store) == wanted(old)

    with store.open(DOCS, model="new-model", dimension=DIMENSION, write=False, deadline=NEVER) as collection:
        assert collection.fingerprints(deep=True, deadline=NEVER) == wanted(new)
    info = store.info(DOCS, NEVER)
    assert info and (info.model, info.points) == ("new-model", 2)


def test_a_rebuild_makes_a_collection_where_there_is_none(store: VectorStore) -> None:
    found = points(entry(1))

    with store.rebuild(DOCS, model=MODEL, dimension=DIMENSION, deadline=NEVER) as fresh:
        fresh.upsert(found, vectors_for(found), NEVER)

    assert fingerprints(store) == wanted(found)


def test_a_failed_rebuild_keeps_the_old_version(store: VectorStore) -> None:
    old = points(entry(1))
    write(store, old)

    with (
        pytest.raises(RuntimeError, match="embedder"),
        store.rebuild(DOCS, model="new", dimension=8, deadline=NEVER),
    ):
        raise RuntimeError("embedder")

    assert fingerprints(store, deep=True) == wanted(old)
    with store.rebuild(DOCS, model=MODEL, dimension=DIMENSION, deadline=NEVER) as again:
        again.upsert(old, vectors_for(old), NEVER)
    assert fingerprints(store, deep=True) == wanted(old)


def test_projects_are_those_with_a_collection(store: VectorStore) -> None:
    for project in ("zebra", "ant"):
        with store.open(CollectionId(project, Kind.DOCS), model=MODEL, dimension=DIMENSION, write=True, deadline=NEVER):
            pass

    assert list(store.projects(Kind.DOCS, NEVER)) == ["ant", "zebra"]
    assert list(store.projects(Kind.CODE, NEVER)) == []


def test_the_collections_of_a_project_know_nothing_of_each_other(store: VectorStore) -> None:
    code = CollectionId(PROJECT, Kind.CODE)
    (point,) = points(entry(1))
    write(store, [point])

    with store.rebuild(code, model="other-model", dimension=8, deadline=NEVER) as collection:
        collection.upsert([point], np.eye(1, 8, dtype=np.float32), NEVER)
    write(store, points(entry(2)))

    with store.open(code, model="other-model", dimension=8, write=False, deadline=NEVER) as collection:
        assert collection.fingerprints(deep=True, deadline=NEVER) == wanted([point])
    assert fingerprints(store, deep=True) == wanted(points(entry(1), entry(2)))
    names = [info.name for each in (DOCS, code) if (info := store.info(each, NEVER))]
    assert names == ["demo_sot_docs", "demo_sot_code"]


@pytest.mark.parametrize("bad", [np.zeros((1, DIMENSION)), np.zeros((2, 3)), np.full((2, DIMENSION), np.nan)])
def test_vectors_that_do_not_fit_their_points_are_never_written(store: VectorStore, bad: np.ndarray) -> None:
    found = points(entry(1), entry(2))

    with (
        pytest.raises(ValueError, match="2 points need as many finite vectors"),
        store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=NEVER) as collection,
    ):
        collection.upsert(found, bad.astype(np.float32), NEVER)

    assert fingerprints(store) == {}


def test_a_collection_opened_to_read_cannot_be_written_by_mistake_where_there_is_none(store: VectorStore) -> None:
    found = points(entry(1))

    with (
        pytest.raises(ValueError, match="opened for reading"),
        store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER) as collection,
    ):
        collection.upsert(found, vectors_for(found), NEVER)

    assert store.info(DOCS, NEVER) is None


def test_a_passed_deadline_stops_before_anything_is_written(store: VectorStore) -> None:
    found = points(entry(1))

    with (
        pytest.raises(DeadlineExceeded),
        store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=NEVER) as collection,
    ):
        collection.upsert(found, vectors_for(found), Deadline(0))

    assert fingerprints(store) == {}
