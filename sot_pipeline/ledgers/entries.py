"""An entry made of what defines it: its sections, its index rows, or a stray row. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sot_pipeline.ledgers.index import IndexRow
from sot_pipeline.ledgers.inline import plain
from sot_pipeline.ledgers.sections import Section, fields_of
from sot_pipeline.ledgers.words import cut_tails, date_in, is_complete, moment
from sot_pipeline.plan import Json, Record, RecordKey, hash_record

# A summary cell can run to thousands of characters; its lead is what reads as a title.
TITLE_MAX_CHARS = 120
_LEAD = re.compile(r"\s*\*\*(?P<bold>[^*\n]{3,120})\*\*|(?P<colon>[^\n]{3,120}?):\s|(?P<sentence>[^\n]{3,120}?)[.;]\s")
_NAMES = ("title", "date", "phase", "severity", "status")
_NOTHING = {"", "n/a", "na", "none", "-", "–", "—", "tbd"}


@dataclass(slots=True)
class Definition:
    """Where an id is defined in one file."""

    sections: list[Section] = field(default_factory=list)
    rows: list[IndexRow] = field(default_factory=list)


def record_of(key: RecordKey, definition: Definition) -> Record:
    """The entry as targets store it: the first section leads, the index row fills what it lacks."""
    stated = _stated(definition)
    content = _content(definition.sections, definition.rows)
    metadata: dict[str, Json] = {name: stated[name] for name in ("date", "phase", "severity", "status") if stated[name]}
    if stated["status"] and is_complete(stated["status"]):
        metadata["complete"] = True
    if definition.rows:
        rows: list[Json] = [dict[str, Json](row.cells) for row in definition.rows]
        metadata["index"] = rows[0] if len(rows) == 1 else rows
    if len(definition.sections) > 1:
        metadata["sections"] = [_section_json(section) for section in definition.sections]
    created_at = moment(stated["date"]) if stated["date"] else None
    title = stated["title"] or str(key.entry_id)
    return Record(key, title, content, metadata, created_at, hash_record(key, title, content, metadata, created_at))


def _section_json(section: Section) -> dict[str, Json]:
    heading = section.heading
    return {"heading": section.line_text.lstrip("# "), "title": heading.title, "date": heading.date}


def _stated(definition: Definition) -> Mapping[str, str | None]:
    """title, date, phase, severity and status, each from the first place that states it."""
    stated: dict[str, str | None] = dict.fromkeys(_NAMES)
    for place in _places(definition):
        for name, text in place.items():
            if text and not stated[name]:
                stated[name] = text
    return stated


def _places(definition: Definition) -> Iterator[Mapping[str, str | None]]:
    if definition.sections:
        first = definition.sections[0]
        heading = first.heading
        yield {name: getattr(heading, name) for name in _NAMES}
        fields = fields_of(first.body)
        if fields:
            yield _from_fields(fields, needs_title=not heading.title)
    if definition.rows:
        yield _from_row(definition.rows[0], needs_title=not definition.sections)


def _from_fields(fields: Mapping[str, str], *, needs_title: bool) -> dict[str, str | None]:
    found = {name: _worth(fields[name]) for name in ("phase", "severity", "status") if name in fields}
    found["date"] = date_in(fields.get("date", ""))
    if needs_title and "title" in fields:
        title, tail, tail_date = cut_tails(fields["title"])
        found |= {"title": plain(title), "status": found.get("status") or tail, "date": found["date"] or tail_date}
    return found


def _from_row(row: IndexRow, *, needs_title: bool) -> dict[str, str | None]:
    columns = row.columns
    phase, tail, _ = cut_tails(row.at(columns.phase))
    return {
        "title": lead_of(row.summary) if needs_title else None,
        "date": date_in(row.at(columns.date)),
        "phase": _worth(phase),
        "severity": _worth(row.at(columns.severity)),
        "status": _worth(row.at(columns.status)) or tail,
    }


def _worth(text: str) -> str | None:
    """`text` without markup; None where it says nothing (`N/A`)."""
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
