"""A small picture of how a project's ledgers grew, as a PNG data URI for markdown metadata.

Drawn by hand: a plotting library costs a run more seconds to import than all its other work, and
the UI shows markdown at once only below 1,000 characters. Pure.
"""

from __future__ import annotations

import base64
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sot_pipeline.plan import Record

WIDTH, HEIGHT = 280, 60
LINE_WIDTH = 2
STEP = 8  # pixels for which a line keeps its height; fewer of them compress worse

# Distinct for colour-blind readers, on a light ground and a dark one: after Okabe and Ito (2008).
COLOURS = {
    "blue": (0, 114, 178),
    "orange": (230, 159, 0),
    "green": (0, 158, 115),
    "red": (213, 94, 0),
    "pink": (204, 121, 167),
}

Dates = Mapping[str, Sequence[datetime]]


def growth(records: Iterable[Record]) -> dict[str, tuple[datetime, ...]]:
    """file_type → the dates of its entries, in order. Entries that state no date are left out."""
    dates: dict[str, list[datetime]] = {}
    for record in records:
        if record.created_at is not None:
            dates.setdefault(record.key.file_type, []).append(record.created_at)
    return {file_type: tuple(sorted(found)) for file_type, found in sorted(dates.items())}


def growth_plot(dates: Dates) -> str | None:
    """Entries over time as markdown: an image, one line a ledger, and what its colours mean.

    None where no entry is dated. Ledgers beyond the number of colours are left out.
    """
    shown = dict(list(dates.items())[: len(COLOURS)])
    if not shown:
        return None
    first, last = min(found[0] for found in shown.values()), max(found[-1] for found in shown.values())
    encoded = base64.b64encode(png(_draw(shown, first, last))).decode()
    legend = ", ".join(f"{colour}: {kind} {len(shown[kind])}" for colour, kind in zip(COLOURS, shown, strict=False))
    return f"![Entries over time](data:image/png;base64,{encoded})\n\n{first:%Y-%m-%d} to {last:%Y-%m-%d}. {legend}"


def _draw(dates: Dates, first: datetime, last: datetime) -> list[bytearray]:
    """Rows of palette indices, top to bottom; 0 is the ground, the n-th ledger has n."""
    rows = [bytearray(WIDTH) for _ in range(HEIGHT)]
    most = max(len(found) for found in dates.values())
    for colour, found in enumerate(dates.values(), start=1):
        before = HEIGHT - LINE_WIDTH
        for column in range(WIDTH):
            count = bisect_right(found, first + (last - first) * (column // STEP) / (WIDTH // STEP - 1))
            top = round((HEIGHT - LINE_WIDTH) * (1 - count / most))
            for row in range(top, before + LINE_WIDTH):
                rows[row][column] = colour
            before = top
    return rows


def png(rows: Sequence[bytearray]) -> bytes:
    """A PNG of one byte a pixel with a palette (https://www.w3.org/TR/png/); index 0 is transparent."""
    size = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)
    palette = bytes([255, 255, 255, *(part for colour in COLOURS.values() for part in colour)])
    pixels, above = bytearray(), bytes(len(rows[0]))
    for row in rows:
        pixels.append(2)  # filter "Up": the difference from the row above, mostly zeros here
        pixels += bytes((here - over) % 256 for here, over in zip(row, above, strict=True))
        above = bytes(row)
    parts = ((b"IHDR", size), (b"PLTE", palette), (b"tRNS", b"\0"), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
