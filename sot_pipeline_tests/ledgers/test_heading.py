from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.ledgers.heading import parse_heading, read_any

CELLS = st.sampled_from(
    [
        "2026-01-01",
        "2026-13-45",
        "Hotfix",
        "HIGH",
        "Done",
        "In Progress",
        "N/A",
        "Phase 1: a",
        "Fix: x",
        "- y",
        ": z",
        "",
    ]
)


@given(st.lists(CELLS, max_size=5))
def test_usual_headings_are_read_as_all_others(cells: list[str]) -> None:
    text = " ".join(" | ".join(["BUILD-1", *cells]).split())

    assert parse_heading(text, "BUILD") == read_any(text, "BUILD")
