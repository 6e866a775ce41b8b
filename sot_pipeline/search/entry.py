"""One entry by its id, from the files as they are now: what `sot show` shows."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from sot_pipeline.errors import SotError, UsageError
from sot_pipeline.ledgers.fields import Field, Link, fields_and_links
from sot_pipeline.ledgers.project import ParsedProject, read_project
from sot_pipeline.plan import Record, Severity
from sot_pipeline.workspace import Project

_NEAREST = 3


class EntryNotFound(SotError):
    """No ledger defines the id that was asked for (exit 1)."""


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """An entry, where it stands (`path` below the project root, `line` from 1), and what its text names."""

    record: Record
    path: str
    line: int | None
    fields: tuple[Field, ...]
    links: tuple[Link, ...]


def find_entry(projects: Sequence[Project], entry_id: str, file_type: str | None = None) -> ShownEntry:
    """The entry with this id, in whatever case it is written.

    Raises EntryNotFound with the nearest ids, and UsageError where several entries have the id.
    """
    parsed = [read_project(project) for project in projects]
    found = [
        (each, record)
        for each in parsed
        for record in each.records
        if record.key.entry_id.casefold() == entry_id.casefold() and file_type in (None, record.key.file_type)
    ]
    if not found:
        raise _not_found(parsed, entry_id)
    if len(found) > 1:
        places = ", ".join(f"{record.key.project_id}/{record.key.file_type}" for _, record in found)
        raise UsageError(f"{entry_id} stands in {places}.", remedy="Say which one: --project ID or --type FILE_TYPE.")
    project, record = found[0]
    fields, links = fields_and_links(record.content)
    return ShownEntry(record, project.paths[record.key.file_type], project.line_of(record.key), fields, links)


def _not_found(parsed: Sequence[ParsedProject], entry_id: str) -> EntryNotFound:
    """The error, with the ids that look most like the one asked for, and ledgers that could not be read."""
    ids = {record.key.entry_id.casefold(): record.key.entry_id for each in parsed for record in each.records}
    near = [ids[name] for name in difflib.get_close_matches(entry_id.casefold(), ids, n=_NEAREST)]
    unread = [
        f"{problem.path} could not be read."
        for each in parsed
        for problem in each.problems
        if problem.check == "entries_parse" and problem.severity is Severity.ERROR
    ]
    remedy = f"Did you mean {' or '.join(near)}?" if near else "'sot search' finds entries by their words."
    return EntryNotFound(" ".join([f"No entry {entry_id}.", *unread]), remedy=remedy)
