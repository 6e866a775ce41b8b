"""Folders keep their uids: by path, then by what they hold, then by a name that is the only one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.skills.match import Triple, triples
from sot_pipeline.skills.model import DOCUMENT, File, Skill


def skill(path: str, text: str = "", name: str = "") -> Skill:
    return Skill(path, {DOCUMENT: File(f"{name}:{text or path}".encode())})


def name_of(found: Skill) -> str | None:
    return found.document.decode().partition(":")[0] or None


def matched(base: dict[str, Skill], files: list[Skill], rows: dict[str, Skill] | None = None) -> dict[str | None, str]:
    """Uid → path of the folder that is it now; None leads to the new ones."""
    at = {each.path: each for each in files}
    found = triples(base, at, base if rows is None else rows, name_of)
    known = {each.uid: each.ours.path for each in found if each.uid and each.ours}
    new = ",".join(each.ours.path for each in found if each.uid is None and each.ours)
    return {**known, None: new} if new else dict(known)


A, B, C = skill("a"), skill("b"), skill("c")
BASE = {"1": A, "2": B, "3": C}


def moved(found: Skill, path: str) -> Skill:
    return Skill(path, found.files)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([A, B, C], {"1": "a", "2": "b", "3": "c"}),
        ([skill("a", "edited"), B, C], {"1": "a", "2": "b", "3": "c"}),
        ([moved(A, "x"), B, C], {"1": "x", "2": "b", "3": "c"}),
        ([moved(A, "b"), moved(B, "a"), C], {"1": "b", "2": "a", "3": "c"}),
        ([moved(A, "b"), moved(B, "c"), moved(C, "a")], {"1": "b", "2": "c", "3": "a"}),
        ([moved(A, "b"), moved(B, "c"), moved(C, "x")], {"1": "b", "2": "c", "3": "x"}),
        # Somebody deleted b and gave its place to a.
        ([moved(A, "b"), C], {"1": "b", "3": "c"}),
        # A copy, and one whose original was edited: the original stays what it was.
        ([A, moved(A, "x"), B, C], {"1": "a", "2": "b", "3": "c", None: "x"}),
        ([skill("a", "edited"), moved(A, "x"), B, C], {"1": "a", "2": "b", "3": "c", None: "x"}),
        # b was overwritten with a copy of a.
        ([A, moved(A, "b"), C], {"1": "a", "2": "b", "3": "c"}),
        # Two that hold what a held: nobody knows which it is.
        ([moved(A, "x"), moved(A, "y"), B, C], {"2": "b", "3": "c", None: "x,y"}),
        ([B, C, skill("new")], {"2": "b", "3": "c", None: "new"}),
    ],
)
def test_what_became_of_three_folders(files: list[Skill], expected: dict[str | None, str]) -> None:
    assert matched(BASE, files) == expected


def test_a_folder_that_moved_and_was_edited_is_found_by_its_name() -> None:
    assert matched({"1": skill("a", name="saw")}, [skill("x", "edited", name="saw")]) == {"1": "x"}


@pytest.mark.parametrize("name", ["", "saw"])
def test_a_name_that_is_missing_or_not_the_only_one_tells_nothing(name: str) -> None:
    files = [skill("x", "edited", name=name), skill("y", "edited too", name=name)]

    assert matched({"1": skill("a", name=name)}, files) == {None: "x,y"}


def test_a_changed_executable_bit_is_a_change_of_content() -> None:
    executable = Skill("x", {DOCUMENT: File(A.document, executable=True)})

    assert matched({"1": A}, [executable]) == {None: "x"}


def test_without_a_base_row_and_folder_of_one_path_are_one_skill() -> None:
    found = triples({}, {"a": A, "x": C}, {"1": skill("a", "other"), "2": B}, name_of)

    assert found == [
        Triple("1", None, A, skill("a", "other")),
        Triple("2", None, None, B),
        Triple(None, None, C, None),
    ]


def test_a_base_that_neither_side_has_is_still_told() -> None:
    assert triples({"1": A}, {}, {}, name_of) == [Triple("1", A, None, None)]


contents = st.sampled_from(["one", "two", "three"])
folders = st.dictionaries(st.sampled_from("abcd"), contents)


@given(base=folders, files=folders, rows=folders)
def test_every_folder_row_and_base_is_in_exactly_one_triple(
    base: dict[str, str], files: dict[str, str], rows: dict[str, str]
) -> None:
    known = {f"u{path}": skill(path, text, name=text) for path, text in base.items()}
    here = {path: skill(path, text, name=text) for path, text in files.items()}
    there = {f"u{path}": skill(path, text, name=text) for path, text in rows.items()}

    found = triples(known, here, there, name_of)

    assert sorted(each.ours.path for each in found if each.ours) == sorted(here)
    assert {each.uid: each.theirs for each in found if each.theirs} == there
    assert {each.uid: each.base for each in found if each.base} == known
    uids = [each.uid for each in found if each.uid]
    assert len(uids) == len(set(uids))
