"""Rows rendered to documents: an edit changes the bytes of its key and no others."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sot_pipeline.errors import EditRefused, SkillUnreadable
from sot_pipeline.skills import edit
from sot_pipeline.skills.edit import render
from sot_pipeline.skills.front_matter import fields_of, read_template, split
from sot_pipeline.skills.model import Fields
from sot_pipeline.skills.spans import source_of
from sot_pipeline.skills.values import same
from sot_pipeline_tests.skills.documents import changed, corpus, documents, needs_corpus

DOCUMENT = """---
# head
name: x # the name
"version": 1.0
description: >-
  Folded text that
  goes on.

tags:
  # of a
  - a
  - "b" # of b
  # of c
  - c
keywords: [x, 'y',  z] # flow
allowed-tools: Bash(git add:*, git commit:*) Read
capabilities: one, two
weight: 5
scope:
status: ~ # nothing
metadata:
  author: me # the author
  list:
  - k: 1
    l: 2
  - k: 3
license: | # kept
  MIT

  and more
flow: {a: 1, b: [x, y], c: d}
quoted: 'it''s'
double: "a\\tb"
plain: two
  lines
empty: []
nested:
- - a
- c
# tail
---
body
"""


def diff_of(document: bytes, fields: Fields) -> list[str]:
    """The lines that rendering with other fields removes and adds."""
    parts = split(document)
    rendered = render(parts.template, fields, parts.body)
    assert split(rendered).body == parts.body
    before, after = (text.decode().splitlines(keepends=True) for text in (document, rendered))
    lines = list(difflib.unified_diff(before, after, n=0))[2:]
    return [f"{line[0]} {line[1:]}" for line in lines if line[0] in "-+"]


def diff(**values: object) -> list[str]:
    """The changed lines of DOCUMENT, the same for each kind of line break."""
    found = []
    for line_break in ("\n", "\r\n"):
        document = DOCUMENT.replace("\n", line_break).encode()
        lines = diff_of(document, changed(fields_of(split(document).template), **values))
        assert all(line.endswith(line_break) for line in lines)
        found.append([line.rstrip() for line in lines])
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        ({"name": "other"}, ["- name: x # the name", "+ name: other # the name"]),
        ({"name": "a: b"}, ["- name: x # the name", '+ name: "a: b" # the name']),
        ({"name": "true"}, ["- name: x # the name", '+ name: "true" # the name']),
        ({"name": 'a "b"'}, ["- name: x # the name", '+ name: a "b" # the name']),
        ({"name": '"b"'}, ["- name: x # the name", "+ name: '\"b\"' # the name"]),
        ({"name": "a\nb"}, ["- name: x # the name", '+ name: "a\\nb" # the name']),
        ({"name": ""}, ["- name: x # the name", '+ name: "" # the name']),
        ({"name": None}, ["- name: x # the name"]),
        ({"version": "2.0"}, ['- "version": 1.0', '+ "version": 2.0']),
        ({"version": "2.0 beta"}, ['- "version": 1.0', '+ "version": 2.0 beta']),
        ({"scope": "all"}, ["- scope:", "+ scope: all"]),
        ({"status": "draft"}, ["- status: ~ # nothing", "+ status: draft # nothing"]),
        ({"status": "off"}, ["- status: ~ # nothing", '+ status: "off" # nothing']),
        ({"type": "guide"}, ["+ type: guide"]),
        ({"type": "1.0"}, ['+ type: "1.0"']),
        ({"type": "a\n\n b\n"}, ["+ type: |", "+   a", "+", "+    b"]),
        ({"type": " a\nb"}, ['+ type: " a\\nb"']),
        ({"type": "x\u2028\ufeff😀"}, ['+ type: "x\\u2028\\ufeff😀"']),
    ],
)
def test_a_text_keeps_its_style_where_it_can(values: dict[str, str], lines: list[str]) -> None:
    assert diff(texts=values) == lines


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("Short.", [">-", "  Short."]),
        ("One line.\nAnother.\n\n\nLast.\n", [">", "  One line.", "", "  Another.", "", "", "", "  Last."]),
        ("word " * 14 + "end", [">-", "  " + "word " * 11 + "word", "  word word end"]),
        ("double  spaces", [">-", "  double  spaces"]),
        (" leading", '" leading"'),
        ("", '""'),
    ],
)
def test_a_folded_text_stays_folded(value: str, lines: list[str] | str) -> None:
    document = "---\ndescription: >-\n  Folded text that\n  goes on.\n\n# next\nname: x\n---\n"
    parts = split(document.encode())
    source = "\n".join(lines) if isinstance(lines, list) else lines

    rendered = render(parts.template, changed(fields_of(parts.template), texts={"description": value}), "")

    assert rendered.decode() == f"---\ndescription: {source}\n\n# next\nname: x\n---\n"


@pytest.mark.parametrize(
    ("members", "lines"),
    [
        ({"tags": ("a", "c")}, ['-   - "b" # of b']),
        ({"tags": ("a", "b", "c", "#d")}, ['+   - "#d"']),
        ({"tags": ("new", "a", "b", "c")}, ["+   - new"]),
        ({"tags": ("b", "a", "c")}, ['+   - "b" # of b', '-   - "b" # of b']),
        ({"tags": ("c", "a", "b")}, ["+   - c", "-   - c"]),
        ({"tags": ("a", "c", "b")}, ["+   - c", "-   - c"]),
        ({"keywords": ("z", "x", "n, m")}, ["- keywords: [x, 'y',  z] # flow", '+ keywords: [z, x, "n, m"] # flow']),
        ({"keywords": ("y",)}, ["- keywords: [x, 'y',  z] # flow", "+ keywords: ['y'] # flow"]),
        ({"keywords": None}, ["- keywords: [x, 'y',  z] # flow"]),
        ({"capabilities": ("two", "three")}, ["- capabilities: one, two", "+ capabilities: two, three"]),
        ({"capabilities": ("a, b", "c")}, ["- capabilities: one, two", '+ capabilities: ["a, b", c]']),
        ({"dependencies": ("a", "1.0", "@b")}, ['+ dependencies: [a, "1.0", "@b"]']),
    ],
)
def test_a_list_keeps_its_style_and_the_members_that_stay(members: dict[str, object], lines: list[str]) -> None:
    assert diff(lists=members) == lines


@pytest.mark.parametrize(
    ("members", "source"),
    [(("Read", "Bash(a b)"), "Read Bash(a b)"), (("Read", "a b"), "[Read, a b]")],
)
def test_tools_stay_parted_by_spaces(members: tuple[str, ...], source: str) -> None:
    old = "- allowed-tools: Bash(git add:*, git commit:*) Read"
    assert diff(lists={"allowed_tools": members}) == [old, f"+ allowed-tools: {source}"]


def test_a_list_over_several_lines_keeps_its_line_breaks() -> None:
    document = b"---\ntags: [a,\n  b, # why\n  c,\n]\n---\n"
    fields = changed(fields_of(document), lists={"tags": ("a", "c", "d")})

    assert render(document, fields, "") == b"---\ntags: [a, # why\n  c,\n  d,\n]\n---\n"


def test_a_list_in_a_layout_that_cannot_be_edited_is_written_anew() -> None:
    document = b"---\nname: x\ntags:\n- # of a-b\n  a\n- b\ntype: t\n---\n"
    fields = changed(fields_of(document), lists={"tags": ("a", "c")})

    assert render(document, fields, "") == b"---\nname: x\ntags: [a, c]\ntype: t\n---\n"


def test_numbers_are_written_as_short_as_they_are() -> None:
    assert diff(numbers={"weight": 7.0}) == ["- weight: 5", "+ weight: 7"]
    assert diff(numbers={"weight": 5.0}) == []
    assert diff(numbers={"load_priority": 1e-7}) == ["+ load_priority: 1e-07"]


META = {"author": "me", "list": [{"k": 1, "l": 2}, {"k": 3}]}


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({**META, "author": "you"}, ["-   author: me # the author", "+   author: you # the author"]),
        (
            {**META, "new": {"a": [1, {"b": None}], "c": "x\ny"}},
            ["+   new:", "+     a: [1, {b: null}]", '+     c: "x\\ny"'],
        ),
        ({**META, "new": {"a": {"b": True}, "e": {}}}, ["+   new:", "+     a:", "+       b: true", "+     e: {}"]),
        ({"list": META["list"]}, ["-   author: me # the author"]),
        ({**META, "list": [{"k": 1, "l": 5}, {"k": 3}]}, ["-     l: 2", "+     l: 5"]),
        ({**META, "list": [{"l": 2}, {"k": 3}]}, ["-   - k: 1", "-     l: 2", "+   - l: 2"]),
        ({**META, "list": [{"k": 1, "l": 2}, "x", {"k": 3}]}, ["+   - x"]),
        ({**META, "list": [{"k": 1, "l": 2}, {"m": 3}]}, ["-   - k: 3", "+   - m: 3"]),
        ({**META, "list": "gone"}, ["-   list:", "-   - k: 1", "-     l: 2", "-   - k: 3", "+   list: gone"]),
        ({}, ["- metadata:", *(f"- {line}" for line in DOCUMENT.split("\n")[21:26]), "+ metadata: {}"]),
    ],
)
def test_a_nested_value_is_edited_at_its_innermost_key(value: object, lines: list[str]) -> None:
    assert diff(extra={"metadata": value}) == lines


@pytest.mark.parametrize(
    ("key", "value", "lines"),
    [
        ("flow", {"a": 1}, ["- flow: {a: 1, b: [x, y], c: d}", "+ flow: {a: 1}"]),
        (
            "flow",
            {"b": ["y", "q"], "c": "d", "e": True},
            ["- flow: {a: 1, b: [x, y], c: d}", "+ flow: {b: [y, q], c: d, e: true}"],
        ),
        ("flow", {"x": 1}, ["- flow: {a: 1, b: [x, y], c: d}", "+ flow: {x: 1}"]),
        ("flow", [1, "a"], ["- flow: {a: 1, b: [x, y], c: d}", "+ flow: [1, a]"]),
        ("quoted", "they're", ["- quoted: 'it''s'", "+ quoted: 'they''re'"]),
        ("double", 'a\\"', ['- double: "a\\tb"', '+ double: "a\\\\\\""']),
        ("plain", "one", ["- plain: two", "-   lines", "+ plain: one"]),
        ("plain", 3, ["- plain: two", "-   lines", "+ plain: 3"]),
        ("plain", None, ["- plain: two", "-   lines"]),
        ("new", {"a": {"b": [1]}}, ["+ new:", "+   a:", "+     b: [1]"]),
        ("new", "null", ['+ new: "null"']),
        ("empty", ["a"], ["- empty: []", "+ empty: [a]"]),
        ("nested", [["a", "b"], "c"], ["- - - a", "+ - [a, b]"]),
    ],
)
def test_other_keys_are_edited_likewise(key: str, value: object, lines: list[str]) -> None:
    assert diff(extra={key: value}) == lines


def test_a_literal_text_stays_literal_with_its_comment() -> None:
    assert diff(extra={"license": "GPL\n"}) == ["-   MIT", "-", "-   and more", "+   GPL"]
    assert diff(extra={"license": "MIT\n\n  and more"}) == [
        *("- license: | # kept", "+ license: |- # kept", "-   and more", "+     and more"),
    ]


def test_a_new_key_is_indented_like_its_neighbours() -> None:
    document = b"---\n  name: x\n  metadata:\n      author: me\n  # tail\n---\n"
    fields = changed(
        fields_of(document),
        texts={"type": "t"},
        extra={"metadata": {"author": "me", "b": 1}},
        lists={"allowed_tools": ("A",)},
    )

    assert render(document, fields, "") == (
        b"---\n  name: x\n  metadata:\n      author: me\n      b: 1\n  type: t\n  allowed-tools: [A]\n  # tail\n---\n"
    )


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        (b"", b"---\nname: x\ntags: [a]\n---\nbody"),
        ("\ufeff".encode(), "\ufeff---\nname: x\ntags: [a]\n---\nbody".encode()),
        (b"---\r\n---\r\n", b"---\r\nname: x\r\ntags: [a]\r\n---\r\nbody"),
        (b"---\n# why\n---", b"---\n# why\nname: x\ntags: [a]\n---\nbody"),
        (b"---\n{}\n---\n", b"---\n{name: x, tags: [a]}\n---\nbody"),
        (b"---\n{tags: [], \n name: }\n---\n", b"---\n{tags: [a], \n name: x}\n---\nbody"),
    ],
)
def test_a_front_matter_is_made_or_filled(template: bytes, rendered: bytes) -> None:
    assert render(template, Fields(texts={"name": "x"}, lists={"tags": ("a",)}), "body") == rendered


def test_a_made_front_matter_has_the_line_breaks_of_the_body() -> None:
    assert render(b"", Fields(texts={"name": "x"}), "a\r\nb") == b"---\r\nname: x\r\n---\r\na\r\nb"


def test_a_front_matter_may_lose_all_its_keys() -> None:
    assert render(b"---\nname: x\nb: 1\n---\n", Fields(), "text") == b"---\n---\ntext"


@pytest.mark.parametrize("lists", [{"tags": ()}, {}])
def test_a_list_without_members_goes(lists: dict[str, tuple[str, ...]]) -> None:
    assert render(b"---\na: b\ntags: [x]\n---\n", Fields(lists=lists, extra={"a": "b"}), "") == b"---\na: b\n---\n"


@pytest.mark.parametrize(
    ("template", "body"),
    [
        (b"", "---\nname: x\n---\n"),
        (b"", "--- \n"),
        (b"", "\ufeffx"),
        ("\ufeff".encode(), "---\na: b\n---\n"),
        (b"---\ra: b\r---\r", "\nx"),
        (b"", "a\0"),
        (b"", "a\ud800"),
    ],
)
def test_a_body_that_would_be_read_as_something_else_is_refused(template: bytes, body: str) -> None:
    with pytest.raises(EditRefused) as refused:
        render(template, fields_of(template), body)

    assert refused.value.key == "body"


def test_a_body_may_begin_with_a_fence_below_a_front_matter() -> None:
    assert render(b"---\na: b\n---\n", Fields(extra={"a": "b"}), "---\nx") == b"---\na: b\n---\n---\nx"


NESTED: list[object] = []
for _ in range(500):
    NESTED = [NESTED]

REFUSED = {
    "an anchor in the key": ("a: &x 1\nb: *x", {"a": 2, "b": 1}, "a"),
    "an alias in the key": ("a: &x 1\nb: *x", {"a": 1, "b": 2}, "b"),
    "an anchor further down": ("m:\n  a: &x 1\n  b: [c]", {"m": {"a": 1, "b": []}}, "m"),
    "a key of several lines": ("? a\n: b", {}, "a"),
    "a key without a colon": ("{a, b: c}", {"a": "x", "b": "c"}, "a"),
    "a key that is a column's": ("a: b", {"a": "b", "allowed-tools": 1}, "allowed-tools"),
    "a NUL": ("a: b", {"a": "\0"}, "a"),
    "a NUL in a new key": ("a: b", {"a": "b", "c": "\0"}, "c"),
    "half a character": ("a: b", {"a": "\ud800"}, "a"),
    "no number of JSON": ("a: b", {"a": float("inf")}, "a"),
    "five hundred levels": ("a: b", {"a": NESTED}, "a"),
    "a level too many": ("a: b", {"a": [[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]}, "a"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_edited_in_place_is_refused(case: str) -> None:
    source, extra, key = REFUSED[case]
    template = f"---\n{source}\n---\n".encode()

    with pytest.raises(EditRefused) as refused:
        render(template, Fields(extra=extra), "")  # type: ignore[arg-type]  # JSON, as the test says

    assert refused.value.key == key


def test_other_keys_may_change_beside_an_anchor() -> None:
    template = b"---\na: &x 1\nb: *x\nc: d\n---\n"

    assert render(template, Fields(extra={"a": 1, "b": 1, "c": "e"}), "") == template.replace(b"d", b"e")


@pytest.mark.parametrize(
    "fields",
    [
        Fields(texts={"version": "2"}, extra={"version": ["1"]}),
        Fields(extra={"version": "2"}),
        Fields(texts={"license": "MIT"}),
        Fields(numbers={"weight": True}),
    ],
)
def test_a_value_in_two_places_or_in_the_wrong_one_is_refused(fields: Fields) -> None:
    with pytest.raises(EditRefused):
        render(b"---\nversion: [1]\n---\n", fields, "")


def test_a_template_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(SkillUnreadable):
        render(b"---\na: [\n---\n", Fields(), "")


def test_more_changes_than_can_be_made_in_time_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edit, "_MOST_READ", 5_000)
    keys = [f"key{number}" for number in range(100)]
    template = "\n".join(["---", *(f"{key}: 1" for key in keys), "---", ""]).encode()

    with pytest.raises(EditRefused, match="Too many keys"):
        render(template, Fields(extra=dict.fromkeys(keys, 2)), "")


@settings(max_examples=200, deadline=None)
@given(documents())
def test_a_row_that_nobody_touched_is_the_document(document: bytes) -> None:
    try:
        parts = split(document)
    except SkillUnreadable:
        return
    assert render(parts.template, fields_of(parts.template), parts.body) == document


TEXTS: Sequence[str] = (
    *("x", "a: b", "# c", "", " lead", "trail ", "two\nlines\n", "\n", "true", "1.0", "é😀", "\u2028x", "- a", "[a"),
    *('"q"', "it's", "\\x", "a,b", "---", "...", "| x", "\ttab", "long " * 40, "a\n---\nb", "cr\r\nlf", "@a", "*a"),
)
JSON = st.recursive(
    st.one_of(st.sampled_from(TEXTS), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.none(), st.just(2.5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(TEXTS), inner, max_size=3)),
    max_leaves=6,
)
EDITS = st.fixed_dictionaries(
    {},
    optional={
        "texts": st.dictionaries(st.sampled_from(("name", "description", "type")), st.sampled_from((*TEXTS, None))),
        "numbers": st.dictionaries(st.just("weight"), st.sampled_from((1, 2.5, None))),
        "lists": st.dictionaries(
            st.sampled_from(("tags", "allowed_tools")), st.lists(st.sampled_from(TEXTS), max_size=4).map(tuple)
        ),
        "extra": st.dictionaries(st.sampled_from(("metadata", "license", "new")), JSON),
    },
)


@settings(max_examples=400, deadline=None)
@given(documents(), EDITS)
def test_any_edit_is_made_without_touching_other_keys_or_refused(document: bytes, edits: dict[str, object]) -> None:
    try:
        parts = split(document)
    except SkillUnreadable:
        return
    before = fields_of(parts.template)
    wanted = changed(before, **edits)
    assume(not any(key in wanted.extra for key in (*wanted.texts, *wanted.numbers, *wanted.lists)))
    try:
        rendered = split(render(parts.template, wanted, parts.body))
    except EditRefused as refused:
        assert b"&" in parts.template or b"*" in parts.template, refused.message
        return
    after = fields_of(rendered.template)
    assert rendered.body == parts.body
    assert (after.texts, after.numbers) == (wanted.texts, wanted.numbers)
    assert after.lists == {key: members for key, members in wanted.lists.items() if members}
    assert same(dict(after.extra), dict(wanted.extra))
    old, new = read_template(parts.template), read_template(rendered.template)
    edited = {key for kind in edits.values() for key in kind}  # type: ignore[attr-defined]
    for key, entry in old.entries.items():
        assert key in edited or source_of(old.text, entry) == source_of(new.text, new.entries[key])


@needs_corpus
def test_editing_one_key_of_a_real_skill_changes_only_its_lines() -> None:
    edits = [
        ("description", {"texts": {"description": "Another: text, \"with\" a 'few' signs # and more."}}),
        ("tags", {"lists": {"tags": ("one", "two: three")}}),
        ("allowed_tools", {"lists": {"allowed_tools": ("Read", "Bash(git:*)")}}),
    ]
    for path, document in corpus():
        parts = split(document)
        fields = fields_of(parts.template)
        assert render(parts.template, fields, parts.body) == document, path
        metadata = {**fields.extra.get("metadata", {}), "author": "somebody else"}  # type: ignore[dict-item]
        for key, values in [*edits, ("metadata", {"extra": {"metadata": metadata}})]:
            rendered = render(parts.template, changed(fields, **values), parts.body)
            assert without(rendered, key) == without(document, key), path
            assert fields_of(split(rendered).template) == changed(fields, **values), path
            if key == "metadata":
                assert split(rendered).template.count(b"somebody else") == 1


def without(document: bytes, key: str) -> bytes:
    """The document without the lines of one key."""
    template = read_template(split(document).template)
    if key not in template.entries:
        return document
    source = source_of(template.text, template.entries[key]).encode()
    start = document.index(source)
    return document[:start] + document[document.index(b"\n", start + len(source)) + 1 :]
