"""Figures as they are reported: medians beside the floor of the same run, as values and as a table."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline import EXTRAS
from subject import Measured

# "first look" is no change as a new process sees it: nothing parsed is left from a run before.
SCENARIOS = ("cold", "no change", "first look", "one edit", "1 % edits", "1 % deletes")


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: medians over the runs.

    `extras` are the seconds of parts that the floor has no counterpart of; `ratio` is to the floor
    of the same run, with and without them.
    """

    database: str
    targets: str
    scenario: str
    subject: str
    seconds: float
    cpu_seconds: float
    runs: Sequence[float]
    phases: Mapping[str, float]
    extras: float
    embedded: int
    peak_mb: float
    ratio: float | None
    ratio_without_extras: float | None


def lines_of(database: str, targets: str, runs: Mapping[tuple[str, str], Sequence[Measured]]) -> Iterator[Line]:
    """Medians, scenario by scenario, each beside its floor."""
    for scenario in SCENARIOS:
        floor = _median(one.seconds for one in runs[scenario, "floor"])
        for name in ("floor", "pipeline"):
            measured = runs[scenario, name]
            seconds = _median(one.seconds for one in measured)
            phases = {phase: _median(one.phases.get(phase, 0.0) for one in measured) for phase in measured[0].phases}
            extras = sum(phases.get(extra, 0.0) for extra in EXTRAS)
            yield Line(
                database=database,
                targets=targets,
                scenario=scenario,
                subject=name,
                seconds=seconds,
                cpu_seconds=_median(one.cpu_seconds for one in measured),
                runs=[one.seconds for one in measured],
                phases=phases,
                extras=extras,
                embedded=measured[-1].embedded,
                peak_mb=_median(one.peak_mb for one in measured),
                ratio=seconds / floor,
                ratio_without_extras=(seconds - extras) / floor,
            )


def _median(numbers: Iterable[float]) -> float:
    return statistics.median(numbers)


def table(lines: Sequence[Line]) -> str:
    """The lines as markdown, one row a scenario."""
    rows = [
        "| database | targets | scenario | floor | pipeline | ratio | without extras | CPU ratio | texts | peak MB |"
    ]
    rows.append("|---|---|---|---|---|---|---|---|---|---|")
    for floor, ours in zip(lines[::2], lines[1::2], strict=True):
        rows.append(
            f"| {ours.database} | {ours.targets} | {ours.scenario} | {floor.seconds:.3f} | {ours.seconds:.3f} "
            f"| {ours.ratio:.2f} | {ours.ratio_without_extras:.2f} "
            f"| {ours.cpu_seconds / floor.cpu_seconds:.2f} | {ours.embedded} | {ours.peak_mb:.0f} |"
        )
    return "\n".join(rows)
