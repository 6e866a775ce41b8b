from __future__ import annotations

import base64
from datetime import datetime

from sot_pipeline.orchestration.plot import growth, growth_plot
from sot_pipeline.plan import Record, RecordKey


def record(number: int, when: datetime | None) -> Record:
    return Record(RecordKey("p", "build_history", f"BUILD-{number}"), "t", "c", {}, when, "h")


def test_growth_orders_dates_and_leaves_undated_entries_out() -> None:
    late, early = datetime(2025, 2, 1), datetime(2025, 1, 1)

    found = growth([record(1, late), record(2, None), record(3, early)])

    assert found == {"build_history": (early, late)}


def test_plot_is_a_small_png_in_markdown() -> None:
    plot = growth_plot({"build_history": [datetime(2025, 1, day) for day in range(1, 29)]})

    assert plot is not None
    head, _, encoded = plot.removesuffix(")").partition("base64,")
    assert head.startswith("![Entries over time](data:image/png;")
    assert base64.b64decode(encoded).startswith(b"\x89PNG")
    assert len(plot) < 60_000


def test_no_plot_without_dates() -> None:
    assert growth_plot(growth([record(1, None)])) is None
