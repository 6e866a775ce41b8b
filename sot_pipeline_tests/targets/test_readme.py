from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.errors import FileUnusable, ReadmeMarkersError
from sot_pipeline.targets.readme import (
    add_marker_pair,
    current_summary,
    read_summary,
    update_readme,
    with_markers,
    with_summary,
)

START, END = "<!-- SOT_SUMMARY_START -->", "<!-- SOT_SUMMARY_END -->"
PAIR = f"{START}\nold\n{END}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "README.md"


# Reading


def test_summary_is_the_text_between_the_markers_in_line_feeds(path: Path) -> None:
    path.write_bytes(f"# T\r\n{START}\r\n\r\n- one\r\n- two\r\n{END}\r\n".encode())

    assert read_summary(path) == "- one\n- two"


def test_fresh_pair_holds_an_empty_summary(path: Path) -> None:
    path.write_text(f"{START}\n{END}\n")

    assert read_summary(path) == ""


def test_pair_on_one_line_is_a_pair(path: Path) -> None:
    path.write_text(f"Status: {START}fine{END}.\n")

    assert read_summary(path) == "fine"


def test_summary_that_is_not_utf8_is_read_as_something_else_than_any_summary(path: Path) -> None:
    path.write_bytes(f"{START}\nol\udcff\n{END}\n".encode(errors="surrogateescape"))

    assert read_summary(path) == "ol\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "decoy",
    [
        f"```\n{PAIR}\n```",
        f"~~~~ markdown\n```\n{PAIR}\n~~~~",
        f"- item\n\n  ```\n  {START}\n  {END}\n  ```",
        f"1. item\n\n   ~~~\n   {START}\n   ~~~",
        f"Write `{START}` and `` {END} `` into it.",
        f"    {START}\n    {END}",
        f"\t{START}",
        f"> {START}\n> {END}",
        f"<!-- an example:\n{START} -->",
    ],
    ids=["backticks", "tildes", "list", "numbers", "span", "indented", "tab", "quoted", "comment"],
)
def test_marker_that_is_shown_does_not_count(path: Path, decoy: str) -> None:
    path.write_text(f"# T\n\n{decoy}\n\n{PAIR}\n")

    assert read_summary(path) == "old"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "missing"),
        ("# T\n", 1, "missing"),
        (f"# T\n```\n{PAIR}\n```\n", 1, "missing"),
        (f"# T\n\n{START}\n", 3, f"the marker {END} is missing"),
        (f"# T\r\n\r\n{END}\r\n", 3, f"the marker {START} is missing"),
        (f"{END}\n{START}\n", 1, "end marker stands before the start marker"),
        (f"{PAIR}\ntext\n{PAIR}\n", 5, f"the marker {START} is repeated (first in line 1)"),
        (f"{PAIR}\n{END}\n", 4, f"the marker {END} is repeated (first in line 3)"),
    ],
)
def test_markers_that_are_no_pair_are_named_with_their_line_and_left_alone(
    path: Path, text: str, line: int, said: str
) -> None:
    path.write_bytes(text.encode())

    for ask in (lambda: read_summary(path), lambda: update_readme(path, "new")):
        with pytest.raises(ReadmeMarkersError) as error:
            ask()
        assert error.value.message.startswith(f"{path}:{line}: ")
        assert said in error.value.message
        assert "sot readme init --execute" in error.value.remedy
    assert path.read_bytes() == text.encode()


def test_missing_readme_is_named_with_what_to_do(path: Path) -> None:
    for ask in (
        lambda: read_summary(path),
        lambda: update_readme(path, "new"),
        lambda: add_marker_pair(path, execute=True),
    ):
        with pytest.raises(ReadmeMarkersError, match=rf"{path}: cannot be read .*sot readme init --execute"):
            ask()
    assert not path.exists()


def test_readme_that_is_a_folder_is_named(path: Path) -> None:
    path.mkdir()

    with pytest.raises(ReadmeMarkersError, match="cannot be read"):
        read_summary(path)


# Writing


def test_update_writes_the_summary_in_the_line_ends_of_the_file(path: Path) -> None:
    path.write_bytes(f"# T\r\n\r\n{START}\r\nold\r\n{END}\r\nrest\n".encode())

    changed = update_readme(path, "- one\n- two")

    assert changed
    assert path.read_bytes() == f"# T\r\n\r\n{START}\r\n- one\r\n- two\r\n{END}\r\nrest\n".encode()


def test_same_summary_is_not_written_again(path: Path) -> None:
    path.write_bytes(f"{START}\r\n\r\n- one\r\n- two\r\n\r\n{END}".encode())
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)

    changed = update_readme(path, "- one\n- two\n")

    assert not changed
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before


@pytest.mark.parametrize("summary", [f"a {START}", f"a\n{END}\nb", "```\nopen", "<!-- open"])
def test_summary_that_would_break_the_markers_is_refused(path: Path, summary: str) -> None:
    path.write_text(PAIR)

    with pytest.raises(ReadmeMarkersError):
        update_readme(path, summary)

    assert path.read_text() == PAIR


def test_write_protected_readme_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(PAIR)
    # Root may write anything: the answer of the system for everybody else.
    monkeypatch.setattr("os.access", lambda *_: False)

    with pytest.raises(FileUnusable, match=r"README\.md: cannot be written"):
        update_readme(path, "new")

    assert path.read_text() == PAIR


_PIECES = st.sampled_from(
    ["# H\n", "```\n", "~~~\n", "`", "\r\n", "\n", "\r", "<!--", "-->", "- ", "> ", "    ", START, END]
)
_TEXTS = (
    st.lists(_PIECES | st.text(max_size=8), max_size=12).map("".join).map(lambda text: text.encode(errors="ignore"))
)
_BYTES = _TEXTS | st.binary(max_size=40)


def kept_outside(data: bytes, written: bytes) -> bool:
    """Whether `written` is `data` but for the bytes from one of its start markers to an end marker."""
    starts = [found.end() for found in re.finditer(re.escape(START.encode()), data)]
    ends = [found.start() for found in re.finditer(re.escape(END.encode()), data)]
    return any(
        start <= end
        and len(written) >= start + len(data) - end
        and written.startswith(data[:start])
        and written.endswith(data[end:])
        for start in starts
        for end in ends
    )


@given(before=_BYTES, middle=_BYTES, after=_BYTES, summary=_TEXTS.map(bytes.decode))
def test_bytes_outside_the_markers_never_change(before: bytes, middle: bytes, after: bytes, summary: str) -> None:
    data = before + b"\n" + START.encode() + middle + END.encode() + after

    try:
        written = with_summary(data, summary)
    except ReadmeMarkersError:
        return

    assert kept_outside(data, written)
    assert current_summary(written) == re.sub(r"\r\n?", "\n", summary).strip("\n")
    assert with_summary(written, summary) == written


@given(before=_BYTES, after=_BYTES)
def test_ordinary_summary_fits_between_every_pair(before: bytes, after: bytes) -> None:
    data = before + b"\n" + START.encode() + b"\n" + END.encode() + after
    try:
        current_summary(data)
    except ReadmeMarkersError:
        return

    written = with_summary(data, "- **Builds**: 3\n- **Last change**: 2026-01-03")

    assert current_summary(written) == "- **Builds**: 3\n- **Last change**: 2026-01-03"


# Adding markers


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{START}\n{END}\n"),
        ("text\n", f"{START}\n{END}\n\ntext\n"),
        ("# T", f"# T\n\n{START}\n{END}\n"),
        ("# T\n\ntext\n", f"# T\n\n{START}\n{END}\n\ntext\n"),
        ("# T\ntext\n", f"# T\n\n{START}\n{END}\n\ntext\n"),
        ("# T\r\n\r\ntext\r\n", f"# T\r\n\r\n{START}\r\n{END}\r\n\r\ntext\r\n"),
        ("T\n===\n\n# U\n", f"T\n===\n\n{START}\n{END}\n\n# U\n"),
        (
            "```\n# no\n```\n<!--\n# no\n-->\n## no\n\n# T\n",
            f"```\n# no\n```\n<!--\n# no\n-->\n## no\n\n# T\n\n{START}\n{END}\n",
        ),
        ("\ufeff# T\n", f"\ufeff# T\n\n{START}\n{END}\n"),
        ("\ufefftext\n", f"\ufeff{START}\n{END}\n\ntext\n"),
    ],
    ids=["empty", "no-h1", "h1-only", "h1", "tight", "crlf", "setext", "hidden", "bom-h1", "bom"],
)
def test_pair_goes_under_the_first_h1_or_to_the_top(path: Path, before: str, after: str) -> None:
    path.write_bytes(before.encode())

    added = add_marker_pair(path, execute=True)

    assert added
    assert path.read_bytes().decode() == after
    assert read_summary(path) == ""


def test_pair_that_is_there_is_kept(path: Path) -> None:
    path.write_text(f"# T\n{PAIR}\n")

    added = add_marker_pair(path, execute=True)

    assert not added
    assert path.read_text() == f"# T\n{PAIR}\n"


def test_without_execute_the_readme_stays_as_it_is(path: Path) -> None:
    path.write_text("# T\n")

    wanted = add_marker_pair(path, execute=False)

    assert wanted
    assert path.read_text() == "# T\n"


def test_half_a_pair_is_not_made_worse(path: Path) -> None:
    path.write_text(f"# T\n{END}\n")

    with pytest.raises(ReadmeMarkersError, match=f"{path}:2: "):
        add_marker_pair(path, execute=True)

    assert path.read_text() == f"# T\n{END}\n"


@given(data=_BYTES)
def test_adding_a_pair_only_inserts_it(data: bytes) -> None:
    try:
        added = with_markers(data)
    except ReadmeMarkersError:
        return

    if added == data:
        assert isinstance(current_summary(data), str)
    else:
        inserted = len(added) - len(data)
        assert any(added[:cut] + added[cut + inserted :] == data for cut in range(len(data) + 1))
