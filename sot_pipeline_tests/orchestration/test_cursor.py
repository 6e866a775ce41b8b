from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.orchestration.cursor import decode, encode
from sot_pipeline.runtime.tree import SETTLED_AFTER_NS, FileState, ProjectState, Stat, changed_paths, look

NOW = 1_800_000_000_000_000_000
OLD = NOW - 10 * SETTLED_AFTER_NS

paths = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
contents = st.dictionaries(paths, st.text(max_size=4), max_size=5)


class Disk:
    """Files as path → text, with a note of which were read."""

    def __init__(self, files: Mapping[str, str], mtime_ns: int = OLD) -> None:
        self.files = dict(files)
        self.mtime_ns = mtime_ns
        self.read: list[str] = []

    @property
    def stats(self) -> dict[str, Stat]:
        return {path: Stat(len(text), self.mtime_ns) for path, text in self.files.items()}

    def digest(self, path: str) -> str:
        self.read.append(path)
        return f"digest of {self.files[path]}"

    def look(self, before: ProjectState | None, now_ns: int = NOW) -> ProjectState:
        return look(before, self.stats, self.digest, now_ns=now_ns)


def test_unchanged_files_are_not_read_again() -> None:
    first = Disk({"a.md": "A"}).look(None)
    disk = Disk({"a.md": "A"})

    second = disk.look(first)

    assert (second.generation, disk.read) == (first.generation, [])


def test_touched_file_with_the_same_content_is_no_change() -> None:
    first = Disk({"a.md": "A"}).look(None)
    touched = Disk({"a.md": "A"}, mtime_ns=OLD + 1)

    second = touched.look(first)

    assert touched.read == ["a.md"]
    assert (second.hash, second.generation) == (first.hash, first.generation)


def test_going_back_to_an_earlier_content_is_a_change_of_its_own() -> None:
    a = Disk({"a.md": "A"}).look(None)
    b = Disk({"a.md": "B"}, mtime_ns=OLD + 1).look(a)
    again = Disk({"a.md": "A"}, mtime_ns=OLD + 2).look(b)

    assert a.hash == again.hash != b.hash
    assert [a.generation, b.generation, again.generation] == [a.generation, a.generation + 1, a.generation + 2]


def test_file_written_just_now_is_read_again_until_its_mtime_can_be_trusted() -> None:
    fresh = Disk({"a.md": "A"}, mtime_ns=NOW - 1)
    first = fresh.look(None)
    rewritten = Disk({"a.md": "B"}, mtime_ns=NOW - 1)  # same size, same tick of the clock

    second = rewritten.look(first, now_ns=NOW + 1)

    assert second.generation == first.generation + 1


def test_reset_cursor_starts_at_a_generation_that_was_never_used() -> None:
    first = Disk({"a.md": "A"}).look(None)
    changed = Disk({"a.md": "B"}, mtime_ns=OLD + 1).look(first)

    forgotten = Disk({"a.md": "A"}).look(None, now_ns=NOW + 5_000_000_000)

    assert forgotten.generation > changed.generation


def test_changed_paths_name_what_was_added_removed_and_rewritten() -> None:
    before = Disk({"gone.md": "x", "same.md": "x", "rewritten.md": "x"}).look(None)
    after = Disk({"new.md": "x", "same.md": "x", "rewritten.md": "y"}, mtime_ns=OLD + 1).look(before)

    assert changed_paths(before, after) == ("gone.md", "new.md", "rewritten.md")


def test_without_a_past_every_path_counts_as_changed() -> None:
    assert changed_paths(None, Disk({"b.md": "", "a.md": ""}).look(None)) == ("a.md", "b.md")


@given(contents, contents)
def test_generation_goes_up_exactly_when_contents_differ(one: dict[str, str], two: dict[str, str]) -> None:
    before = Disk(one).look(None)
    after = Disk(two, mtime_ns=OLD + 1).look(before)

    assert after.generation == before.generation + (one != two)
    assert bool(changed_paths(before, after)) == (one != two)


@given(st.dictionaries(paths, contents, max_size=4))
def test_cursor_survives_being_written_and_read(projects: dict[str, dict[str, str]]) -> None:
    states = {name: Disk(files).look(None) for name, files in projects.items()}

    assert decode(encode(states)) == states


@pytest.mark.parametrize(
    "cursor",
    [
        None,
        "",
        "no json",
        "[]",
        "3",
        '{"version": 0, "projects": {}}',
        '{"version": 1}',
        '{"version": 1, "projects": []}',
        '{"version": 1, "projects": {"a": {"generation": "x", "files": {}}}}',
        '{"version": 1, "projects": {"a": {"generation": 1, "files": {"a.md": [1]}}}}',
        "[" * 20_000,
    ],
)
def test_unreadable_cursor_is_forgotten(cursor: str | None) -> None:
    assert decode(cursor) == {}


@given(st.text(max_size=30))
def test_decode_never_raises(cursor: str) -> None:
    assert isinstance(decode(cursor), dict)


def test_file_state_keeps_numbers_through_the_cursor() -> None:
    state = ProjectState(3, {"a.md": FileState(1, OLD, "d")})

    assert decode(encode({"p": state}))["p"].files["a.md"] == FileState(1, OLD, "d")


def test_a_hinted_file_is_read_even_if_size_and_mtime_stayed() -> None:
    before = look(None, Disk({"a": "1", "b": "2"}).stats, Disk({"a": "1", "b": "2"}).digest, now_ns=NOW)
    disk = Disk({"a": "9", "b": "2"})

    after = look(before, disk.stats, disk.digest, now_ns=NOW, distrust={"a"})

    assert disk.read == ["a"]
    assert changed_paths(before, after) == ("a",)


def test_a_file_that_cannot_be_read_is_tried_again_without_a_new_mtime() -> None:
    def refused(path: str) -> str:
        raise PermissionError(13, "Permission denied")

    disk = Disk({"a": "1"})
    before = look(None, disk.stats, refused, now_ns=NOW)

    after = look(before, disk.stats, disk.digest, now_ns=NOW)

    assert before.files["a"].digest == "unreadable (Permission denied)"
    assert changed_paths(before, after) == ("a",)
