"""Merging by lines, compared with git on random texts."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sot_pipeline.skills.alignment import Change, changes
from sot_pipeline.skills.lines import merge_lines

# Without anybody's settings: they may choose another algorithm.
BARE = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not there")


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("a\nb\nc\n", "a\nb\nc\n", "a\nx\nc\n", "a\nx\nc\n"),
        ("a\nb\nc\n", "a\nx\nc\n", "a\nb\nc\n", "a\nx\nc\n"),
        ("a\nb\nc\n", "a\nx\nc\n", "a\nx\nc\n", "a\nx\nc\n"),
        ("a\nb\nc\nd\n", "A\nb\nc\nd\n", "a\nb\nc\nD\n", "A\nb\nc\nD\n"),
        ("a\nb\nc\nd\n", "A\nb\nC\nd\n", "A\nb\nc\nD\n", None),
        ("a\nb\nc\nd\n", "A\nb\nc\nd\n", "A\nb\nc\nD\n", "A\nb\nc\nD\n"),
        ("a\nb\n", "x\nb\n", "a\ny\n", None),
        ("a\nb\n", "x\nb\n", "y\nb\n", None),
        ("a\nb\nc\n", "a\nc\n", "a\nB\nc\n", None),
        ("a\nb\nc\nd\n", "a\nc\nd\n", "a\nb\nc\n", "a\nc\n"),
        ("a\r\nb\r\nc\r\n", "A\r\nb\r\nc\r\n", "a\r\nb\r\nC\r\n", "A\r\nb\r\nC\r\n"),
        ("a\nb\nc\n", "a\nb\nc", "x\nb\nc\n", "x\nb\nc"),
        ("a\nb\nc", "a\nb\nc\n", "a\nb\nc", "a\nb\nc\n"),
        ("a\nb\nc", "a\nb\nc\n", "a\nb\nx", None),
        ("", "a\n", "b\n", None),
        ("", "a\n", "a\n", "a\n"),
        ("a\n", "", "", ""),
        ("a\u2028b\n\x0cc\n", "a\u2028B\n\x0cc\n", "a\u2028b\n\x0cc\n", "a\u2028B\n\x0cc\n"),
    ],
)
def test_lines_merge_where_changes_do_not_touch(base: str, ours: str, theirs: str, merged: str | None) -> None:
    assert merge_lines(base, ours, theirs) == merged


Git = Callable[[str, str, str], "str | None"]


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Git:
    """What `git merge-file` makes of base, ours and theirs; None for a conflict."""
    folder = tmp_path_factory.mktemp("merge")
    files = [folder / name for name in ("ours", "base", "theirs")]

    def merge(base: str, ours: str, theirs: str) -> str | None:
        for path, text in zip(files, (ours, base, theirs), strict=True):
            path.write_bytes(text.encode())
        # Without close_fds, Python starts the process without copying its own memory.
        done = subprocess.run(["git", "merge-file", "-p", *files], stdout=subprocess.PIPE, close_fds=False, env=BARE)
        assert 0 <= done.returncode < 128
        return done.stdout.decode() if done.returncode == 0 else None

    return merge


def texts(lines: str) -> st.SearchStrategy[str]:
    """Texts of few different lines, some without a line feed at the end."""
    return st.lists(st.sampled_from([f"{line}\n" for line in lines]), max_size=9).flatmap(
        lambda found: st.sampled_from(["".join(found), "".join(found), "".join(found)[:-1]])
    )


@needs_git
@settings(max_examples=1_000, deadline=None)
@given(st.sampled_from(["ab", "abcd", "ab\r"]).flatmap(lambda lines: st.tuples(*[texts(lines)] * 3)))
def test_small_texts_merge_as_git_merges_them(git: Git, versions: tuple[str, str, str]) -> None:
    assert merge_lines(*versions) == git(*versions)


def edited(chance: random.Random, lines: list[str], words: list[str], edits: int) -> list[str]:
    """`lines` with some inserted, deleted, replaced, or with a piece gone."""
    found = list(lines)
    for _ in range(edits):
        place = chance.randrange(len(found) + 1)
        kind = chance.random()
        if kind < 0.4:
            found.insert(place, chance.choice(words))
        elif kind < 0.9:
            found[place : place + 1] = [chance.choice(words)] * (kind < 0.65)
        else:
            del found[place : place + chance.randrange(8)]
    return found


def versions_of(seed: int) -> tuple[str, str, str]:
    """A text of up to 60 lines and two edited ones; in half of the cases few lines are alike."""
    chance = random.Random(seed)
    words = [f"word {number}" for number in range(chance.choice([2, 4, 10, 200]))]
    base = [chance.choice(words) for _ in range(chance.randrange(60))]
    line_break = chance.choice(["\n", "\n", "\r\n"])

    def text(lines: list[str]) -> str:
        return line_break.join(lines) + line_break * (chance.random() < 0.8)

    return (
        text(base),
        text(edited(chance, base, words, chance.choice([1, 2, 4, 20]))),
        text(edited(chance, base, words, chance.choice([1, 2, 4, 20]))),
    )


@needs_git
def test_longer_texts_merge_as_git_merges_them(git: Git) -> None:
    clean = 0
    for seed in range(1_000):
        versions = versions_of(seed)
        merged = merge_lines(*versions)
        assert merged == git(*versions), seed
        clean += merged is not None

    assert 200 < clean < 800


def hunks(diff: str) -> Iterator[Change]:
    """The changes in what `git diff -U0` prints; a side without lines is told by the line before it."""
    for line in diff.splitlines():
        if line.startswith("@@"):
            spans = [[*map(int, span[1:].split(",")), 1][:2] for span in line.split(" ")[1:3]]
            starts = [start - bool(length) for start, length in spans]
            yield Change(starts[0], starts[0] + spans[0][1], starts[1], starts[1] + spans[1][1])


@needs_git
@pytest.mark.parametrize(
    ("lines", "words", "edits"), [(400, 3, 300), (900, 40, 900), (1_500, 1_000, 1_200), (1_200, 30, -1)]
)
def test_texts_that_differ_much_are_aligned_as_git_aligns_them(
    tmp_path: Path, lines: int, words: int, edits: int
) -> None:
    for seed in range(3):
        chance = random.Random(seed)
        known = [f"word {number}" for number in range(words)]
        old = [chance.choice(known) for _ in range(lines)]
        new = edited(chance, old, known, edits) if edits > 0 else [chance.choice(known) for _ in range(lines)]
        # A last line of their own: git looks at texts that end alike in another way when it prints no context.
        old, new = [*old, "old end"], [*new, "new end"]
        for name, text in (("old", old), ("new", new)):
            (tmp_path / name).write_text("".join(f"{line}\n" for line in text))
        command = ["git", "diff", "--no-index", "-U0", "--diff-algorithm=myers", "--no-indent-heuristic", "old", "new"]
        printed = subprocess.run(
            command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, close_fds=False, env=BARE
        ).stdout

        assert changes(old, new) == list(hunks(printed)), seed


WORDS = st.text("ab\n", max_size=12)


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS, WORDS)
def test_sides_may_be_exchanged(base: str, ours: str, theirs: str) -> None:
    assert merge_lines(base, ours, theirs) == merge_lines(base, theirs, ours)


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS, WORDS)
def test_a_merge_is_merged_already(base: str, ours: str, theirs: str) -> None:
    merged = merge_lines(base, ours, theirs)
    if merged is not None:
        assert merge_lines(ours, merged, ours) == merge_lines(theirs, theirs, merged) == merged


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("abcd")), st.lists(st.sampled_from("abcd")))
def test_changes_lead_from_one_text_to_the_other(old: list[str], new: list[str]) -> None:
    found: list[str] = []
    done = 0
    for change in changes(old, new):
        found += old[done : change.old_start]
        assert len(found) == change.new_start
        found += new[change.new_start : change.new_end]
        done = change.old_end

    assert found + old[done:] == new


def test_a_body_of_5000_lines_is_merged_in_a_quarter_of_a_second() -> None:
    base = [f"line {number % 700}\n" for number in range(5_000)]
    ours, theirs = list(base), list(base)
    ours[10], theirs[4_990] = "ours\n", "theirs\n"
    start = time.process_time()
    merged = merge_lines("".join(base), "".join(ours), "".join(theirs))

    assert time.process_time() - start < 0.25
    assert merged == "".join([*base[:10], "ours\n", *base[11:4_990], "theirs\n", *base[4_991:]])
