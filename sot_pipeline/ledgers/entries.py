"""An entry made of what defines it: its sections, its index rows, or a stray row. Pure.

Content is the section's text below its heading, whose words are fields of their own. Of several
sections it is all of them, each under its heading; without a section, the summaries of the rows.

Metadata holds, each only where something states it: `date` (always with `created_at`), `phase`,
`severity` and `status` as plain text; `complete`, true where the status says so; `index`, the index
row as an object of column name → cell as written, a list of them where an id has several rows;
`sections`, a list of heading, title and date, where an id has several sections. The heading beats
the `**Field**: value` lines at the top of its section, and these beat the index row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sot_pipeline.ledgers.index import IndexRow
from sot_pipeline.ledgers.inline import plain
from sot_pipeline.ledgers.sections import Section, fields_of
from sot_pipeline.ledgers.words import cut_tails, date_in, is_complete, moment
from sot_pipeline.plan import Json, Record, RecordKey, hash_record

# A summary cell can run to thousands of characters; its lead is what reads as a title.
TITLE_MAX_CHARS = 120
_LEAD = re.compile(
    r"\s*\*\*(?P<bold>[^*\n]{3,120})\*\*"
    r"|(?P<colon>[^\n]{2,120}?[^\s:-]):\s"  # a colon that ends a word, not an operator
    r"|(?P<sentence>[^\n]{3,120}?)[.;]\s"
)
_NOTHING = {"", "n/a", "na", "none", "-", "–", "—", "tbd"}


class Definition(NamedTuple):
    """What defines an id in one file."""

    sections: tuple[Section, ...] = ()
    rows: tuple[IndexRow, ...] = ()


class _Stated(NamedTuple):
    """What one place states of an entry; None (a title: empty) for what it does not."""

    title: str = ""
    date: str | None = None
    phase: str | None = None
    severity: str | None = None
    status: str | None = None

    def or_from(self, other: _Stated) -> _Stated:
        """This, with `other` where this states nothing."""
        return _Stated(
            self.title or other.title,
            self.date or other.date,
            self.phase or other.phase,
            self.severity or other.severity,
            self.status or other.status,
        )

    def words(self) -> dict[str, Json]:
        """What is stated beside the title, as metadata."""
        found: dict[str, Json] = {}
        if self.date:
            found["date"] = self.date
        if self.phase:
            found["phase"] = self.phase
        if self.severity:
            found["severity"] = self.severity
        if self.status:
            found["status"] = self.status
            if is_complete(self.status):
                found["complete"] = True
        return found


def record_of(key: RecordKey, definition: Definition) -> Record:
    """The entry as targets store it: the first section leads, the index row fills what it lacks."""
    sections, rows = definition
    stated = _stated(sections, rows)
    content = _content(sections, rows)
    metadata = stated.words()
    if rows:
        cells: list[Json] = [dict[str, Json](row.cells) for row in rows]
        metadata["index"] = cells[0] if len(cells) == 1 else cells
    if len(sections) > 1:
        metadata["sections"] = [_section_json(section) for section in sections]
    created_at = moment(stated.date) if stated.date else None
    title = stated.title or key.entry_id
    return Record(key, title, content, metadata, created_at, hash_record(key, title, content, metadata, created_at))


def _section_json(section: Section) -> dict[str, Json]:
    stated = _from_section(section)
    return {"heading": section.line_text.lstrip("# "), "title": stated.title, "date": stated.date}


def _stated(sections: Sequence[Section], rows: Sequence[IndexRow]) -> _Stated:
    """What is stated of an entry, each word from the first place that has it."""
    if not sections:
        return _from_row(rows[0], needs_title=True)
    stated = _from_section(sections[0])
    if rows and not all(stated):
        return stated.or_from(_from_row(rows[0], needs_title=not stated.title))
    return stated


def _from_section(section: Section) -> _Stated:
    heading = section.heading
    stated = _Stated(heading.title, heading.date, heading.phase, heading.severity, heading.status)
    if all(stated):
        return stated
    fields = fields_of(section.body)
    return stated.or_from(_from_fields(fields)) if fields else stated


def _from_fields(fields: Mapping[str, str]) -> _Stated:
    title, tail, tail_date = cut_tails(fields.get("title", ""))
    return _Stated(
        plain(title),
        date_in(fields.get("date", "")) or tail_date,
        _worth(fields.get("phase", "")),
        _worth(fields.get("severity", "")),
        _worth(fields.get("status", "")) or tail,
    )


def _from_row(row: IndexRow, *, needs_title: bool) -> _Stated:
    columns = row.columns
    phase, tail, _ = cut_tails(row.at(columns.phase))
    return _Stated(
        lead_of(row.summary) if needs_title else "",
        date_in(row.at(columns.date)),
        _worth(phase),
        _worth(row.at(columns.severity)),
        _worth(row.at(columns.status)) or tail,
    )


def _worth(text: str) -> str | None:
    """`text` without markup; None where it says nothing (`N/A`)."""
    if not text:
        return None
    text = plain(text)
    return None if text.lower() in _NOTHING else text


def lead_of(summary: str) -> str:
    """What reads as a title at the front of a summary: its bold lead, the part before a colon, a sentence."""
    if len(plain(summary)) <= TITLE_MAX_CHARS:
        return plain(cut_tails(summary)[0])
    match = _LEAD.match(summary)
    if match:
        return plain(cut_tails(match["bold"] or match["colon"] or match["sentence"])[0])
    return plain(summary)[:TITLE_MAX_CHARS].rsplit(" ", 1)[0] + " …"


def _content(sections: Sequence[Section], rows: Sequence[IndexRow]) -> str:
    """The section's text; of several sections all, each under its heading, so that no text is lost.

    An entry without a text of its own has its rows' summaries.
    """
    if len(sections) > 1:
        return "\n\n".join(f"{section.line_text}\n\n{section.body}".strip() for section in sections)
    if sections and sections[0].body:
        return sections[0].body
    return "\n\n".join(dict.fromkeys(row.summary for row in rows if row.summary))
