from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.embedding.local import TEXTS_AT_A_TIME, LocalEmbedder
from sot_pipeline.errors import DeadlineExceeded, RequirementMissing
from sot_pipeline.runtime.deadline import Deadline

FIRST_AXIS = [1.0] + [0.0] * 255

# Runs where a connection to anywhere is an error and no file of a user can help.
OFFLINE = """
import socket, sys

def refuse(*_):
    raise AssertionError("tried to reach the network")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from sot_pipeline.embedding.local import LocalEmbedder
from sot_pipeline.runtime.deadline import Deadline
embedder = LocalEmbedder()
embedder.check()
print(embedder.embed(["the kiln is hot"], Deadline.never()).shape, "wordllama" in sys.modules)
"""


@pytest.fixture(scope="module")
def embedder() -> LocalEmbedder:
    return LocalEmbedder()


def test_embedding_needs_neither_network_nor_home(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "HF_HOME": str(tmp_path)}

    done = subprocess.run([sys.executable, "-c", OFFLINE], env=environment, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("(1, 256) False\n", "")
    assert list(tmp_path.iterdir()) == []


def test_vectors_are_those_of_wordllama_itself(embedder: LocalEmbedder) -> None:
    import wordllama

    texts = ["the kiln is hot", "Ramp limits for the glaze firing", "émigré 🜏 naïve", "x " * 3_000]
    bare = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)

    vectors = embedder.embed(texts, Deadline.never())

    np.testing.assert_allclose(vectors, bare.embed(texts, norm=True), atol=1e-5)


def test_near_meanings_are_nearer_than_far_ones(embedder: LocalEmbedder) -> None:
    kiln, oven, law = embedder.embed(
        ["the kiln was too hot", "an overheated oven", "a court ruling on property law"], Deadline.never()
    )

    assert kiln @ oven > kiln @ law + 0.1


def test_vector_of_a_text_does_not_depend_on_its_neighbours(embedder: LocalEmbedder) -> None:
    texts = [f"{'word ' * (number % 40)}{number}" for number in range(TEXTS_AT_A_TIME + 5)]

    together = embedder.embed(texts, Deadline.never())

    for number in (0, 1, 39, TEXTS_AT_A_TIME - 1, TEXTS_AT_A_TIME, TEXTS_AT_A_TIME + 4):
        assert (embedder.embed([texts[number]], Deadline.never())[0] == together[number]).all()


def test_batches_cover_every_text_once(embedder: LocalEmbedder) -> None:
    texts = [str(number) for number in range(TEXTS_AT_A_TIME + 5)]

    positions = [at for batch in embedder.embed_batches(texts, Deadline.never()) for at in batch.positions]

    assert positions == list(range(len(texts)))


def test_text_without_words_gets_the_first_axis(embedder: LocalEmbedder) -> None:
    assert embedder.embed(["", "word"], Deadline.never())[0].tolist() == FIRST_AXIS


def test_no_texts_give_no_vectors(embedder: LocalEmbedder) -> None:
    assert embedder.embed([], Deadline.never()).shape == (0, 256)


@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=1, max_size=5))
def test_every_vector_has_length_one(texts: list[str]) -> None:
    vectors = _shared.embed(texts, Deadline.never())

    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


_shared = LocalEmbedder()  # loads at its first text, once for all examples


def test_passed_deadline_stops_before_the_next_batch(embedder: LocalEmbedder) -> None:
    with pytest.raises(DeadlineExceeded):
        embedder.embed(["word"], Deadline(0))


def test_missing_package_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sot_pipeline.embedding.local.find_spec", lambda _: None)

    with pytest.raises(RequirementMissing, match=r"'wordllama' .*pip install"):
        LocalEmbedder().check()
