from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.orchestration.prune import expendable

RUNS = st.lists(st.integers(0, 30).map(str), unique=True)


def test_newest_runs_stay() -> None:
    assert expendable(["new", "mid", "old"], [], keep=1) == ("mid", "old")


def test_run_with_a_latest_materialization_stays_whatever_its_age() -> None:
    assert expendable(["new", "mid", "old"], ["old"], keep=1) == ("mid",)


@given(RUNS, st.sets(st.integers(0, 30).map(str)), st.integers(1, 40))
def test_nothing_needed_or_new_goes_and_everything_else_does(runs: list[str], needed: set[str], keep: int) -> None:
    gone = set(expendable(runs, needed, keep=keep))

    assert gone == set(runs[keep:]) - needed
