from __future__ import annotations

import pytest

from sot_pipeline.orchestration.histogram import histogram, spread
from sot_pipeline.orchestration.plot import HEIGHT, WIDTH
from sot_pipeline_tests.orchestration.test_plot import pixels


def test_values_are_counted_up_to_each_bound_and_above_the_last() -> None:
    assert spread([0, 1, 5, 5.5, 10, 11, 100, 101, 7_000]) == (1, 2, 2, 1, 0, 1, 2)


def test_bars_are_as_high_as_their_share_of_the_largest() -> None:
    picture = pixels(histogram("Complexity", (0, 10, 5, 1, 0, 0, 0)))

    assert picture.shape == (HEIGHT, WIDTH, 4)
    drawn = picture[:, :, 3] > 0
    step = WIDTH // 7
    heights = [int(drawn[:, number * step + step // 2].sum()) for number in range(7)]
    assert heights == [0, HEIGHT, HEIGHT // 2, HEIGHT // 10, 0, 0, 0]


def test_a_single_file_among_thousands_can_be_seen() -> None:
    picture = pixels(histogram("Complexity", (0, 9_000, 0, 0, 0, 0, 1)))

    assert picture[-1, -WIDTH // 14, 3] > 0


def test_the_legend_names_every_bar() -> None:
    shown = histogram("Complexity", (1, 2, 3, 4, 5, 6, 7))

    assert shown is not None
    assert shown.endswith("0: 1, 1–5: 2, 6–10: 3, 11–20: 4, 21–50: 5, 51–100: 6, over 100: 7")
    assert len(shown) < 1_000


@pytest.mark.parametrize("counts", [(), (0,) * 7])
def test_no_picture_of_nothing(counts: tuple[int, ...]) -> None:
    assert histogram("Complexity", counts) is None
