"""What is known of a file as columns hold it: its JSON written out, once for both tables, and its tokens as bytes.

Text and bytes also cost less than objects to hand from one process to another.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from sot_pipeline.code.analyze import Analysis
from sot_pipeline.code.model import FILE_METRICS, Kind, ParseStatus
from sot_pipeline.plan import Json, canonical_json

LISTS = ("functions", "classes", "imports", "exports", "symbols")

Column: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Encoded:
    """One analysed file. As in `SourceFile`, but `lists` are its LISTS as JSON.

    `metrics` are the values of `FILE_METRICS` in their order, JSON as text, and `status` is that of
    `Metrics`; `tokens` are those of `Analysis`, `packed`.
    """

    path: str
    language: str
    content: str | None
    size: int
    line_count: int
    content_hash: str
    parse_status: ParseStatus
    lists: tuple[str, ...]
    metrics: tuple[Column, ...]
    status: Mapping[str, Json]
    tokens: bytes


def encoded(found: Analysis) -> Encoded:
    """An analysis as its columns hold it."""
    file, values = found.file, found.metrics.values
    lists = {name: list(getattr(file, name)) for name in LISTS}
    texts = {name: canonical_json(each) for name, each in lists.items()}
    shared = {name: texts[name] for name in LISTS if name in values and values[name] == lists[name]}
    return Encoded(
        file.path,
        file.language,
        file.content,
        file.size,
        file.line_count,
        file.content_hash,
        file.parse_status,
        tuple(texts.values()),
        tuple(metric_columns(values, FILE_METRICS, shared)),
        found.metrics.status,
        packed(found.tokens),
    )


def metric_columns(
    values: Mapping[str, Json], kinds: Mapping[str, Kind], shared: Mapping[str, str] | None = None
) -> list[Column]:
    """The values of the metrics in `kinds`, None for those that are not known; `shared` is JSON made before."""
    texts = shared or {}
    return [texts.get(name) or _column(values[name], kind) for name, kind in kinds.items()]


def _column(value: Json, kind: Kind) -> Column:
    if value is None or kind is not Kind.JSON:
        return cast("Column", value)
    return canonical_json(value)


def packed(tokens: Sequence[int]) -> bytes:
    """Tokens as bytes for a column: 8 bytes a line, little-endian on the machines there are."""
    return array("q", tokens).tobytes()


def unpacked(data: bytes) -> Sequence[int]:
    """What `packed` was given, in 8 bytes a line. Raises ValueError for bytes that are no multiple of 8."""
    tokens = array("q")
    tokens.frombytes(data)
    return tokens
