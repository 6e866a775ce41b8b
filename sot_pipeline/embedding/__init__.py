"""Texts to vectors: the local model, OpenAI-compatible servers, the cache between."""

from __future__ import annotations

from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.workspace import EmbeddingChoice


def open_embedder(choice: EmbeddingChoice) -> Embedder:
    """The embedder that `choice` names. Loads and connects nothing yet."""
    if choice.provider == "local":
        from sot_pipeline.embedding.local import LocalEmbedder

        return LocalEmbedder()
    from sot_pipeline.embedding.openai import OpenAIEmbedder

    return OpenAIEmbedder(choice)
