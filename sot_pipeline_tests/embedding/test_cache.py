"""Texts are embedded once: against the real cache of the database and an embedder that counts."""

# ruff: noqa: ARG002  # the methods have the shapes of their protocols

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.embedding.cache import embed_texts, text_hash
from sot_pipeline.embedding.embedder import EmbeddedBatch, gather
from sot_pipeline.errors import DeadlineExceeded, EmbeddingFailed
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.database import Database
from sot_pipeline_tests.stubs.openai_server import stub_vector

if TYPE_CHECKING:
    from sot_pipeline.embedding.embedder import Vectors

NEVER = Deadline.never()


class CountingEmbedder:
    """Gives every text its own vector, two texts a batch, and remembers what it was asked."""

    model = "counting"
    chunk_tokens = 400
    max_tokens = 2_000

    def __init__(self, *, dimension: int = 4, fails_at: str | None = None) -> None:
        self.dimension = dimension
        self.asked: list[str] = []
        self.ended = False
        self._fails_at = fails_at

    def check(self) -> None:
        """There is nothing to check."""

    def embed(self, texts: Sequence[str], deadline: Deadline) -> Vectors:
        return gather(self.embed_batches(texts, deadline), len(texts), self.dimension)

    def embed_batches(self, texts: Sequence[str], deadline: Deadline) -> Generator[EmbeddedBatch, None, None]:
        try:
            for start in range(0, len(texts), 2):
                batch = texts[start : start + 2]
                if self._fails_at in batch:
                    raise EmbeddingFailed("The server is gone.")
                self.asked += batch
                yield EmbeddedBatch(range(start, start + len(batch)), expected(batch, self.dimension))
        finally:
            self.ended = True


def expected(texts: Sequence[str], dimension: int = 4) -> Vectors:
    vectors = [stub_vector(text, dimension) for text in texts]
    return np.array(vectors, dtype=np.float32).reshape(len(texts), dimension)


@pytest.fixture
def cache(database_url: str) -> Iterator[Database]:
    with Database(database_url) as database:
        database.check(NEVER)
        yield database


def test_hash_of_a_text_is_its_full_sha_256() -> None:
    assert text_hash("Kätzchen") == hashlib.sha256("Kätzchen".encode()).hexdigest()


def test_text_seen_once_is_never_embedded_again(cache: Database) -> None:
    embed_texts(["a", "b", "c"], CountingEmbedder(), cache, NEVER)
    embedder = CountingEmbedder()

    found = embed_texts(["c", "new", "a"], embedder, cache, NEVER)

    assert embedder.asked == ["new"]
    assert (found.embedded, found.cached) == (1, 2)
    assert (found.vectors == expected(["c", "new", "a"])).all()


def test_repeated_text_is_embedded_once(cache: Database) -> None:
    embedder = CountingEmbedder()

    found = embed_texts(["a", "b", "a", "a"], embedder, cache, NEVER)

    assert embedder.asked == ["a", "b"]
    assert (found.embedded, found.cached) == (2, 0)
    assert (found.vectors == expected(["a", "b", "a", "a"])).all()


def test_without_a_cache_everything_is_embedded() -> None:
    found = embed_texts(["a", "b", "a"], CountingEmbedder(), None, NEVER)

    assert (found.embedded, found.cached) == (2, 0)
    assert (found.vectors == expected(["a", "b", "a"])).all()


@pytest.mark.parametrize("texts", [[], ["a"]])
def test_vectors_have_a_row_a_text_in_float32(texts: list[str]) -> None:
    vectors = embed_texts(texts, CountingEmbedder(), None, NEVER).vectors

    assert vectors.shape == (len(texts), 4)
    assert vectors.dtype == np.float32


def test_another_model_has_its_own_vectors(cache: Database) -> None:
    embed_texts(["a"], CountingEmbedder(), cache, NEVER)
    other = CountingEmbedder()
    other.model = "other"

    found = embed_texts(["a"], other, cache, NEVER)

    assert (found.embedded, found.cached) == (1, 0)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\0" * 15,
        np.zeros(4, "<f4").tobytes(),
        np.full(4, np.nan, "<f4").tobytes(),
        np.full(4, 7, "<f4").tobytes(),
        np.eye(1, 8, dtype="<f4").tobytes(),
    ],
    ids=["empty", "cut", "zero", "nan", "long", "other-dimension"],
)
def test_cached_vector_that_cannot_be_right_is_embedded_anew_and_replaced(cache: Database, damaged: bytes) -> None:
    cache.store_vectors("counting", 4, {text_hash("a"): damaged}, NEVER)

    found = embed_texts(["a"], CountingEmbedder(), cache, NEVER)

    assert (found.embedded, found.cached) == (1, 0)
    assert (found.vectors == expected(["a"])).all()
    assert cache.cached_vectors("counting", [text_hash("a")]) == {text_hash("a"): expected(["a"]).tobytes()}


def test_what_was_embedded_before_an_error_is_kept(cache: Database) -> None:
    texts = ["a", "b", "c", "d", "bad", "e"]

    with pytest.raises(EmbeddingFailed):
        embed_texts(texts, CountingEmbedder(fails_at="bad"), cache, NEVER)
    again = CountingEmbedder()
    found = embed_texts(texts, again, cache, NEVER)

    assert again.asked == ["bad", "e"]
    assert (found.embedded, found.cached) == (2, 4)


def test_answers_that_came_as_the_deadline_passed_are_kept(cache: Database) -> None:
    deadline = Deadline(0)

    embed_texts(["a", "b"], CountingEmbedder(), cache, deadline)

    assert len(cache.cached_vectors("counting", [text_hash("a"), text_hash("b")])) == 2


class RefusingCache:
    """A cache that has nothing and can take nothing."""

    def cached_vectors(self, model: str, hashes: object) -> dict[str, bytes]:
        return {}

    def store_vectors(self, model: str, dimension: int, vectors: Mapping[str, bytes], deadline: Deadline) -> None:
        raise DeadlineExceeded("The database is locked.")


def test_cache_that_fails_ends_the_embedder_at_once() -> None:
    embedder = CountingEmbedder()

    with pytest.raises(DeadlineExceeded):
        embed_texts(["a", "b", "c", "d"], embedder, RefusingCache(), NEVER)

    assert embedder.asked == ["a", "b"]
    assert embedder.ended


class KeptVectors:
    """A cache in memory."""

    def __init__(self) -> None:
        self.vectors: dict[str, bytes] = {}

    def cached_vectors(self, model: str, hashes: object) -> dict[str, bytes]:
        return dict(self.vectors)

    def store_vectors(self, model: str, dimension: int, vectors: Mapping[str, bytes], deadline: Deadline) -> None:
        self.vectors |= vectors


@given(first=st.lists(st.sampled_from("abcdef")), second=st.lists(st.sampled_from("abcdef")))
def test_every_text_gets_its_own_vector_whatever_was_cached(first: list[str], second: list[str]) -> None:
    cache = KeptVectors()
    embed_texts(first, CountingEmbedder(), cache, NEVER)
    cache.vectors = {key: cache.vectors[key] for key in cache.vectors if key in {text_hash(text) for text in second}}

    found = embed_texts(second, CountingEmbedder(), cache, NEVER)

    assert (found.vectors == expected(second)).all()
    assert found.cached == len(set(first) & set(second))
    assert found.embedded == len(set(second) - set(first))
