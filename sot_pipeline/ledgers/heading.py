"""What the heading of an entry says: id, qualifier, date, phase, title and state. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sot_pipeline.ledgers.inline import plain
from sot_pipeline.ledgers.words import (
    DATE,
    ID_NUMBERS,
    cut_tails,
    date_alone,
    has_date_form,
    id_at_start,
    is_severity,
    is_state,
    mask_code,
    moment,
)

_LEADING = re.compile(r"\s*(\||:|[-–—](?=\s))\s*")
_BAR_OR_COLON = re.compile(r"\s*(?:\s\|\s|\|\s|\s\||:(?=\s|\Z))\s*")
_BAR = re.compile(r"\s+\|\s+|\s+\|\Z")  # `bool|None` is no border of cells
_DATED = re.compile(r"\|\s*(?=\d{4}-\d{2}-\d{2})")
# A phase is a label. A longer first cell is taken for a title that holds a bare `|`.
PHASE_MAX_CHARS = 60


class EntryHeading(NamedTuple):
    """The parts of an entry's heading; what it does not say is None, a missing title is empty."""

    entry_id: str
    title: str
    date: str | None = None
    phase: str | None = None
    severity: str | None = None
    status: str | None = None


def parse_heading(text: str, prefix: str) -> EntryHeading | None:
    """The heading's parts, or None where `text` does not start with an id of this prefix."""
    if "  " in text or not text.isprintable():
        text = " ".join(text.split())  # white space of any kind and length means one blank
    usual = _usual(prefix).fullmatch(text)
    return (usual and _from_usual(*usual.groups())) or read_any(text, prefix)


def read_any(text: str, prefix: str) -> EntryHeading | None:
    """`parse_heading` for a text of single blanks, without its short cut."""
    match = id_at_start(prefix).match(text)
    if match is None:
        return None
    qualifier, cells = _split(text[match.end() :])
    date = date_alone(cells[0]) if cells else None
    labels = _Labels()
    cells = labels.take(cells[1:] if date else cells)
    title, tail, tail_date = cut_tails(" | ".join(cells))
    phases = [part for part in (plain(qualifier), labels.phase) if part]
    return EntryHeading(
        entry_id=match["id"],
        title=plain(title),
        date=date or tail_date,
        phase=" | ".join(phases) or None,
        severity=labels.severity,
        status=labels.status or tail,
    )


@lru_cache(maxsize=64)
def _usual(prefix: str) -> re.Pattern[str]:
    """`ID | date | Phase | Title` with neither markup nor tails: nearly all headings, read at one go."""
    words = r"[A-Za-z0-9 ,.:;/+='-]"
    return re.compile(
        rf"({re.escape(prefix)}-{ID_NUMBERS}) \| ({DATE}) \| (?:({words}{{1,{PHASE_MAX_CHARS}}}) \| )?({words}+)"
    )


def _from_usual(entry_id: str, date: str, label: str | None, title: str) -> EntryHeading | None:
    if not moment(date) or (label and (is_severity(label) or is_state(label) or has_date_form(label))):
        return None
    return EntryHeading(entry_id, title, date, label)


@dataclass
class _Labels:
    """The cells between date and title: at most one of each kind, in any order."""

    phase: str | None = None
    severity: str | None = None
    status: str | None = None

    def take(self, cells: list[str]) -> list[str]:
        """Take labels off the front of `cells`; what is left is the title."""
        while len(cells) > 1 and self._accept(plain(cells[0])):
            cells = cells[1:]
        return cells

    def _accept(self, label: str) -> bool:
        if not label or has_date_form(label):
            return True  # a date that is in no calendar says nothing
        if is_severity(label) and self.severity is None:
            self.severity = label
        elif is_state(label) and self.status is None:
            self.status = label
        elif self.phase is None and len(label) <= PHASE_MAX_CHARS:
            self.phase = label
        else:
            return False
        return True


def _split(rest: str) -> tuple[str, list[str]]:
    """What stands between id and title (`Phase A P11`, `Follow-up`), and the cells after it."""
    rest = rest.strip()
    masked = mask_code(rest)
    qualifier = ""
    leading = _LEADING.match(masked)
    dated = _DATED.search(masked)
    if leading:
        mark, start = leading[1], leading.end()
    elif dated:  # also `ID Phase A: P11 | 2026-01-01 | …`
        qualifier, mark, start = rest[: dated.start()].strip(), "|", dated.end()
    elif border := _BAR_OR_COLON.search(masked):
        qualifier, mark, start = rest[: border.start()].strip(), border[0].strip(), border.end()
    else:
        return "", [rest] if rest else []
    if mark != "|":
        return qualifier, [rest[start:]]
    return qualifier, _cells(rest[start:], masked[start:])


def _cells(text: str, masked: str) -> list[str]:
    cells = []
    start = 0
    for border in _BAR.finditer(masked):
        cells.append(text[start : border.start()].strip())
        start = border.end()
    return [*cells, text[start:].strip()]
