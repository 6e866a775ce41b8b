"""Two versions of a skill become one, file by file."""

from __future__ import annotations

import pytest

from sot_pipeline.skills.match import Triple
from sot_pipeline.skills.merge import FieldConflict, Take
from sot_pipeline.skills.model import DOCUMENT, File, Skill
from sot_pipeline.skills.threeway import MergedSkill, edited_files, merge_skill, with_leftovers

TEXT = File(b"one\ntwo\nthree\n")
BINARY, NUL = File(b"\xff\xfe"), File(b"a\0b")


def skill(path: str = "a", document: File = TEXT, **files: File) -> Skill:
    return Skill(path, {DOCUMENT: document, **files})


def merged(
    base: Skill | None,
    ours: Skill | None,
    theirs: Skill | None,
    take: Take | None = None,
    document: bytes | None = None,
) -> MergedSkill:
    return merge_skill(Triple("1", base, ours, theirs), take, document)


def file(text: str, executable: bool = False) -> File:
    return File(text.encode(), executable)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result"),
    [
        ("old", "old", "new", "new"),
        ("old", "new", "old", "new"),
        ("old", "new", "new", "new"),
        (None, "new", None, "new"),
        (None, None, "new", "new"),
        ("old", None, "old", None),
        ("old", "old", None, None),
        ("old", None, None, None),
        (None, "new", "new", "new"),
    ],
)
def test_an_attached_file_that_one_side_changed(
    base: str | None, ours: str | None, theirs: str | None, result: str | None
) -> None:
    # Both also have a change of their own elsewhere, so that the skill is not taken whole.
    versions = [
        skill(**({"x": file(text)} if text is not None else {}), **own)
        for text, own in ((base, {}), (ours, {"o": TEXT}), (theirs, {"t": TEXT}))
    ]

    found = merged(*versions)

    assert found.conflicts == ()
    assert found.skill == skill(**({"x": file(result)} if result else {}), o=TEXT, t=TEXT)


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [("old", "one", "two"), (None, "one", "two"), ("old", None, "two"), ("old", "one", None)],
)
def test_an_attached_file_that_both_changed_is_a_conflict_that_a_side_can_be_taken_in(
    base: str | None, ours: str | None, theirs: str | None
) -> None:
    versions = [skill(**({"x": file(text)} if text is not None else {})) for text in (base, ours, theirs)]

    assert merged(*versions).conflicts == (FieldConflict("x", base, ours, theirs),)
    for take, text in ((Take.OURS, ours), (Take.THEIRS, theirs)):
        taken = merged(*versions, take)
        assert taken == MergedSkill(skill(**({"x": file(text)} if text is not None else {})))


def test_content_and_executable_bit_are_merged_apart() -> None:
    found = merged(skill(x=file("old")), skill(x=file("new")), skill(x=file("old", executable=True)))

    assert found.skill == skill(x=file("new", executable=True))


def test_executable_bits_that_differ_without_a_base_are_a_conflict() -> None:
    found = merged(None, skill(x=file("same")), skill(x=file("same", executable=True)))

    assert [conflict.field for conflict in found.conflicts] == ["x"]


def test_a_conflict_tells_bytes_that_are_no_text_by_their_hash() -> None:
    (conflict,) = merged(None, skill(x=BINARY), skill(x=NUL)).conflicts

    assert (conflict.ours or "").startswith("<2 bytes, SHA-256 ")
    assert (conflict.theirs or "").startswith("<3 bytes, SHA-256 ")


def test_folders_that_differ_are_a_conflict_and_documents_still_merge_by_lines() -> None:
    ours, theirs = File(b"1\ntwo\nthree\n"), File(b"one\ntwo\n3\n")

    one_moved = merged(skill(), skill("b", ours), skill("a", theirs))
    both_moved = merged(skill(), skill("b", ours), skill("c", theirs))

    assert one_moved.skill == skill("b", File(b"1\ntwo\n3\n"))
    assert both_moved.conflicts == (FieldConflict("skill_path", "a", "b", "c"),)


def test_conflicts_of_all_kinds_are_told_together() -> None:
    found = merged(
        skill(x=file("0")), skill("b", File(b"one\n2\nthree\n"), x=file("1")), skill("c", File(b"one\nzwei\nthree\n"))
    )

    assert [conflict.field for conflict in found.conflicts] == ["skill_path", "body", "x"]
    assert found.skill is None


def test_a_document_made_by_people_holds_for_both() -> None:
    ours, theirs = skill("a", File(b"ours\n")), skill("a", File(b"theirs\n"), x=TEXT)

    assert merged(skill(), ours, theirs, document=b"people\n").skill == skill("a", File(b"people\n"), x=TEXT)


@pytest.mark.parametrize("deleted", ["ours", "theirs"])
def test_a_deletion_against_an_edit_tells_every_edited_file(deleted: str) -> None:
    base = skill(same=TEXT, gone=TEXT, edited=TEXT)
    edit = skill(document=file("edited"), same=TEXT, edited=file("edited"), added=file("added"))
    versions = (base, None, edit) if deleted == "ours" else (base, edit, None)

    found = merged(*versions)

    assert [conflict.field for conflict in found.conflicts] == ["skill", "added", "edited"]
    wins, loses = (Take.OURS, Take.THEIRS) if deleted == "ours" else (Take.THEIRS, Take.OURS)
    assert merged(*versions, wins) == MergedSkill(None)
    assert merged(*versions, loses) == MergedSkill(edit)


def test_files_that_lie_where_a_skill_comes_to_be_are_its_unless_they_are_in_its_way() -> None:
    found = MergedSkill(skill(x=TEXT))

    assert with_leftovers(found, {"x": TEXT, "y": BINARY}) == MergedSkill(skill(x=TEXT, y=BINARY))
    assert with_leftovers(found, {"x": NUL, "y": BINARY}).conflicts[0].field == "x"
    assert with_leftovers(MergedSkill(None), {"y": BINARY}) == MergedSkill(None)


def test_edited_files_are_those_that_only_one_side_has_so() -> None:
    base, ours = skill(a=TEXT, b=TEXT, c=TEXT, d=TEXT), skill(a=TEXT, b=BINARY, c=NUL, d=NUL, e=TEXT)
    theirs = skill(a=TEXT, b=TEXT, c=NUL, d=BINARY)

    assert [each.field for each in edited_files(Triple("1", base, ours, theirs))] == ["b", "d", "e"]
