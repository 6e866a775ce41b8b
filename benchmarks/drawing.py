"""The figures as a picture: seconds by scenario, floor and pipeline side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from report import SCENARIOS, Line

_FLOOR, _PIPELINE, _EXTRAS = "#9aa5b1", "#2b6cb0", "#90cdf4"
_WIDTH = 0.4


def draw(lines: Sequence[Line], path: Path) -> None:
    """One panel a database and kind of targets; the axis of seconds is logarithmic."""
    panels = list(dict.fromkeys((line.database, line.targets) for line in lines))
    figure = Figure(figsize=(4.2 * len(panels), 3.6), layout="tight")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)
    for axis, panel in zip(axes[0], panels, strict=True):
        shown = [line for line in lines if (line.database, line.targets) == panel]
        floor, ours = shown[::2], shown[1::2]
        at = range(len(SCENARIOS))
        axis.bar([x - _WIDTH / 2 for x in at], [one.seconds for one in floor], _WIDTH, color=_FLOOR, label="floor")
        axis.bar(
            [x + _WIDTH / 2 for x in at],
            [one.seconds for one in ours],
            _WIDTH,
            color=_EXTRAS,
            label="full text, embedding cache",
        )
        core = [one.seconds - one.extras for one in ours]
        axis.bar([x + _WIDTH / 2 for x in at], core, _WIDTH, color=_PIPELINE, label="pipeline")
        axis.set_yscale("log")
        axis.set_xticks(list(at), SCENARIOS, rotation=40, ha="right")
        axis.set_title(", ".join(panel), fontsize=10)
        axis.grid(axis="y", alpha=0.3)
    axes[0][0].set_ylabel("seconds")
    axes[0][-1].legend(fontsize=8)
    figure.savefig(path, dpi=120)
