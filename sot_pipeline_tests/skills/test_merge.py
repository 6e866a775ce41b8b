"""Two edited versions of a SKILL.md merged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sot_pipeline.errors import EditRefused, SkillUnreadable
from sot_pipeline.skills.edit import render
from sot_pipeline.skills.front_matter import fields_of, split
from sot_pipeline.skills.merge import FieldConflict, Merged, merge_documents
from sot_pipeline_tests.skills.documents import changed, corpus, documents, needs_corpus

BASE = """---
name: x # the name
description: "Text"
tags:
  - a # first
  - b
  - c
keywords: [k, l]
weight: 1
metadata:
  author: me
  version: "1"
---
# Title

One.

Two.
"""


def merge(ours: str, theirs: str, base: str = BASE) -> Merged:
    return merge_documents(base.encode(), ours.encode(), theirs.encode())


def edit(*replacements: tuple[str, str]) -> str:
    text = BASE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text


def merged_text(ours: str, theirs: str, base: str = BASE) -> str:
    merged = merge(ours, theirs, base)
    assert merged.conflicts == ()
    assert merged.document is not None
    return merged.document.decode()


def test_different_keys_and_lines_merge_into_the_bytes_of_ours() -> None:
    ours = edit(("Text", "New text"), ("One.", "1."))
    theirs = edit(("x # the name", "other # the name"), ("weight: 1", "weight: 2"), ("Two.", "2."))

    assert merged_text(ours, theirs) == edit(
        ("Text", "New text"),
        ("One.", "1."),
        ("x # the name", "other # the name"),
        ("weight: 1", "weight: 2"),
        ("Two.", "2."),
    )


def test_keys_side_by_side_are_no_conflict() -> None:
    ours, theirs = edit(("name: x", "name: z")), edit(("Text", "New"))

    assert merged_text(ours, theirs) == edit(("name: x", "name: z"), ("Text", "New"))


def test_sides_keep_their_own_layout_where_only_one_changed_a_part() -> None:
    ours = edit(("One.", "1."))
    theirs = edit(('"Text"', "Text"), ("weight: 1\n", "# heavy\nweight: 1\n"))

    assert merged_text(ours, theirs) == theirs.replace("One.", "1.")
    assert merged_text(theirs, ours) == theirs.replace("One.", "1.")


def test_comments_of_theirs_are_kept_where_lines_allow_it() -> None:
    ours = edit(("name: x", "name: z"))
    theirs = edit(("weight: 1\n", "# heavy\nweight: 2\n"))

    assert merged_text(ours, theirs) == theirs.replace("name: x", "name: z")


def test_a_key_that_both_sides_added_elsewhere_is_there_once() -> None:
    ours, theirs = edit(("name:", "new: 1\nname:")), edit(("weight: 1", "weight: 2"), ('"1"\n', '"1"\nnew: 1\n'))

    assert merged_text(ours, theirs) == edit(("name:", "new: 1\nname:"), ("weight: 1", "weight: 2"))


def test_the_same_change_in_two_layouts_is_no_conflict() -> None:
    assert merged_text(edit(('"Text"', "New")), edit(('"Text"', "'New'"))) == edit(('"Text"', "New"))


def test_lists_merge_as_sets_in_the_order_of_ours() -> None:
    ours = edit(("  - b\n", "  - o\n"), ("[k, l]", "[l, k]"))
    theirs = edit(("  - b\n", "  - b\n  - t\n"), ("  - a # first\n", ""), ("[k, l]", "[m, l]"))

    merged = merged_text(ours, theirs)

    assert fields_of(split(merged.encode()).template).lists == {"tags": ("o", "c", "t"), "keywords": ("l", "m")}
    assert "  - o\n  - c\n  - t\nkeywords: [l, m]\n" in merged


def test_a_list_that_both_sides_emptied_or_removed_is_gone() -> None:
    assert "keywords" not in merged_text(edit(("[k, l]", "[k]")), edit(("[k, l]", "[l]")))
    assert "keywords: [m]" in merged_text(edit(("[k, l]", "")), edit(("[k, l]", "[k, l, m]")))


def test_mappings_merge_by_subkey() -> None:
    ours = edit(("author: me", "author: you"), ("weight: 1\n", "new: {a: 1}\nweight: 1\n"))
    theirs = edit(('version: "1"', 'version: "2"\n  more: [x]'), ("weight: 1\n", "new: {b: 2}\nweight: 1\n"))

    merged = merged_text(ours, theirs)

    assert 'metadata:\n  author: you\n  version: "2"\n  more: [x]\n' in merged
    assert "new: {a: 1, b: 2}" in merged


@pytest.mark.parametrize(
    ("ours", "theirs", "conflict"),
    [
        (("Text", "A"), ("Text", "B"), FieldConflict("description", "Text", "A", "B")),
        (("weight: 1\n", ""), ("weight: 1", "weight: 2.5"), FieldConflict("weight", "1", None, "2.5")),
        (("weight: 1", "weight: 2"), ("weight: 1", "weight: true"), FieldConflict("weight", "1", "2", "true")),
        (("[k, l]", "[k]"), ("[k, l]", "{k: l}"), FieldConflict("keywords", "k, l", "k", '{"k":"l"}')),
        (("author: me", "author: A"), ("author: me", "author: B"), FieldConflict("metadata.author", "me", "A", "B")),
        (("author: me", "author: [A]"), ("  author: me\n", ""), FieldConflict("metadata.author", "me", '["A"]', None)),
        (("# Title", "# A"), ("# Title", "# B"), None),
    ],
)
def test_what_both_sides_changed_differently_is_a_conflict(
    ours: tuple[str, str], theirs: tuple[str, str], conflict: FieldConflict | None
) -> None:
    mine, yours = edit(ours), edit(theirs)
    if conflict is None:
        body = BASE[BASE.index("# Title") :]
        conflict = FieldConflict("body", body, body.replace(*ours), body.replace(*theirs))

    assert merge(mine, yours) == Merged(None, (conflict,))


def test_a_removed_mapping_against_an_edited_one_is_a_conflict() -> None:
    removed = edit(('metadata:\n  author: me\n  version: "1"\n', ""))
    values = ('{"author":"me","version":"1"}', None, '{"author":"you","version":"1"}')

    assert merge(removed, edit(("me\n  v", "you\n  v"))).conflicts == (FieldConflict("metadata", *values),)


def test_all_conflicts_are_told_at_once() -> None:
    ours = edit(("Text", "A"), ("me\n", "A\n"), ("One.", "A"))
    theirs = edit(("Text", "B"), ("me\n", "B\n"), ("One.", "B"))

    assert [conflict.field for conflict in merge(ours, theirs).conflicts] == ["description", "metadata.author", "body"]


def test_a_key_that_cannot_be_edited_is_a_conflict() -> None:
    base = "---\na: &x 1\nb: *x\n---\n"
    ours, theirs = base.replace("b:", "c: 1\nb:"), base.replace("*x", "2")

    assert merge(ours, theirs, base) == Merged(None, (FieldConflict("b", "1", "1", "2"),))


def test_the_front_matter_may_be_new_or_gone() -> None:
    assert merged_text("---\na: 1\n---\nbody\n", "---\nb: 1\n---\nbody\n", "body\n") == "---\na: 1\nb: 1\n---\nbody\n"
    assert merged_text("body\n", "---\na: 1\n---\nbody\nmore\n", "---\na: 1\n---\nbody\n") == "body\nmore\n"


def test_a_body_that_would_become_a_front_matter_is_a_conflict() -> None:
    base = "---\na: 1\n---\nbody\n"

    assert [found.field for found in merge("body\n", "---\na: 1\n---\n---\nbody\n", base).conflicts] == ["body"]


@pytest.mark.parametrize("broken", range(3))
def test_a_version_that_cannot_be_read_is_refused(broken: int) -> None:
    versions = [BASE, edit(("One", "1")), edit(("Two", "2"))]
    versions[broken] = versions[broken].replace("weight:", "weight: [")

    with pytest.raises(SkillUnreadable):
        merge(versions[1], versions[2], versions[0])


def test_an_unreadable_version_does_not_matter_where_one_side_changed_nothing() -> None:
    broken = edit(("weight:", "weight: ["))

    assert merge(BASE, broken).document == broken.encode()


VALUES = {
    "name": st.sampled_from(("x", "y", "z: z")),
    "description": st.sampled_from(("one", "two\nlines", "")),
}
LISTS = st.lists(st.sampled_from("abcd"), unique=True, max_size=4).map(tuple)
SIDES = st.tuples(
    st.fixed_dictionaries(
        {},
        optional={
            "texts": st.fixed_dictionaries({}, optional=VALUES),
            "lists": st.dictionaries(st.sampled_from(("tags", "allowed_tools")), LISTS),
            "extra": st.dictionaries(
                st.just("metadata"), st.dictionaries(st.sampled_from("pqr"), st.integers(1, 3), min_size=1)
            ),
        },
    ),
    st.text("ab\n", max_size=8),
)


@settings(max_examples=300, deadline=None)
@given(documents(), SIDES, SIDES)
def test_merges_are_fair_and_stable(
    base: bytes, our_edit: tuple[dict[str, object], str], their_edit: tuple[dict[str, object], str]
) -> None:
    try:
        parts = split(base)
        before = fields_of(parts.template)
        ours, theirs = (
            render(parts.template, changed(before, **edit), parts.body + more) for edit, more in (our_edit, their_edit)
        )
    except (SkillUnreadable, EditRefused):
        return
    assert merge_documents(base, base, theirs).document == theirs
    assert merge_documents(base, ours, base).document == ours
    assert merge_documents(base, ours, ours).document == ours
    merged, mirrored = merge_documents(base, ours, theirs), merge_documents(base, theirs, ours)
    assert {(c.field, c.ours, c.theirs) for c in merged.conflicts} == {
        (c.field, c.theirs, c.ours) for c in mirrored.conflicts
    }
    assert (merged.document is None) == bool(merged.conflicts)
    if merged.document is None or mirrored.document is None:
        return
    one, other = split(merged.document), split(mirrored.document)
    mine, yours = fields_of(split(ours).template), fields_of(split(theirs).template)
    found, turned = fields_of(one.template), fields_of(other.template)
    assert one.body == other.body
    assert (found.texts, found.numbers, found.extra) == (turned.texts, turned.numbers, turned.extra)
    for key in {*before.lists, *mine.lists, *yours.lists}:
        sets = [set(fields.lists.get(key, ())) for fields in (before, mine, yours, found, turned)]
        expected = (sets[1] & sets[2]) | (sets[1] - sets[0]) | (sets[2] - sets[0])
        assert sets[3] == sets[4] == expected
    # A side that already has the merge has nothing to gain.
    assert merge_documents(ours, merged.document, ours).document == merged.document
    again = merge_documents(ours, ours, merged.document).document
    assert again == merged.document


@needs_corpus
def test_edits_of_real_skills_on_both_sides_merge() -> None:
    for path, document in corpus():
        parts = split(document)
        fields = fields_of(parts.template)
        description = changed(fields, texts={"description": "Other words."})
        tags = changed(fields, lists={"tags": ("one",)})

        merged = merge_documents(
            document,
            render(parts.template, description, f"First.\n{parts.body}"),
            render(parts.template, tags, f"{parts.body}\nLast.\n"),
        )

        assert merged.document is not None, path
        both = changed(description, lists={"tags": ("one",)})
        assert merged.document == render(
            render(parts.template, description, ""), both, f"First.\n{parts.body}\nLast.\n"
        ), path
