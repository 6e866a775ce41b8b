"""A small picture of how a project's ledgers grew, as a data URI for markdown metadata."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sot_pipeline.plan import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (5.2, 1.9)
DOTS_PER_INCH = 110
FONT_POINTS = 7


def growth(records: Iterable[Record]) -> dict[str, tuple[datetime, ...]]:
    """file_type → the dates of its entries, in order. Entries that state no date are left out."""
    dates: dict[str, list[datetime]] = {}
    for record in records:
        if record.created_at is not None:
            dates.setdefault(record.key.file_type, []).append(record.created_at)
    return {file_type: tuple(sorted(found)) for file_type, found in sorted(dates.items())}


def growth_plot(dates: Mapping[str, Sequence[datetime]]) -> str | None:
    """Entries over time, one line a ledger: an image in markdown. None where no entry is dated."""
    if not dates:
        return None
    # Imported here because a code location must load fast, and only this needs them.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    image = io.BytesIO()
    with rc_context({"date.converter": "concise", "font.size": FONT_POINTS}):
        figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
        _draw(figure.add_subplot(), dates)
        figure.savefig(image, format="png")
    encoded = base64.b64encode(image.getvalue()).decode()
    return f"![Entries over time](data:image/png;base64,{encoded})"


def _draw(axes: Axes, dates: Mapping[str, Sequence[datetime]]) -> None:
    import numpy as np

    end = max(found[-1] for found in dates.values())
    for file_type, found in dates.items():
        # Up to the newest date, so that the lines can be compared.
        days = np.array([*found, end], dtype="datetime64[s]")
        axes.step(days, [*range(1, len(found) + 1), len(found)], where="post", label=file_type)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="y", integer=True)
    axes.set_ylabel("entries")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
