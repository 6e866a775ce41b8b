"""Points of an entry: keys, ids, texts, fingerprints."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sot_pipeline.plan import Record, RecordKey
from sot_pipeline.targets.chunks import utf8_size
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.points import (
    entry_hashes,
    fingerprint_of,
    listed_id,
    point_id,
    point_key,
    points_of,
    record_of_point,
)
from sot_pipeline.targets.vectors.store import Point

KEY = RecordKey("demo", "build_history", "BUILD-7")
DOCS = CollectionId("demo", Kind.DOCS)


def record(content: str, title: str = "Title") -> Record:
    return Record(KEY, title, content, {}, None, "0123456789abcdef")


def cut(content: str, title: str = "Title", *, chunk_tokens: int = 100, max_tokens: int = 8191) -> list[Point]:
    return points_of(record(content, title), "docs/B.md", chunk_tokens=chunk_tokens, max_tokens=max_tokens)


def test_a_short_entry_is_one_point_with_its_title_in_front() -> None:
    (point,) = cut("Some text.\n")

    assert point.key == "demo_build_history_BUILD-7#0"
    assert point.text == "Title\n\nSome text.\n"
    assert (point.record, point.chunk, point.title, point.path) == (KEY, 0, "Title", "docs/B.md")
    assert point.entry_hash == "0123456789abcdef"


def test_an_entry_without_a_title_is_its_text_alone() -> None:
    assert [point.text for point in cut("Some text.", title="")] == ["Some text."]


def test_an_empty_entry_still_has_a_point() -> None:
    assert [point.text for point in cut("")] == ["Title\n\n"]


def test_a_long_entry_is_cut_at_headings_and_each_chunk_bears_the_title() -> None:
    found = cut("## A\n" + "a " * 150 + "\n## B\n" + "b " * 150)

    assert [point.key for point in found] == ["demo_build_history_BUILD-7#0", "demo_build_history_BUILD-7#1"]
    assert [point.text[:11] for point in found] == ["Title\n\n## A", "Title\n\n## B"]


@pytest.mark.parametrize("letter", ["a", "é", "語", "👩"])
@pytest.mark.parametrize("title", ["Title", "語" * 5000])
def test_no_text_exceeds_the_tokens_that_a_model_takes(letter: str, title: str) -> None:
    found = cut(letter * 3000, title, max_tokens=512)

    assert max(utf8_size(point.text) for point in found) <= 512
    assert "".join(point.text.split("\n\n", 1)[1] for point in found) == letter * 3000


def test_the_id_is_the_uuid5_of_the_key_in_the_standard_namespace() -> None:
    assert point_id("demo_build_history_BUILD-7#0") == "fda176af-8204-5b2d-bdf0-c2e47026ee99"
    assert point_id("a#0") == str(uuid.uuid5(uuid.NAMESPACE_URL, "a#0"))


def test_listed_keys_and_ids_lead_to_the_id_of_their_point() -> None:
    some = str(uuid.UUID(int=9))

    assert listed_id("demo_x_A-1#0") == point_id("demo_x_A-1#0")
    assert listed_id(some) == some
    assert listed_id("42") == 42


@pytest.mark.parametrize(
    "key",
    [
        RecordKey("demo", "build_history", "BUILD-7"),
        RecordKey("a_b", "log", "MY_PREFIX-1_2"),
        RecordKey("p", "x", "adr-12"),
        RecordKey("p", "debug_log", "Dbg_x-3#1"),
        RecordKey("p", "x_1", "A-1\nb"),
    ],
)
def test_a_key_leads_back_to_its_entry(key: RecordKey) -> None:
    assert record_of_point(point_key(key, 12), CollectionId(key.project_id, Kind.DOCS)) == key


@given(st.text(min_size=1), st.from_regex(r"[a-z0-9][a-z0-9_-]*", fullmatch=True), st.integers(0, 10_000))
@example("my_module.py", "a_b", 0)
@example("code_of/a#1#2", "p_code", 3)
@example("a\n#7", "p", 12)
def test_the_key_of_a_file_leads_back_to_its_path_whatever_is_in_it(path: str, project_id: str, chunk: int) -> None:
    key = RecordKey(project_id, "code", path)

    assert record_of_point(point_key(key, chunk), CollectionId(project_id, Kind.CODE)) == key


@pytest.mark.parametrize("listed", ["demo_skill_a#0", "demo_code_a.py", "6c2d2e4e-0000-0000-0000-000000000000"])
def test_a_foreign_key_in_a_collection_of_code_belongs_to_no_file_type(listed: str) -> None:
    assert record_of_point(listed, CollectionId("demo", Kind.CODE)) == RecordKey("demo", "", listed)


def test_an_unusable_key_belongs_to_no_file_type() -> None:
    assert record_of_point("6c2d2e4e-0000-0000-0000-000000000000", DOCS).file_type == ""


@pytest.mark.parametrize(
    "other",
    [
        {"title": "Other"},
        {"path": "other.md"},
        {"text": "other"},
        {"chunk": 1},
        {"entry_hash": "f" * 16},
        {"key": "k#0"},
        {"record": KEY._replace(entry_id="BUILD-8")},
    ],
    ids=lambda other: next(iter(other)),
)
def test_the_fingerprint_covers_every_field(other: dict[str, object]) -> None:
    (point,) = cut("text")

    assert fingerprint(replace(point, **other)) != point.content_hash  # type: ignore[arg-type]
    assert fingerprint(point) == point.content_hash


def test_listed_fingerprints_tell_which_version_of_an_entry_is_indexed() -> None:
    first, second = cut("## A\n" + "a " * 150 + "\n## B\n" + "b " * 150)
    whole = {first.key: first.content_hash, second.key: second.content_hash}

    assert entry_hashes(whole, DOCS) == {KEY: "0123456789abcdef"}
    assert entry_hashes({**whole, second.key: ""}, DOCS) == {KEY: ""}
    assert entry_hashes({**whole, second.key: "ffff-0"}, DOCS) == {KEY: ""}


@given(st.tuples(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5)), st.data())
def test_text_that_moves_between_fields_changes_the_fingerprint(
    texts: tuple[str, str, str], data: st.DataObject
) -> None:
    whole = "".join(texts)
    first = data.draw(st.integers(0, len(whole)))
    second = data.draw(st.integers(first, len(whole)))
    moved = (whole[:first], whole[first:second], whole[second:])

    one, other = (fingerprint_of("k#0", KEY, 0, title, path, text, "0") for title, path, text in (texts, moved))

    assert (one == other) == (texts == moved)


def fingerprint(point: Point) -> str:
    return fingerprint_of(point.key, point.record, point.chunk, point.title, point.path, point.text, point.entry_hash)
