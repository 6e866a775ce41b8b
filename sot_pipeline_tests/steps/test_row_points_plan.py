"""Which files get points anew, and which points go: by hashes alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.plan import RecordKey, Severity
from sot_pipeline.steps.row_points_plan import in_groups, plan_points
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.points import point_key

CODE = CollectionId("shop", Kind.CODE)


def points(path: str, content_hash: str, chunks: range = range(2)) -> dict[str, str]:
    record = RecordKey("shop", "code", path)
    return {point_key(record, chunk): f"{content_hash}-{chunk}" for chunk in chunks}


def test_files_whose_points_are_all_of_their_hash_are_left_alone() -> None:
    found = plan_points({"a": "1", "b_c": "2"}, points("a", "1") | points("b_c", "2"), CODE)

    assert (found.lagging, found.gone, found.left_alone) == ((), (), 4)


def test_files_without_points_with_old_ones_or_with_some_alone_lag() -> None:
    present = points("old", "1") | points("mixed", "2", range(1)) | points("mixed", "9", range(1, 2))
    present |= points("late", "3", range(1, 3))  # the first is written last
    present |= dict.fromkeys(points("altered", "4"), "") | points("right", "5")

    found = plan_points(
        {"new": "0", "old": "2", "mixed": "2", "late": "3", "altered": "4", "right": "5"}, present, CODE
    )

    assert found.lagging == ("new", "old", "mixed", "late", "altered")
    assert found.left_alone == 2


def test_points_without_a_row_go_and_foreign_ones_with_them() -> None:
    present = points("gone", "1") | points("here", "2") | {"6c2d2e4e": ""}

    found = plan_points({"here": "2"}, present, CODE)

    assert set(found.gone) == {*points("gone", "1"), "6c2d2e4e"}
    assert found.left_alone == 2


def test_points_of_a_row_that_somebody_changed_stay() -> None:
    found = plan_points({"a": ""}, points("a", "1"), CODE, every=True)

    assert (found.lagging, found.gone, found.kept, found.left_alone) == ((), (), {"a"}, 2)


def test_with_every_all_files_are_compared() -> None:
    assert plan_points({"a": "1"}, points("a", "1"), CODE, every=True).lagging == ("a",)


def many(count: int) -> dict[str, str]:
    return {key: stored for number in range(count) for key, stored in points(f"f{number}", f"{number}").items()}


def test_losing_the_points_of_many_files_is_refused_and_what_else_is_planned_goes_on() -> None:
    present = many(10) | {"6c2d2e4e": ""}

    found = plan_points({"f0": "0", "new": "n"}, present, CODE)
    allowed = plan_points({"f0": "0", "new": "n"}, present, CODE, may_delete_many=True)

    (problem,) = found.problems
    assert (problem.check, problem.severity) == ("mass_delete", Severity.ERROR)
    assert "9 of 10 entries" in problem.message
    assert "--allow-mass-delete" in problem.message
    assert (found.lagging, found.gone) == (("new",), ("6c2d2e4e",))
    assert len(allowed.gone) == 19
    assert allowed.problems == ()


def test_files_that_moved_are_not_lost() -> None:
    found = plan_points({f"moved/f{number}": f"{number}" for number in range(10)}, many(10), CODE)

    assert found.problems == ()
    assert len(found.gone) == 20


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(0, 12))
def test_groups_are_all_paths_in_order_and_within_the_limit(sizes: list[int], limit: int) -> None:
    by_path = {f"f{number}": size for number, size in enumerate(sizes)}

    groups = list(in_groups(tuple(by_path), by_path, limit))

    assert [path for group in groups for path in group] == list(by_path)
    assert all(len(group) == 1 or sum(by_path[path] for path in group) <= limit for group in groups)
