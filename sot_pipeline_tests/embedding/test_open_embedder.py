from __future__ import annotations

import subprocess
import sys

from sot_pipeline.embedding import open_embedder
from sot_pipeline.embedding.local import LocalEmbedder
from sot_pipeline.embedding.openai import OpenAIEmbedder
from sot_pipeline.workspace import EmbeddingChoice


def test_choice_of_the_local_model_opens_it() -> None:
    embedder = open_embedder(EmbeddingChoice("local", "wordllama-256"))

    assert isinstance(embedder, LocalEmbedder)
    assert (embedder.model, embedder.dimension) == ("wordllama-256", 256)


def test_choice_of_an_openai_model_opens_it_without_a_request_or_a_key() -> None:
    embedder = open_embedder(EmbeddingChoice("openai", "text-embedding-3-large"))

    assert isinstance(embedder, OpenAIEmbedder)
    assert (embedder.model, embedder.dimension) == ("text-embedding-3-large", 3072)


def test_importing_what_embeds_loads_no_embedder() -> None:
    program = (
        "import sys, sot_pipeline.sync, sot_pipeline.embedding.local, sot_pipeline.embedding.openai\n"
        "print(*{'numpy', 'openai', 'wordllama', 'tokenizers', 'qdrant_client', 'alembic', 'dagster'} & {*sys.modules})"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
