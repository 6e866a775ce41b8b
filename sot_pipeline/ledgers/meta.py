"""What a ledger states of itself in META and summary block, and what is true. Pure.

Counted is what is *defined* in the file, by index row or section, never what is mentioned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sot_pipeline.ledgers.entries import Definition
from sot_pipeline.ledgers.model import Truth
from sot_pipeline.ledgers.scan import Hidden, Scan

# Numbers of up to 18 digits: Python refuses to read one of thousands, and a longer one counts nothing.
_META = re.compile(rb"[ \t]*<!--[ \t]*META\b")
_SUMMARY = re.compile(rb"[ \t]*<!--[ \t]*AUTO-GENERATED SUMMARY\b")
_SUMMARY_END = re.compile(rb"[ \t]*<!--[ \t]*END AUTO-GENERATED SUMMARY\b")
_TOTAL = re.compile(
    rb"(?m)^[ \t]*(?P<label>Total_(?:Builds|Decisions|Issues|Entries))[ \t]*:[ \t]*(?P<number>\d{1,18}+)(?!\d)"
)
_UNIQUE = re.compile(rb"(?<!\d)(?P<number>\d{1,18}+)[ \t]++(?P<label>unique [a-z]+)")
_ENTRIES = re.compile(
    rb"(?<!\d)(?P<number>\d{1,18}+)[ \t]++(?P<label>(?:build|decision|debug|issue|entr|session)[a-z]*(?:\([a-z]+\))?"
    rb"(?:[ \t]+(?:entr|session)[a-z]*(?:\([a-z]+\))?)?)"
)
_META_TIME = re.compile(rb"(?m)^[ \t]*Last_Updated[ \t]*:[ \t]*+(?P<time>[^\n]*)")
_SUMMARY_TIME = re.compile(rb"Last updated:[ \t]*(?P<time>\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(?::\d{2})?)")


@dataclass(frozen=True, slots=True)
class Stated:
    """A number that a block states: where (bytes), under which label, and what is true."""

    start: int
    end: int
    label: str
    number: int
    truth: int


def count_definitions(definitions: Mapping[str, Definition]) -> Truth:
    """What the definitions of a file come to."""
    entries = sum(max(len(one.rows), len(one.sections)) for one in definitions.values())
    return Truth(unique=len(definitions), entries=entries)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Bytes of META and of the summary; None where there is none."""

    meta: tuple[int, int] | None = None
    summary: tuple[int, int] | None = None


NO_BLOCKS = Blocks()


def blocks_of(text: bytes, found: Scan) -> Blocks:
    """META and summary: comments above the first heading of level 2 or deeper.

    Further down such a comment is part of an entry, which nobody rewrites.
    """
    top = next((heading.start for heading in found.headings if heading.level > 1), found.end)
    meta: tuple[int, int] | None = None
    summary: tuple[int, int] | None = None
    opened: int | None = None
    for span in found.hidden:
        if span.start >= top:
            break
        if span.kind is not Hidden.COMMENT:
            continue
        if meta is None and span.closed and _META.match(text, span.start):
            meta = (span.start, span.end)
        elif opened is None and _SUMMARY.match(text, span.start):
            opened = span.end
        elif opened is not None and summary is None and _SUMMARY_END.match(text, span.start):
            summary = (opened, span.start)
    return Blocks(meta, summary)


def _statements(text: bytes, blocks: Blocks, truth: Truth) -> Iterator[Stated]:
    """The numbers that META and summary state, in file order within each block."""
    if blocks.meta and (total := _TOTAL.search(text, *blocks.meta)):
        yield _stated(total, truth.unique)
    if blocks.summary:
        unique = _outside_rows(_UNIQUE.search(text, *blocks.summary))
        entries = _outside_rows(_ENTRIES.search(text, *blocks.summary))
        if entries:
            # Where unique ids are counted as well, the first number counts rows and sections.
            yield _stated(entries, truth.entries if unique else truth.unique)
        if unique:
            yield _stated(unique, truth.unique)


def _outside_rows(found: re.Match[bytes] | None) -> re.Match[bytes] | None:
    """`found`, unless it stands in a row of the index that is glued to its line: cells belong to an entry."""
    if found is None:
        return None
    line = found.string.rfind(b"\n", 0, found.start()) + 1
    return None if found.string.count(b"|", line, found.start()) > 1 else found


def _stated(match: re.Match[bytes], truth: int) -> Stated:
    return Stated(*match.span("number"), match["label"].decode(), int(match["number"]), truth)


def drift(text: bytes, blocks: Blocks, truth: Truth) -> list[Stated]:
    """The numbers that are not true. A timestamp alone is no drift."""
    return [stated for stated in _statements(text, blocks, truth) if stated.number != stated.truth]


def time_stamps(text: bytes, blocks: Blocks) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Where META's and the summary's time of last update stand (bytes)."""
    in_meta = _META_TIME.search(text, *blocks.meta) if blocks.meta else None
    in_summary = _outside_rows(_SUMMARY_TIME.search(text, *blocks.summary)) if blocks.summary else None
    return (_trimmed(in_meta) if in_meta else None, in_summary.span("time") if in_summary else None)


def _trimmed(line: re.Match[bytes]) -> tuple[int, int]:
    """Where the time of a line stands, without the end of the comment that may follow it."""
    time = line["time"].partition(b"-->")[0].rstrip(b" \t")
    return line.start("time"), line.start("time") + len(time)
