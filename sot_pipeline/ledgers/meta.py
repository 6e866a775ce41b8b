"""What a ledger states of itself in META and summary block, and what is true. Pure.

Counted is what is *defined* in the file, by index row or section, never what is mentioned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sot_pipeline.ledgers.entries import Definition
from sot_pipeline.ledgers.model import Truth

_META = re.compile(rb"<!--[ \t]*META\b.*?-->", re.DOTALL)
_SUMMARY = re.compile(
    rb"<!--[ \t]*AUTO-GENERATED SUMMARY\b[^>]*-->.*?<!--[ \t]*END AUTO-GENERATED SUMMARY[ \t]*-->", re.DOTALL
)
_TOTAL = re.compile(rb"(?m)^[ \t]*(?P<label>Total_(?:Builds|Decisions|Issues|Entries))[ \t]*:[ \t]*(?P<number>\d+)")
_UNIQUE = re.compile(rb"(?P<number>\d+)[ \t]+(?P<label>unique [a-z]+)")
_ENTRIES = re.compile(
    rb"(?P<number>\d+)[ \t]+(?P<label>(?:build|decision|debug|issue|entr|session)[a-z]*(?:\([a-z]+\))?"
    rb"(?:[ \t]+(?:entr|session)[a-z]*(?:\([a-z]+\))?)?)"
)
_META_TIME = re.compile(rb"(?m)^[ \t]*Last_Updated[ \t]*:[ \t]*(?P<time>[^\r\n]*?)[ \t]*\r?$")
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


def statements(data: bytes, truth: Truth) -> Iterator[Stated]:
    """The numbers that META and summary state, in file order within each block."""
    meta = _META.search(data)
    if meta and (total := _TOTAL.search(data, meta.start(), meta.end())):
        yield _stated(total, truth.unique)
    summary = _SUMMARY.search(data)
    if summary:
        unique = _UNIQUE.search(data, summary.start(), summary.end())
        entries = _ENTRIES.search(data, summary.start(), summary.end())
        if entries:
            # Where unique ids are counted as well, the first number counts rows and sections.
            yield _stated(entries, truth.entries if unique else truth.unique)
        if unique:
            yield _stated(unique, truth.unique)


def _stated(match: re.Match[bytes], truth: int) -> Stated:
    return Stated(*match.span("number"), match["label"].decode(), int(match["number"]), truth)


def drift(data: bytes, truth: Truth) -> list[Stated]:
    """The numbers that are not true. A timestamp alone is no drift."""
    return [stated for stated in statements(data, truth) if stated.number != stated.truth]


def time_stamps(data: bytes) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Where META's and the summary's time of last update stand (bytes)."""
    meta, summary = _META.search(data), _SUMMARY.search(data)
    in_meta = _META_TIME.search(data, meta.start(), meta.end()) if meta else None
    in_summary = _SUMMARY_TIME.search(data, summary.start(), summary.end()) if summary else None
    return (in_meta.span("time") if in_meta else None, in_summary.span("time") if in_summary else None)
