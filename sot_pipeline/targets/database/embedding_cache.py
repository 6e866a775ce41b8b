"""Reads and writes `embedding_cache`: vectors by model and text hash, as float32 little-endian bytes."""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from sot_pipeline.targets.database.engine import Engine


def cached_vectors(engine: Engine, model: str, hashes: Iterable[str]) -> dict[str, bytes]:
    """Text hash → vector, for those of `hashes` that are cached."""
    condition, values = engine.among("text_hash", tuple(hashes))
    sql = f"SELECT text_hash, vector FROM embedding_cache WHERE model = ? AND {condition}"
    return dict(cast("list[tuple[str, bytes]]", engine.query(sql, (model, values))))


def store_vectors(engine: Engine, model: str, dimension: int, vectors: Mapping[str, bytes], now: str) -> None:
    """Add vectors to the cache; one that is there already is replaced."""
    engine.execute_many(
        "INSERT INTO embedding_cache (model, text_hash, dimension, vector, created_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (model, text_hash) DO UPDATE SET dimension = excluded.dimension, vector = excluded.vector",
        [(model, text_hash, dimension, vector, now) for text_hash, vector in vectors.items()],
    )
