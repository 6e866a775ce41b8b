"""From bytes to what is parsed and stored: encodings, and the reasons for not parsing a file at all."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

# Above this a source file is data or a program's output.
MAX_BYTES = 1024 * 1024
# No person writes lines like that; one of them makes a file minified if such lines are most of it.
LONG_LINE = 5_000

_GENERATED = re.compile(
    rb"@generated\b|code generated .{0,200}do not edit|auto-?generated.{0,80}do not edit|do not edit.{0,80}generated",
    re.IGNORECASE,
)
_GENERATED_LINES = 10
_MERGE_MARKERS = (b"<<<<<<< ", b">>>>>>> ")
_MERGE_MARKER = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)
# Python's text encodings that people have written source in; others (punycode) take quadratic time.
_TEXT_ENCODING = re.compile(r"iso8859|cp\d|euc|shift|gb|big5|koi8|mac")
_CODING = re.compile(rb"\A(?:[ \t\f]*(?:#.*)?\r?\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text: what is stored, its bytes in UTF-8 for the parser, and `note` where the two are not the file's."""

    content: str
    data: bytes
    note: str | None = None


def skip_reason(data: bytes) -> str | None:
    """Why a file is not read as source; None where it is."""
    if len(data) > MAX_BYTES:
        return f"larger than {MAX_BYTES} bytes"
    if b"\0" in data and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "binary: it has NUL bytes"
    head = b"\n".join(data.split(b"\n", _GENERATED_LINES)[:_GENERATED_LINES])
    if _GENERATED.search(head[: 4 * LONG_LINE]):
        return "generated: its first lines say so"
    long_lines = sum(length for length in map(len, data.split(b"\n")) if length > LONG_LINE)
    return f"minified: most of it is lines above {LONG_LINE} bytes" if 2 * long_lines > len(data) else None


def text_of(data: bytes, language: str) -> Text:
    """The text of a file, whatever its encoding; never raises.

    UTF-8 (with or without a mark), UTF-16 with a mark, and what a Python file declares (PEP 263) are
    decoded; in anything else each byte that is not UTF-8 becomes U+FFFD, and `note` says so.
    """
    try:
        content = data.decode()
    except UnicodeDecodeError:
        return _decoded(data, language)
    if content.startswith("\ufeff"):
        content = content[1:]
        return _stored(content, None)
    return Text(content, data)


def _decoded(data: bytes, language: str) -> Text:
    declared = _declared(data, language)
    if declared is not None:
        try:
            return _stored(data.decode(declared), None)
        except UnicodeError:
            pass
    return _stored(data.decode(errors="replace"), "not UTF-8: what could not be decoded was replaced by U+FFFD")


def _declared(data: bytes, language: str) -> str | None:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    coding = _CODING.match(data) if language == "python" else None
    if coding is None:
        return None
    try:
        name = codecs.lookup(coding.group(1).decode()).name
    except LookupError:
        return None
    return name if _TEXT_ENCODING.match(name) else None


def _stored(content: str, note: str | None) -> Text:
    # No database takes a NUL in text, or half of a surrogate pair.
    content = content.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return Text(content, content.encode(), note)


def merge_marker_line(data: bytes) -> int | None:
    """The line (from 1) of the first marker of an unresolved merge, None without one.

    The row of `=` between two markers also underlines headings, and is not looked for.
    """
    if not any(marker in data for marker in _MERGE_MARKERS):
        return None  # nearly every file, and faster than to look at the start of each line
    found = _MERGE_MARKER.search(data)
    return None if found is None else data.count(b"\n", 0, found.start()) + 1
