from __future__ import annotations

import base64
import io
import random
from datetime import datetime, timedelta

import numpy as np
import pytest
from matplotlib.image import imread

from sot_pipeline.orchestration.plot import HEIGHT, WIDTH, growth, growth_plot
from sot_pipeline.plan import Record, RecordKey

START = datetime(2025, 1, 1)


def record(number: int, when: datetime | None) -> Record:
    return Record(RecordKey("p", "build_history", f"BUILD-{number}"), "t", "c", {}, when, "h")


def pixels(plot: str | None) -> np.ndarray:
    """The image as a browser decodes it: height × width × red, green, blue, alpha."""
    assert plot is not None
    encoded = plot.partition("base64,")[2].partition(")")[0]
    return np.asarray(imread(io.BytesIO(base64.b64decode(encoded)), format="png"))


def test_growth_orders_dates_and_leaves_undated_entries_out() -> None:
    late, early = datetime(2025, 2, 1), datetime(2025, 1, 1)

    found = growth([record(1, late), record(2, None), record(3, early)])

    assert found == {"build_history": (early, late)}


def test_line_rises_from_the_bottom_left_to_the_top_right() -> None:
    drawn = pixels(growth_plot({"build_history": [START + timedelta(days=day) for day in range(50)]}))[:, :, 3] > 0

    assert drawn.shape == (HEIGHT, WIDTH)
    heights = drawn.argmax(axis=0)  # the topmost drawn row of each column
    assert heights[-1] == 0
    assert heights[0] > HEIGHT * 0.9
    assert (np.diff(heights) <= 0).all()


def test_each_ledger_has_a_colour_that_the_legend_names() -> None:
    plot = growth_plot({"a": [START, START + timedelta(days=9)], "b": [START] * 7})

    colours = {tuple(pixel) for row in pixels(plot) for pixel in row if pixel[3]}
    assert len(colours) == 2
    assert plot is not None
    assert plot.endswith("2025-01-01 to 2025-01-10. blue: a 2, orange: b 7")


@pytest.mark.parametrize("count", [1, 30, 5_000])
def test_plot_is_short_enough_to_be_shown_without_a_click(count: int) -> None:
    chance = random.Random(count)
    kinds = ("architecture_decisions", "build_history", "debug_log")
    dates = {kind: sorted(START + timedelta(hours=chance.random() * 9_000) for _ in range(count)) for kind in kinds}

    assert len(growth_plot(dates) or "") < 1_000


def test_entries_of_one_moment_make_a_plot_too() -> None:
    assert pixels(growth_plot({"build_history": [START, START]})).shape == (HEIGHT, WIDTH, 4)


def test_no_plot_without_dates() -> None:
    assert growth_plot(growth([record(1, None)])) is None
