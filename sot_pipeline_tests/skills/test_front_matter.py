"""Cutting a SKILL.md in two, and what its front matter says."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sot_pipeline.errors import SkillUnreadable
from sot_pipeline.skills import header
from sot_pipeline.skills.front_matter import Parts, fields_of, read_template, split
from sot_pipeline.skills.model import Fields
from sot_pipeline.skills.spans import source_of
from sot_pipeline.skills.values import same
from sot_pipeline_tests.skills.documents import corpus, documents, needs_corpus


def fields(text: str) -> Fields:
    return fields_of(f"---\n{text}\n---\n".encode())


@pytest.mark.parametrize(
    ("document", "template", "body"),
    [
        ("---\nname: x\n---\nBody\n", "---\nname: x\n---\n", "Body\n"),
        ("---\r\nname: x\r\n---\r\nBody", "---\r\nname: x\r\n---\r\n", "Body"),
        ("---\rname: x\r---\rBody", "---\rname: x\r---\r", "Body"),
        ("\ufeff---\nname: x\n---\nBody", "\ufeff---\nname: x\n---\n", "Body"),
        ("--- \t\nname: x\n---  \nBody", "--- \t\nname: x\n---  \n", "Body"),
        ("---\nname: x\n---", "---\nname: x\n---", ""),
        ("---\n---\nBody", "---\n---\n", "Body"),
        ("---\n# nothing yet\n---\n---\nBody", "---\n# nothing yet\n---\n", "---\nBody"),
        ("---\nname: x\n--- no\n".replace("--- no", "---"), "---\nname: x\n---\n", ""),
        ("# Title\n---\nname: x\n---\n", "", "# Title\n---\nname: x\n---\n"),
        ("\ufeff# Title\n", "\ufeff", "# Title\n"),
        ("----\n", "", "----\n"),
        ("\n---\nname: x\n---\n", "", "\n---\nname: x\n---\n"),
        ("", "", ""),
    ],
)
def test_the_template_ends_with_the_closing_fence(document: str, template: str, body: str) -> None:
    assert split(document.encode()) == Parts(template.encode(), body)


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [*a{level - 1}, *a{level - 1}]" for level in range(1, levels)]
    return "\n".join(lines)


def tower(stories: int) -> str:
    lines = [f"a0: &a0 {'[' * 9}{']' * 9}"]
    lines += [f"a{story}: &a{story} {'[' * 9}*a{story - 1}{']' * 9}" for story in range(1, stories)]
    return "\n".join(lines)


UNREADABLE = {
    "no UTF-8": (b"---\nname: x\n---\n\nb\xff", 5, "not UTF-8"),
    "a NUL": (b"---\nname: x\n---\n\0", 4, "NUL"),
    "an escaped NUL": (b'---\nname: x\nb: "\\0"\n---\n', 3, "NUL"),
    "no closing fence": (b"---\nname: x\n ---\n--- x\n", 1, "no end"),
    "only an opening fence": (b"---", 1, "no end"),
    "broken YAML": (b"---\nname: x\nb: [a\n---\n", 4, "no valid YAML"),
    "a text behind a mapping": (b"---\na: b\nname: x: y\n---\n", 3, "put the text between quotes"),
    "a text in bold": (b"---\ndescription: **x** y\n---\n", 2, "put the text between quotes"),
    "a text that goes on at the margin": (b"---\ndescription: x\ny\n---\n", 4, "indented below 'key: |'"),
    "half of a character": (b'---\nname: "\\ud83e\\udde0"\n---\n', 2, "write the character itself"),
    "a character that YAML has not": (b"---\nname: \x01\n---\n", 2, "remove it"),
    "a control character": ("---\nname: 😀\nb: \x07\n---\n".encode(), 3, "does not allow"),
    "two documents": (b"---\na: b\n...\n{c: d}\n---\n", 4, "YAML"),
    "a key twice": (b"---\nname: x\nname: y\n---\n", 3, "'name' is there twice"),
    "a key twice further down": (b"---\nname: x\nm:\n  - {a: 1, b: 2, a: 3}\n---\n", 4, "'a' is there twice"),
    "a key twice in other spellings": (b"---\nallowed-tools: a\nallowed_tools: b\n---\n", 3, "with '-' and with '_'"),
    "a key twice in other quotes": (b"---\n1: a\n'1': b\n---\n", 3, "'1' is there twice"),
    "too long": (b"---\na: " + b"x" * header.MAX_BYTES + b"\n---\n", 1, "64 KiB"),
    "too deep": (b"---\na: " + b"[" * 60_000 + b"\n---\n", 2, "20 levels"),
    "too deep in blocks": (b"---\n" + b"- " * 20_000 + b"\n---\n", 2, "20 levels"),
    "too deep by aliases": (f"---\n{tower(40)}\n---\n".encode(), 4, "20 levels"),
    "too deep by an alias below": (f"---\n{tower(2)}\na: [[*a1]]\n---\n".encode(), 4, "20 levels"),
    "too many aliases": (b"---\na: &a x\nb: [" + b"*a, " * 51 + b"]\n---\n", 3, "50 aliases"),
    "a bomb of aliases": (f"---\n{bomb(24)}\n---\n".encode(), 15, "aliases written out"),
    "two documents on one line": ("---\na: b\u2028--- c\n---\n".encode(), 3, "more than one"),
    "an alias of nothing": (b"---\na: *b\n---\n", 2, "stands for nothing"),
    "an alias of itself": (b"---\na: &a [*a]\n---\n", 2, "part of what it stands for"),
    "a list": (b"---\n- a\n---\n", 2, "no mapping"),
    "a text": (b"---\nname\n---\n", 2, "no mapping"),
    "a tag for an object": (b"---\nx: y\na: !!python/object:os.system x\n---\n", 3, "stands for an object"),
    "a tag of its own": (b"---\na: !mine {b: c}\n---\n", 2, "stands for an object"),
    "a tag on a list": (b"---\na: !!set [b]\n---\n", 2, "stands for an object"),
    "a second byte order mark": ("---\n\ufeffa: b\n---\n".encode(), 2, "byte order mark"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_refused_with_its_line(case: str) -> None:
    document, line, message = UNREADABLE[case]

    with pytest.raises(SkillUnreadable, match=message) as refused:
        split(document)

    assert refused.value.line == line


def test_a_header_at_every_limit_is_read() -> None:
    deepest = "a: " + "[" * 19 + "x" + "]" * 19
    most = "b: &b x\nc: [" + "*b, " * 50 + "]"

    assert len(read_template(f"---\n{deepest}\n{most}\n---\n".encode()).entries) == 3


def test_texts_are_what_the_author_wrote() -> None:
    found = fields("name: 007\nversion: 1.0\ndescription: >\n  a\n  b\ntype: 'it''s'\nstatus: yes\nscope: null")

    assert found == Fields(
        texts={"name": "007", "version": "1.0", "description": "a b\n", "type": "it's", "status": "yes"}
    )


def test_numbers_are_numbers_and_nothing_else() -> None:
    assert fields("weight: 5\nload-priority: 1.5").numbers == {"weight": 5, "load_priority": 1.5}
    assert fields("weight: 0x10").numbers == {"weight": 16}
    for source, kept in {"'5'": "5", "true": True, ".inf": ".inf", "1e999": "1e999", "[1]": [1]}.items():
        assert same(fields(f"weight: {source}").extra["weight"], kept)


@pytest.mark.parametrize(
    ("source", "members"),
    [
        ("[a, 'b', 1.0]", ("a", "b", "1.0")),
        ("\n- a\n- b c", ("a", "b c")),
        ("a, b c,,d ", ("a", "b c", "d")),
        ("one", ("one",)),
        ("f(a, b), c", ("f(a, b)", "c")),
        ("&x [a]\nkeywords: *x", ("a",)),
    ],
)
def test_lists_are_written_in_several_ways(source: str, members: tuple[str, ...]) -> None:
    assert fields(f"tags: {source}").lists["tags"] == members


@pytest.mark.parametrize("source", ["[]", "", "~", "''", "', '"])
def test_a_list_without_members_is_not_there(source: str) -> None:
    assert fields(f"tags: {source}") == Fields()


@pytest.mark.parametrize(
    ("source", "members"),
    [
        ("Read Write", ("Read", "Write")),
        ("Read, Write", ("Read", "Write")),
        ("Bash(git add:*, git commit:*) Read(a (b) c)", ("Bash(git add:*, git commit:*)", "Read(a (b) c)")),
        ("Read) Write(a, b", ("Read)", "Write(a, b")),
        ("[Bash(a b), Read]", ("Bash(a b)", "Read")),
    ],
)
def test_tools_are_also_cut_at_spaces_outside_parentheses(source: str, members: tuple[str, ...]) -> None:
    assert fields(f"allowed-tools: {source}").lists["allowed_tools"] == members


def test_a_value_that_does_not_fit_its_column_is_kept_as_json() -> None:
    assert fields("name: [a]\ntags: {a: b}\nkeywords: [a, null]\nallowed-tools: [[a]]").extra == {
        "name": ["a"],
        "tags": {"a": "b"},
        "keywords": ["a", None],
        "allowed_tools": [["a"]],
    }


def test_json_follows_the_core_schema() -> None:
    found = fields(
        "a: [yes, off, 2024-01-01, 1:30, 0o17, 010, 1_000, .5, -1e3, '5', !!str 5, ! 5, ~, Null, TRUE, -.inf, .NaN]\n"
        f"argument-hint: {'9' * 5_000}\nmin: {-(2**63)}\nover: {2**63}\n&q 1: a\ntrue: b\n[x, y]: c\nm: {{*q : d}}"
    ).extra

    assert found["a"] == [
        *("yes", "off", "2024-01-01", "1:30", 15, 10, "1_000", 0.5, -1000.0, "5", "5", "5"),
        *(None, None, True, "-.inf", ".NaN"),
    ]
    assert found["a"][14] is True  # type: ignore[index]
    assert found["m"] == {"1": "d"}
    assert found["argument-hint"] == "9" * 5_000
    assert (found["min"], found["over"]) == (-(2**63), str(2**63))
    assert [key for key in found if found[key] in ("a", "b", "c")] == ["1", "true", "[x, y]"]


def test_an_alias_is_worth_what_it_stands_for() -> None:
    found = fields("a: &a {b: c}\nd: *a\n&k e: f\ng: [*a, {*k : h}]").extra

    assert (found["d"], found["g"]) == ({"b": "c"}, [{"b": "c"}, {"e": "h"}])


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_places_are_characters_whatever_stands_before(line_break: str) -> None:
    lines = ["a: 😀é # 😀", "b: '😀x'", "c: |", "  😀", "  y", "", "d: [😀, z]", "e: &n w", "f: *n"]
    template = read_template(line_break.join(["---", *lines, "---", ""]).encode())

    assert [source_of(template.text, entry) for entry in template.entries.values()] == [
        *("a: 😀é", "b: '😀x'", line_break.join(["c: |", "  😀", "  y"]), "d: [😀, z]", "e: &n w", "f: *n"),
    ]


def test_equality_is_that_of_json() -> None:
    assert same({"a": [5, "x"]}, {"a": [5.0, "x"]})
    assert not same(True, 1)
    assert not same([1], [True])
    assert not same(["a"], ("a",))
    assert not same({"a": None}, {})


@settings(max_examples=300, deadline=None)
@given(st.one_of(documents(), st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
@example(b"---\n\xc2\x85---\n---\n")
def test_any_bytes_are_split_without_loss_or_refused(document: bytes) -> None:
    try:
        parts = split(document)
    except SkillUnreadable as refused:
        assert refused.line >= 1
        return
    assert parts.template + parts.body.encode() == document
    fields_of(parts.template)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*"ab:-?#[]{},&*!|>'\"%@`~ \n\t\r", "\n  ", ": ", "- ", "&a ", "*a", "\\", "é", "😀"])))
def test_any_header_is_read_or_refused(pieces: list[str]) -> None:
    document = f"---\n{''.join(pieces)}\n---\n".encode()
    try:
        fields_of(split(document).template)
    except SkillUnreadable as refused:
        assert 1 <= refused.line <= document.count(b"\n") + document.count(b"\r") + 1


@needs_corpus
def test_every_real_skill_is_read() -> None:
    for path, document in corpus():
        parts = split(document)

        assert parts.template + parts.body.encode() == document, path
        assert {"name", "description"} <= fields_of(parts.template).texts.keys(), path


@needs_corpus
def test_a_thousand_real_skills_are_read_in_a_quarter_of_a_second() -> None:
    some = (corpus() * 8)[:1_000]
    read_template.cache_clear()
    start = time.process_time()
    for _, document in some:
        fields_of(split(document).template)

    assert time.process_time() - start < 0.25
