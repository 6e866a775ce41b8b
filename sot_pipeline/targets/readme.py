"""The README as a target: a summary between two markers, and not one byte outside them.

Which words the summary has is `ledgers/summary.py`; here is where it stands and how it gets there.
A marker counts where it takes effect as a comment: not in fences, code spans or other comments.
Nor where it is quoted or indented by two columns or more: it then belongs to a list or to code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sot_pipeline.errors import ReadmeMarkersError
from sot_pipeline.ledgers.scan import Hidden, Scan, scan
from sot_pipeline.ledgers.words import mask_code
from sot_pipeline.runtime.files import replace_file

START = b"<!-- SOT_SUMMARY_START -->"
END = b"<!-- SOT_SUMMARY_END -->"

_MARKER = re.compile(rb"<!-- SOT_SUMMARY_(?:START|END) -->")
_OUTSIDE_TEXT = re.compile(rb" {2}| ?\t| ?>")  # how a line begins that belongs to a list, code or a quotation
_SETEXT_H1 = re.compile(rb"^ {0,3}[^\s>#<`~+*-][^\n]*\n {0,3}=+[ \t]*$", re.MULTILINE)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_INIT = "sot readme init --execute"


def read_summary(path: Path) -> str:
    """What stands between the markers: line feeds only, without the newlines around it.

    Raises ReadmeMarkersError where the file or its pair of markers is missing or unusable.
    """
    data = _read(path)
    return _text(data, _pair(data, path))


def update_readme(path: Path, summary: str) -> bool:
    """Make the README say `summary`; False, and no write, where it says so already.

    Raises ReadmeMarkersError as `read_summary` does, and where `summary` would itself break the
    markers; FileChangedMeanwhile where somebody wrote meanwhile.
    """
    before = _read(path)
    pair = _pair(before, path)
    summary = _lines(summary)
    if _text(before, pair) == summary:
        return False
    after = with_summary(before, pair, summary)
    if _text(after, _pair(after, path)) != summary:
        raise ReadmeMarkersError(
            f"{path}: the summary holds a marker or an open fence and cannot stand between the markers.",
            remedy="Mend the title it comes from.",
        )
    replace_file(path, after, expected=before)
    return True


def add_marker_pair(path: Path, *, execute: bool) -> bool:
    """Put an empty pair under the first H1 (without one: at the top); False where a pair is there.

    Without `execute` only tells. Raises ReadmeMarkersError for a missing file and for markers that
    are there but are no pair.
    """
    before = _read(path)
    if _markers(before):
        _pair(before, path)
        return False
    if execute:
        replace_file(path, with_marker_pair(before), expected=before)
    return True


@dataclass(frozen=True, slots=True)
class Pair:
    """The bytes from the end of the start marker to the start of the end marker."""

    start: int
    end: int


def with_summary(data: bytes, pair: Pair, summary: str) -> bytes:
    """`data` with the bytes of `pair` replaced, in the line ends of the file."""
    newline = _newline(data, pair.start)
    text = "\n".join(("", summary, "")).encode().replace(b"\n", newline)
    return data[: pair.start] + text + data[pair.end :]


def with_marker_pair(data: bytes) -> bytes:
    """`data` with an empty pair of markers put in."""
    at = _after_h1(data)
    newline = _newline(data, at)
    before, after = data[:at], data[at:]
    lead = b"" if before in (b"", _BYTE_ORDER_MARK) else newline if before.endswith((b"\n", b"\r")) else newline * 2
    tail = newline if after and not after.startswith((b"\n", b"\r")) else b""
    return before + lead + START + newline + END + newline + tail + after


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ReadmeMarkersError(f"{path}:1: the README is missing.", remedy=f"Create it, then run: {_INIT}") from None
    except OSError as error:
        raise ReadmeMarkersError(
            f"{path}:1: the README cannot be read ({error.strerror}).", remedy="Mend that, or 'readme' in sot.toml."
        ) from None


def _scannable(data: bytes) -> bytes:
    """ASCII with line feeds, each byte in its place: the scanner reads it and offsets stay true."""
    if data.startswith(_BYTE_ORDER_MARK):
        data = b"\n\n\n" + data[3:]
    return data.replace(b"\r\n", b" \n").replace(b"\r", b"\n").translate(_TO_ASCII)


_TO_ASCII = bytes(range(128)) + b"x" * 128


def _markers(data: bytes) -> list[re.Match[bytes]]:
    """The markers that count, in file order."""
    if not _MARKER.search(data):
        return []
    text = _scannable(data)
    scanned = scan(text)
    return [match for match in _MARKER.finditer(text) if _counts(text, match.start(), scanned)]


def _counts(text: bytes, at: int, scanned: Scan) -> bool:
    line = text.rfind(b"\n", 0, at) + 1
    if _OUTSIDE_TEXT.match(text, line, at):
        return False
    end = text.find(b"\n", at)
    shown = mask_code(text[line : end if end >= 0 else len(text)].decode("ascii"))
    if shown[at - line] != "<":
        return False
    span = next((span for span in scanned.hidden if span.start <= at < span.end), None)
    if span is None or span.kind is Hidden.HTML:
        return True
    in_comment = text.rfind(b"<!--", span.start, at) > text.rfind(b"-->", span.start, at)
    return span.kind is Hidden.COMMENT and not in_comment


def _pair(data: bytes, path: Path) -> Pair:
    markers = _markers(data)
    if [marker[0] for marker in markers] == [START, END]:
        return Pair(markers[0].end(), markers[1].start())
    text = _scannable(data)
    where = [(marker[0] == START, text.count(b"\n", 0, marker.start()) + 1) for marker in markers]
    line, message, remedy = _fault(where)
    raise ReadmeMarkersError(f"{path}:{line}: {message}", remedy=remedy)


def _fault(markers: list[tuple[bool, int]]) -> tuple[int, str, str]:
    """Line, message and remedy for markers (is it the start?, line) that are no pair."""
    if not markers:
        return 1, "the summary markers are missing.", f"Run: {_INIT}"
    again = f"Keep one pair, start before end; or remove every marker and run: {_INIT}"
    for is_start, word in ((True, "start"), (False, "end")):
        lines = [line for start, line in markers if start is is_start]
        if len(lines) > 1:
            return lines[1], f"the summary's {word} marker is repeated (first in line {lines[0]}).", again
        if not lines:
            return markers[0][1], f"this summary marker stands alone, the {word} marker is missing.", again
    return markers[0][1], "the summary's end marker stands before its start marker.", again


def _text(data: bytes, pair: Pair) -> str:
    return _lines(data[pair.start : pair.end].decode("utf-8", "replace"))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def _newline(data: bytes, at: int) -> bytes:
    """The line end that follows `at`, or else the first of the file; a line feed where there is none."""
    found = re.compile(rb"\r\n|\n|\r").search(data, at) or re.search(rb"\r\n|\n|\r", data)
    return found[0] if found else b"\n"


def _after_h1(data: bytes) -> int:
    """Offset behind the first H1's line end; of the file's begin where there is none."""
    text = _scannable(data)
    scanned = scan(text)
    ends = [heading.end for heading in scanned.headings if heading.level == 1][:1]
    for match in _SETEXT_H1.finditer(text):
        if not any(span.start <= match.start() < span.end for span in scanned.hidden):
            ends.append(match.end())
            break
    if not ends:
        return len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0
    return min(min(ends) + 1, len(data))
