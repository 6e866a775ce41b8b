"""Payloads, projections and batches."""

from __future__ import annotations

import hashlib
import math
import struct

import numpy as np
import pytest

from sot_pipeline.targets.vectors import payload
from sot_pipeline.targets.vectors.payload import PROJECTION_TOLERANCE, audit, batches, direction, match_of, payload_of
from sot_pipeline.targets.vectors.points import point_id
from sot_pipeline_tests.targets.vectors.conftest import DIMENSION, entry, points, vectors_for


@pytest.mark.parametrize("dimension", [1, 16, 256, 1536])
def test_the_direction_is_a_unit_vector_that_never_changes(dimension: int) -> None:
    along = direction(dimension)

    assert along.dtype == np.float32
    assert along.shape == (dimension,)
    assert np.linalg.norm(along) == pytest.approx(1, abs=1e-6)
    assert (direction(dimension) == along).all()


def test_the_direction_is_the_documented_one() -> None:
    raw = struct.unpack("<3i", hashlib.shake_256(b"sot projection 3").digest(12))

    assert direction(3).tolist() == pytest.approx([component / math.hypot(*raw) for component in raw], abs=1e-7)
    assert direction(3).tolist() == pytest.approx([-0.6174445, 0.2468445, -0.7468802], abs=1e-6)


@pytest.mark.parametrize("dimension", [256, 1536])
def test_rounding_stays_far_below_the_tolerance(dimension: int) -> None:
    rows = np.random.default_rng(1).standard_normal((500, dimension))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    exact = vectors.astype(np.float64) @ direction(dimension).astype(np.float64)

    assert np.abs(vectors @ direction(dimension) - exact).max() < PROJECTION_TOLERANCE / 10


def test_a_batch_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = points(*(entry(number, "x" * 1000) for number in range(6)), entry(6, "y" * 6000))
    monkeypatch.setattr(payload, "BATCH_BYTES", 3000)

    sizes = [len(batch) for batch in batches(found, vectors_for(found), DIMENSION)]

    assert sizes == [2, 2, 2, 1]


def test_a_batch_is_bounded_by_points(monkeypatch: pytest.MonkeyPatch) -> None:
    found = points(*(entry(number) for number in range(5)))
    monkeypatch.setattr(payload, "BATCH_POINTS", 2)

    rows = [row for batch in batches(found, vectors_for(found), DIMENSION) for row in batch]

    assert [row[0] for row in rows] == [point_id(point.key) for point in found]
    assert [row[2]["key"] for row in rows] == [point.key for point in found]
    np.testing.assert_allclose([row[1] for row in rows], vectors_for(found), atol=1e-7)


def test_no_points_make_no_batch() -> None:
    assert list(batches([], np.empty((0, DIMENSION), np.float32), DIMENSION)) == []


def test_a_payload_becomes_the_answer_it_was_made_from() -> None:
    (point,) = points(entry(1))

    match = match_of(payload_of(point, 0.5), 0.75)

    assert match
    assert (match.record, match.chunk, match.score) == (point.record, 0, 0.75)
    assert (match.text, match.title, match.path, match.entry_hash) == (
        point.text,
        point.title,
        point.path,
        point.entry_hash,
    )


def test_a_foreign_payload_is_no_answer() -> None:
    assert match_of({"text": "somebody else's"}, 1.0) is None


def test_a_vector_the_engine_does_not_tell_of_is_not_believed() -> None:
    (point,) = points(entry(1))
    stored = point_id(point.key)

    assert audit([(stored, payload_of(point, 0.5))], {stored: 0.5}) == {point.key: point.content_hash}
    assert audit([(stored, payload_of(point, 0.5))], {}) == {point.key: ""}
    assert audit([(stored, payload_of(point, float("nan")))], {stored: 0.5}) == {point.key: ""}
