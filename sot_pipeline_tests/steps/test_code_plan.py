from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.outcome import FileChange
from sot_pipeline.steps.code_plan import changes_of, plan_table
from sot_pipeline.steps.code_sources import Source, Sources

PATHS = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a", "f/a"])
HASHES = st.sampled_from(["1", "2", "3", ""])


def sources(files: dict[str, str], kept: frozenset[str] = frozenset()) -> Sources:
    return Sources({path: Source(path, path, found) for path, found in files.items()}, kept)


@given(
    st.dictionaries(PATHS, HASHES), st.dictionaries(PATHS, HASHES), st.frozensets(st.sampled_from(["a", "d", "d/e"]))
)
def test_applying_a_plan_gives_the_files_and_what_could_not_be_read(
    files: dict[str, str], present: dict[str, str], kept: frozenset[str]
) -> None:
    found = sources({path: each for path, each in files.items() if not sources({}, kept).is_kept(path)}, kept)

    plan = plan_table(found, present, may_delete_many=True).plan

    after = {path: each for path, each in present.items() if path not in plan.deletes}
    after |= {source.path: source.content_hash for source in plan.upserts}
    untouched = {path: each for path, each in present.items() if found.is_kept(path)}
    assert after == untouched | {path: source.content_hash for path, source in found.files.items()}


@pytest.mark.parametrize(
    ("path", "kept"), [("d", True), ("d/x", True), ("d/e/x", True), ("dd/x", False), ("x/d", False), ("", False)]
)
def test_what_lies_below_an_unreadable_folder_is_kept(path: str, kept: bool) -> None:
    assert sources({}, frozenset({"d"})).is_kept(path) is kept


def test_a_loss_is_refused_from_six_files_and_a_fifth_on() -> None:
    present = {f"{number}.py": str(number) for number in range(30)}

    def lose(count: int) -> int:
        files = dict(list(present.items())[count:])
        return len(plan_table(sources(files), present, may_delete_many=False).plan.deletes)

    assert [lose(count) for count in (1, 6, 7, 30)] == [1, 6, 0, 0]


def test_a_change_of_both_tables_is_told_once_and_in_order() -> None:
    new = sources({"b": "1", "a": "2"})

    changes = changes_of(
        plan_table(new, {"c": "1"}, may_delete_many=True).plan, plan_table(new, {"a": "1"}, may_delete_many=True).plan
    )

    assert changes == (
        FileChange("insert", "a"),
        FileChange("update", "a"),
        FileChange("insert", "b"),
        FileChange("delete", "c"),
    )
