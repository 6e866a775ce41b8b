import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.embedding.answer import vectors_of
from sot_pipeline.errors import EmbeddingFailed


def body_of(*items: object) -> bytes:
    return json.dumps({"data": items}).encode()


def item(index: object, *numbers: object) -> dict[str, object]:
    return {"index": index, "embedding": list(numbers)}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no embeddings"),
        (b"<html>busy</html>", "no embeddings but b'<html>busy"),
        (b"[]", "no embeddings"),
        (b"\xff\xfe", "no embeddings"),
        (b"[" * 200_000, "no embeddings"),
        (b'{"data": null}', "NoneType embeddings for 2 texts"),
        (body_of(item(0, 1.0)), "1 embeddings for 2 texts"),
        (body_of(item(0, 1.0), item(1, 1.0), item(2, 1.0)), "3 embeddings for 2 texts"),
        (body_of(item(0, 1.0), item(0, 1.0)), "index 0, repeated"),
        (body_of(item(0, 1.0), item(2, 1.0)), "index 2, repeated or outside 0 to 1"),
        (body_of(item(-1, 1.0), item(0, 1.0)), "index -1"),
        (body_of(item(0, 1.0), item(True, 1.0)), "without an index"),
        (body_of(item(0, 1.0), {"embedding": [1.0]}), "without an index"),
        (body_of(item(0, 1.0), item(1)), "without an index or a vector"),
        (body_of(item(0, 1.0), {"index": 1, "embedding": "AACAPw=="}), "without an index or a vector"),
        (body_of(item(0, 1.0), "x"), "without an index or a vector"),
        (body_of(item(0, 1.0), item(1, float("nan"))), "NaN"),
        (body_of(item(0, 1.0), item(1, float("inf"))), "NaN or infinite"),
        (body_of(item(0, 1.0), item(1, None)), "NaN or infinite"),
        (body_of(item(0, 1.0), item(1, "x")), "something other than numbers"),
        (body_of(item(0, 1.0), item(1, [1.0])), "something other than numbers"),
        (body_of(item(0, 1.0), item(1, 10**400)), "something other than numbers"),
        (body_of(item(0, 1.0), item(1, 0.0)), "without a direction"),
    ],
)
def test_an_unusable_answer_says_what_came(body: bytes, words: str) -> None:
    with pytest.raises(EmbeddingFailed, match="server S") as caught:
        vectors_of(body, count=2, dimension=1, server="server S")

    assert words in str(caught.value)


def test_vectors_of_another_dimension_name_both() -> None:
    body = body_of(item(0, 1.0, 0.0), item(1, 1.0, 0.0))

    with pytest.raises(EmbeddingFailed, match="vectors of 2 dimensions, expected 3") as caught:
        vectors_of(body, count=2, dimension=3, server="s")

    assert "embedding_dimension" in caught.value.remedy


def test_vectors_of_several_dimensions_are_refused_even_where_none_is_expected() -> None:
    body = body_of(item(0, 1.0, 0.0), item(1, 1.0))

    with pytest.raises(EmbeddingFailed, match="vectors of 1 and 2 dimensions"):
        vectors_of(body, count=2, dimension=None, server="s")


@given(st.permutations(range(6)))
def test_the_order_of_the_items_does_not_matter(order: list[int]) -> None:
    items = [item(index, *[float(axis == index) for axis in range(6)]) for index in order]

    vectors = vectors_of(body_of(*items), count=6, dimension=6, server="s")

    np.testing.assert_array_equal(vectors, np.eye(6, dtype=np.float32))


@pytest.mark.parametrize("size", [1e-323, 1e-162, 1e-30, 1e30, 1e300])
def test_numbers_of_any_size_give_a_vector_of_length_one(size: float) -> None:
    vectors = vectors_of(body_of(item(0, size, -size)), count=1, dimension=2, server="s")

    np.testing.assert_allclose(vectors, [[0.5**0.5, -(0.5**0.5)]], rtol=1e-6)
