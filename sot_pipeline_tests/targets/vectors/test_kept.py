"""Points of ledgers that are asked for again and again."""

from __future__ import annotations

import gc

from sot_pipeline.plan import Record, RecordKey, hash_record
from sot_pipeline.targets.vectors.kept import Cut, KeptPoints
from sot_pipeline.targets.vectors.points import points_of
from sot_pipeline.targets.vectors.store import Point

CUT = Cut("atlas", "docs/B.md", chunk_tokens=400, max_tokens=8191)


def record(number: int, content: str) -> Record:
    key = RecordKey("atlas", "build_history", f"BUILD-{number}")
    return Record(key, "A title", content, {}, None, hash_record(key, "A title", content, {}, None))


def fresh(cut: Cut, *records: Record) -> tuple[Point, ...]:
    limits = {"chunk_tokens": cut.chunk_tokens, "max_tokens": cut.max_tokens}
    return tuple(point for one in records for point in points_of(one, cut.path, **limits))


def test_points_are_those_of_each_entry_in_the_order_asked_for() -> None:
    kept = KeptPoints(entries=10)
    one, two, long = record(1, "kiln"), record(2, "glaze"), record(3, "## Part\n\n" + "ash " * 900 + "\n## Part\n\nend")

    assert kept.of_ledger(CUT, [one, two, long]) == fresh(CUT, one, two, long)
    assert kept.of_ledger(CUT, [long, one]) == fresh(CUT, long, one)


def test_only_entries_that_changed_are_cut_again() -> None:
    kept = KeptPoints(entries=10)
    one, two = kept.of_ledger(CUT, [record(1, "kiln"), record(2, "glaze")])

    again = kept.of_ledger(CUT, [record(1, "kiln"), record(2, "shelf")])

    assert again[0] is one
    assert again[1] != two
    assert again == fresh(CUT, record(1, "kiln"), record(2, "shelf"))


def test_what_an_entry_was_before_an_edit_is_forgotten() -> None:
    kept = KeptPoints(entries=10)
    for number in range(50):
        kept.of_ledger(CUT, [record(1, f"version {number}")])
    gc.collect()

    alive = [one for one in gc.get_objects() if isinstance(one, Point) and one.text.startswith("A title\n\nversion")]

    assert len(alive) == 1


def test_other_path_or_limits_give_points_of_their_own() -> None:
    kept = KeptPoints(entries=10)
    entry = record(1, "## Part\n\n" + "ash " * 900 + "\n## Part\n\nend")
    cuts = (CUT, CUT._replace(path="docs/C.md"), CUT._replace(chunk_tokens=4_000))

    for cut in cuts:
        assert kept.of_ledger(cut, [entry]) == fresh(cut, entry)


def test_ledgers_used_least_recently_go_first_and_a_larger_one_is_not_kept() -> None:
    kept = KeptPoints(entries=2)
    first, second = CUT._replace(path="docs/1.md"), CUT._replace(path="docs/2.md")
    old = kept.of_ledger(first, [record(1, "kiln"), record(2, "glaze")])
    new = kept.of_ledger(second, [record(3, "shelf")])
    large = kept.of_ledger(CUT, [record(number, "ash") for number in range(3)])

    assert kept.of_ledger(second, [record(3, "shelf")])[0] is not new[0]
    assert kept.of_ledger(first, [record(1, "kiln"), record(2, "glaze")])[0] is not old[0]
    assert kept.of_ledger(CUT, [record(number, "ash") for number in range(3)])[0] is not large[0]
