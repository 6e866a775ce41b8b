"""The local embedder: WordLlama's 256-dimension token vectors, averaged.

The `wordllama` package carries weights and tokenizer in its wheel. They are read from there
directly and not through `WordLlama.load`, which would download a file it does not find, imports
for 0.4 s, and pads every batch to its longest text; averaging each text by itself gives the same
vectors in half the time. No code in here can reach the network.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sot_pipeline.embedding.embedder import EmbeddedBatch, blank_vector, gather
from sot_pipeline.errors import RequirementMissing
from sot_pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from sot_pipeline.embedding.embedder import Vectors

LOCAL_MODEL = "wordllama-256"
_DIMENSION = 256

_TOKENIZER_FILE = "tokenizers/l2_supercat_tokenizer_config.json"
_WEIGHTS_FILE = "weights/l2_supercat_256.safetensors"
_WEIGHTS = "embedding.weight"

# About 0.15 s of work: what a passed deadline can overrun, and 20 MB of tokens in memory.
TEXTS_AT_A_TIME = 512


class _Model(NamedTuple):
    tokenizer: Tokenizer
    vectors: Vectors  # one row a token of the vocabulary


class LocalEmbedder:
    """An `Embedder` that needs no key, no network and no setting."""

    model = LOCAL_MODEL
    dimension = _DIMENSION
    chunk_tokens = 400
    # The model takes texts of any length, but an average over much more than a page says little.
    max_tokens = 2_000

    def check(self) -> None:
        """Raises RequirementMissing where the model's files are not installed."""
        _installed_files()

    def embed(self, texts: Sequence[str], deadline: Deadline) -> Vectors:
        """Vectors of `texts`, shape (len(texts), 256). Raises DeadlineExceeded, RequirementMissing."""
        return gather(self.embed_batches(texts, deadline), len(texts), self.dimension)

    def embed_batches(self, texts: Sequence[str], deadline: Deadline) -> Generator[EmbeddedBatch, None, None]:
        """The same vectors, `TEXTS_AT_A_TIME` at a time, in order."""
        for start in range(0, len(texts), TEXTS_AT_A_TIME):
            deadline.check("before the next texts were embedded")
            batch = texts[start : start + TEXTS_AT_A_TIME]
            yield EmbeddedBatch(range(start, start + len(batch)), self._vectors_of(batch))

    def _vectors_of(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        vectors: Vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        encoded = self._loaded.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        for row, tokens in zip(vectors, encoded, strict=True):
            # The sum points where the mean does, and only the direction is kept.
            self._loaded.vectors.take(np.array(tokens.ids, dtype=np.intp), axis=0).sum(axis=0, out=row)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[lengths[:, 0] == 0] = blank_vector(self.dimension)
        lengths[lengths == 0] = 1
        vectors /= lengths
        return vectors

    @cached_property
    def _loaded(self) -> _Model:
        """Tokenizer and token vectors, read once: 0.2 s."""
        tokenizer_file, weights_file = _installed_files()
        import numpy as np
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return _Model(tokenizer, load_file(weights_file)[_WEIGHTS].astype(np.float32))


def _installed_files() -> tuple[Path, Path]:
    """Tokenizer and weights in the `wordllama` package, which is found but not imported."""
    package = find_spec("wordllama")
    if package is not None and package.submodule_search_locations:
        folder = Path(package.submodule_search_locations[0])
        files = folder / _TOKENIZER_FILE, folder / _WEIGHTS_FILE
        if all(file.is_file() for file in files):
            return files
    raise RequirementMissing(
        "The local embedding model is not installed: package 'wordllama' with its weights is missing.",
        remedy="Install it again: pip install --force-reinstall 'wordllama>=0.4'",
    )
