"""The plan of three states: what each side becomes, what is agreed on, and what is left frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.skills.match import Triple
from sot_pipeline.skills.merge import Take
from sot_pipeline.skills.model import DOCUMENT, File, Skill
from sot_pipeline.skills.reconcile import Direction, SkillsPlan, Step, Write, reconcile
from sot_pipeline.skills.threeway import merge_skill

OLD, NEW, OTHER = (Skill("a", {DOCUMENT: File(f"{text}\n".encode())}) for text in ("old", "new", "other"))
MOVED = Skill("b", OLD.files)


def plan_of(*found: Triple, direction: Direction = Direction.SYNC, **others: Sequence[Skill]) -> SkillsPlan:
    return reconcile(found, direction, merge_skill, others)


def step_of(base: Skill | None, ours: Skill | None, theirs: Skill | None, direction: Direction) -> Step:
    (step,) = plan_of(Triple("1", base, ours, theirs), direction=direction).steps
    return step


SYNC, EXPORT, IMPORT = Direction.SYNC, Direction.EXPORT, Direction.IMPORT


@pytest.mark.parametrize(
    ("states", "direction", "files", "database", "base", "between"),
    [
        ((OLD, OLD, OLD), SYNC, None, None, OLD, OLD),
        ((None, OLD, OLD), SYNC, None, None, OLD, OLD),
        ((OLD, NEW, NEW), SYNC, None, None, NEW, NEW),
        ((OLD, NEW, OLD), SYNC, None, Write(OLD, NEW), NEW, NEW),
        ((OLD, OLD, NEW), SYNC, Write(OLD, NEW), None, NEW, OLD),
        ((OLD, MOVED, OLD), SYNC, None, Write(OLD, MOVED), MOVED, MOVED),
        ((OLD, OLD, MOVED), SYNC, Write(OLD, MOVED), None, MOVED, OLD),
        ((OLD, MOVED, NEW), SYNC, *([Write(each, Skill("b", NEW.files)) for each in (MOVED, NEW)]), None, MOVED),
        ((None, NEW, None), SYNC, None, Write(None, NEW), NEW, NEW),
        ((None, None, NEW), SYNC, Write(None, NEW), None, NEW, None),
        ((OLD, None, OLD), SYNC, None, Write(OLD, None), None, None),
        ((OLD, OLD, None), SYNC, Write(OLD, None), None, None, OLD),
        ((OLD, None, None), SYNC, None, None, None, None),
        ((OLD, NEW, OLD), EXPORT, None, Write(OLD, NEW), NEW, NEW),
        ((OLD, OLD, NEW), EXPORT, None, None, OLD, OLD),
        ((OLD, OLD, None), EXPORT, None, None, OLD, OLD),
        ((None, NEW, None), EXPORT, None, Write(None, NEW), NEW, NEW),
        ((None, None, NEW), EXPORT, None, None, None, None),
        ((OLD, NEW, OLD), IMPORT, None, None, OLD, OLD),
        ((OLD, OLD, NEW), IMPORT, Write(OLD, NEW), None, NEW, OLD),
        ((OLD, None, OLD), IMPORT, None, None, OLD, OLD),
        ((None, NEW, None), IMPORT, None, None, None, None),
    ],
)
def test_what_becomes_of_one_skill(
    states: tuple[Skill | None, Skill | None, Skill | None],
    direction: Direction,
    files: Write | None,
    database: Write | None,
    base: Skill | None,
    between: Skill | None,
) -> None:
    step = step_of(*states, direction)

    merged = Skill("b", NEW.files) if files and database else base
    assert (step.files, step.database, step.base, step.between) == (files, database, merged, between)
    assert step.conflicts == ()
    assert step.is_empty is (files is database is None and base == states[0])
    assert step.agrees is (states[1] == states[2])


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("states", [(OLD, NEW, OTHER), (None, NEW, OTHER), (OLD, None, NEW), (OLD, NEW, None)])
def test_a_conflict_freezes_the_skill(
    states: tuple[Skill | None, Skill | None, Skill | None], direction: Direction
) -> None:
    step = step_of(*states, direction)

    assert step.conflicts
    assert (step.files, step.database, step.base) == (None, None, states[0])
    assert not step.is_empty
    assert not step.agrees


def test_a_write_tells_whether_it_moves_and_edits() -> None:
    both = Write(OLD, Skill("b", NEW.files))

    assert (both.path, both.moves, both.edits) == ("b", True, True)
    assert (Write(OLD, None).path, Write(OLD, None).moves, Write(OLD, None).edits) == ("a", False, False)
    assert Write(None, None).path == ""


def test_writes_are_in_the_order_of_paths() -> None:
    plan = plan_of(*(Triple(None, None, Skill(path, OLD.files), None) for path in "bca"))

    assert [write.path for write in plan.writes("database")] == ["a", "b", "c"]
    assert plan.writes("files") == ()


def test_two_skills_that_would_come_to_one_folder_are_both_frozen() -> None:
    moved = Triple("1", OLD, OLD, Skill("x", OLD.files))
    new = Triple(None, None, Skill("x", NEW.files), None)

    plan = plan_of(moved, new)

    assert plan.writes("files") == plan.writes("database") == ()
    assert [(triple.uid, conflict.field) for triple, conflict in plan.conflicts] == [
        ("1", "skill_path"),
        (None, "skill_path"),
    ]


def test_a_skill_does_not_come_where_another_one_stays() -> None:
    plan = plan_of(Triple("1", OLD, OLD, MOVED), files=[MOVED])

    assert [conflict.theirs for _, conflict in plan.conflicts] == ["b"]


def test_freezing_one_skill_freezes_who_waits_for_its_place() -> None:
    # 1 cannot go to x, so 2 cannot have its place.
    first = Triple("1", OLD, OLD, Skill("x", OLD.files))
    second = Triple("2", Skill("c", NEW.files), Skill("c", NEW.files), Skill("a", NEW.files))

    plan = plan_of(first, second, files=[Skill("x")])

    assert [triple.uid for triple, _ in plan.conflicts] == ["1", "2"]


def test_swaps_and_cycles_are_no_clash() -> None:
    skills = [Skill(path, {DOCUMENT: File(path.encode())}) for path in "abc"]
    found = [
        Triple(skill.path, skill, skill, Skill(path, skill.files)) for skill, path in zip(skills, "bca", strict=True)
    ]

    assert plan_of(*found).conflicts == ()


def test_a_file_that_would_lie_in_the_folder_of_another_skill_is_a_clash() -> None:
    outer = Skill("a", {**OLD.files, "b/c/x": File(b"x")})
    inner = Skill("a/b", NEW.files)

    both_new = plan_of(Triple("1", None, None, outer), Triple("2", None, None, inner))
    settled_outer = plan_of(Triple("2", None, None, inner), files=[outer])
    settled_inner = plan_of(Triple("1", OLD, OLD, outer), files=[inner])
    beside = plan_of(Triple("1", None, None, outer), Triple("2", None, None, Skill("a/bc", NEW.files)))
    in_the_root = plan_of(Triple("1", None, None, Skill(".", {**OLD.files, "a/x": File(b"")})), files=[NEW])

    assert [triple.uid for triple, _ in both_new.conflicts] == ["1", "2"]
    assert [triple.uid for triple, _ in settled_outer.conflicts] == ["2"]
    assert [triple.uid for triple, _ in settled_inner.conflicts] == ["1"]
    assert beside.conflicts == ()
    assert [triple.uid for triple, _ in in_the_root.conflicts] == ["1"]
    # In a database it may be so.
    exported = plan_of(Triple("1", None, outer, None), Triple("2", None, None, inner), direction=EXPORT)
    assert exported.conflicts == ()


texts = st.sampled_from([b"", b"one\n", b"one\ntwo\nthree\n", b"zero\none\n", b"---\nname: x\n---\n"])
files = st.builds(File, texts, st.booleans())


@st.composite
def states(draw: st.DrawFn) -> Skill | None:
    if draw(st.integers(0, 3)) == 0:
        return None
    others: Mapping[str, File] = draw(st.dictionaries(st.sampled_from(["x", "s/y"]), files))
    return Skill(draw(st.sampled_from(["a", "a", "b"])), {DOCUMENT: draw(files), **others})


@given(states(), states(), states(), st.sampled_from(Direction), st.none() | st.sampled_from(Take))
def test_what_was_planned_and_done_leaves_nothing_to_plan(
    base: Skill | None, ours: Skill | None, theirs: Skill | None, direction: Direction, take: Take | None
) -> None:
    triple = Triple("1", base, ours, theirs)
    (step,) = reconcile([triple], direction, lambda each: merge_skill(each, take), {}).steps
    if step.conflicts:
        assert take is None
        return

    after = Triple(
        "1", step.base, step.files.after if step.files else ours, step.database.after if step.database else theirs
    )

    (again,) = reconcile([after], direction, merge_skill, {}).steps
    assert again.is_empty
    if direction is Direction.SYNC:
        assert after.ours == after.theirs == after.base


@given(states(), states(), states())
def test_a_run_that_is_cut_short_before_its_files_comes_to_the_same(
    base: Skill | None, ours: Skill | None, theirs: Skill | None
) -> None:
    (step,) = plan_of(Triple("1", base, ours, theirs)).steps
    if step.conflicts or not step.files:
        return
    cut = Triple("1", step.between, ours, step.database.after if step.database else theirs)

    (again,) = plan_of(cut).steps

    assert again.base == step.base
    assert (again.files, again.database, again.conflicts) == (step.files, None, ())


@given(states(), states(), states())
def test_exporting_and_importing_comes_to_what_a_sync_does(
    base: Skill | None, ours: Skill | None, theirs: Skill | None
) -> None:
    at_once = step_of(base, ours, theirs, Direction.SYNC)
    exported = step_of(base, ours, theirs, Direction.EXPORT)
    if at_once.conflicts:
        assert exported.conflicts == at_once.conflicts
        return
    row = exported.database.after if exported.database else theirs

    imported = step_of(exported.base, ours, row, Direction.IMPORT)

    assert (imported.files.after if imported.files else ours) == at_once.base
