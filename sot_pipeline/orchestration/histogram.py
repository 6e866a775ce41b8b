"""A small picture of how the values of a metric are spread, as a PNG data URI for markdown metadata. Pure."""

from __future__ import annotations

import base64
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from sot_pipeline.orchestration.plot import HEIGHT, WIDTH, png

# The highest value of each bar but the last. Ten is where McCabe (1976) would split a function;
# a file holds several, so the bars go on.
BOUNDS = (0, 5, 10, 20, 50, 100)
_GAP = 6


def spread(values: Iterable[float], bounds: Sequence[float] = BOUNDS) -> tuple[int, ...]:
    """How many values there are up to each of `bounds`, and above the last."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect_left(bounds, value)] += 1
    return tuple(counts)


def histogram(title: str, counts: Sequence[int], bounds: Sequence[float] = BOUNDS) -> str | None:
    """One bar for each of `counts` (see `spread`) as markdown: an image, and what its bars mean.

    None where there are no values.
    """
    if not any(counts):
        return None
    encoded = base64.b64encode(png(_draw(counts))).decode()
    legend = ", ".join(f"{name}: {count}" for name, count in zip(_names(bounds), counts, strict=True))
    return f"![{title}](data:image/png;base64,{encoded})\n\n{legend}"


def _names(bounds: Sequence[float]) -> list[str]:
    lows = [f"{low + 1:g}–{high:g}" for low, high in pairwise(bounds)]
    return [f"{bounds[0]:g}", *lows, f"over {bounds[-1]:g}"]


def _draw(counts: Sequence[int]) -> list[bytearray]:
    """Rows of palette indices, top to bottom; a bar that counts anything is at least a pixel high."""
    rows = [bytearray(WIDTH) for _ in range(HEIGHT)]
    step = WIDTH // len(counts)
    for number, count in enumerate(counts):
        high = max(1, round(HEIGHT * count / max(counts))) if count else 0
        for row in rows[HEIGHT - high :]:
            row[number * step + _GAP // 2 : (number + 1) * step - _GAP // 2] = b"\1" * (step - _GAP)
    return rows
