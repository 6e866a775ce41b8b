"""Texts to vectors: the local model, OpenAI-compatible servers, the cache between."""
