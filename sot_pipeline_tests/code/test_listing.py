"""A listing that is renewed says what a fresh one says, and looks only into what moved."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sot_pipeline.code.files import NOTHING, Listing, root_state, source_files
from sot_pipeline.runtime.tree import SETTLED_AFTER_NS

Edit = Callable[[Path], None]

NOT_UTF8 = os.fsdecode(b"caf\xe9")  # shown by the same name as the one after it
FOLDERS = st.lists(st.sampled_from(["a", "b", NOT_UTF8, "caf\\xe9", "node_modules"]), max_size=3).map("/".join)
NAMES = st.sampled_from(["x.py", "y.md", "z.txt", f"{NOT_UTF8}.py", "caf\\xe9.py"])
PATTERNS = st.lists(st.sampled_from(["*.py", "!x.py", "a/", "/b", "*.md", "b/**", "!b/", "# no", "caf*"]), max_size=3)
INCLUDED = st.sampled_from([(), ("a/**", "*.md")])


def below(root: Path, folder: str, name: str = "") -> Path:
    """A path below the root whose folder is there, where no file is in the way."""
    place = root / folder
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
    return place / name


def write(folder: str, name: str) -> Edit:
    return lambda root: write_into(below(root, folder, name), "x = 1\n")


def write_into(file: Path, text: str) -> None:
    new = file.with_name("new")
    new.write_text(text)  # as editors do: a new file takes the old one's place
    new.replace(file)


def ignore(folder: str, patterns: list[str]) -> Edit:
    return lambda root: write_into(below(root, folder, ".gitignore"), "\n".join(patterns))


def ignore_in_place(folder: str, patterns: list[str]) -> Edit:
    def edit(root: Path) -> None:
        below(root, folder, ".gitignore").write_text("\n".join(patterns))

    return edit


def ignore_above(patterns: list[str]) -> Edit:
    def edit(root: Path) -> None:
        (root.parent / ".git").mkdir(exist_ok=True)
        (root.parent / ".gitignore").write_text("\n".join(patterns))

    return edit


def remove(folder: str, name: str) -> Edit:
    def edit(root: Path) -> None:
        if (root / folder / name).is_dir():
            shutil.rmtree(root / folder / name)
        else:
            (root / folder / name).unlink()

    return edit


def move(folder: str, to: str) -> Edit:
    return lambda root: below(root, folder).rename(below(root, to, "moved")) and None


def link(folder: str, name: str) -> Edit:
    return lambda root: below(root, folder, name).symlink_to(root / "a")


EDITS = st.one_of(
    st.builds(write, FOLDERS, NAMES),
    st.builds(write, FOLDERS, NAMES),
    st.builds(ignore, FOLDERS, PATTERNS),
    st.builds(ignore_in_place, FOLDERS, PATTERNS),
    st.builds(ignore_above, PATTERNS),
    st.builds(remove, FOLDERS, st.sampled_from(["x.py", ".gitignore", "a", "b", "moved"])),
    st.builds(move, FOLDERS, FOLDERS),
    st.builds(link, FOLDERS, st.sampled_from(["x.py", "b"])),
)


def later() -> int:
    """A time at which everything there is has settled: changes have to show by their own times."""
    return time.time_ns() + 10 * SETTLED_AFTER_NS


def next_tick(place: Path) -> None:
    """Wait until the clock of the file system goes on: what comes then has another time."""
    probe = place / "probe"
    probe.touch()
    first = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == first:
        probe.touch()


@settings(max_examples=60, deadline=None)
@given(rounds=st.lists(st.lists(EDITS, min_size=1, max_size=6), min_size=2, max_size=6), include=INCLUDED)
def test_renewed_is_what_a_fresh_listing_finds(rounds: list[list[Edit]], include: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "repo" / "root"
        root.mkdir(parents=True)
        listing = Listing(root_state(root, include))
        for edits in rounds:
            for edit in edits:
                with suppress(OSError, ValueError, shutil.Error):  # a file where a folder should be, or nothing at all
                    edit(root)

            renewed, fresh = listing.renew(later()), source_files(root, include)

            assert (renewed, list(renewed.files)) == (fresh, list(fresh.files))
            next_tick(Path(place))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("", "a", "a/deep", "b"):
        write(folder, "x.py")(tmp_path / "root")
    next_tick(tmp_path)
    return tmp_path / "root"


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the folders that were listed."""
    scandir, names = os.scandir, list[str]()

    def noted(place: Path) -> object:
        names.append(place.name)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", noted)
    return names


def test_only_the_folder_of_a_save_by_rename_is_listed_again(root: Path, listed: list[str]) -> None:
    listing = Listing(root_state(root))
    before = listing.renew(later())
    listed.clear()

    assert listing.renew(later()) is before
    write("a", "new.py")(root)

    assert list(listing.renew(later()).files) == ["a/deep/x.py", "a/new.py", "a/x.py", "b/x.py", "x.py"]
    assert listed == ["a"]


def test_rules_renew_what_is_below_them(root: Path, listed: list[str]) -> None:
    listing = Listing(root_state(root))
    listing.renew(later())
    listed.clear()

    ignore("a", ["/deep/"])(root)

    assert list(listing.renew(later()).files) == ["a/x.py", "b/x.py", "x.py"]
    assert listed == ["a"]
    listed.clear()
    ignore("a", ["*.md"])(root)
    assert list(listing.renew(later()).files) == ["a/deep/x.py", "a/x.py", "b/x.py", "x.py"]
    assert listed == ["a", "deep"]


def test_what_changed_a_moment_ago_is_listed_again_as_it_can_change_unseen(root: Path, listed: list[str]) -> None:
    listing = Listing(root_state(root))
    listing.renew(time.time_ns())
    listed.clear()

    listing.renew(time.time_ns())

    assert sorted(listed) == ["a", "b", "deep", "root"]


def test_a_root_that_goes_is_an_error_and_is_found_when_it_is_back(root: Path) -> None:
    listing = Listing(root_state(root))
    before = listing.renew(later())
    root.rename(root.with_name("elsewhere"))

    with pytest.raises(FileNotFoundError):
        listing.renew(later())

    assert listing.found == NOTHING
    root.with_name("elsewhere").rename(root)
    assert listing.renew(later()) == before
