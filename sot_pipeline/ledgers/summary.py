"""What the README says of the ledgers: how many entries, the latest build, the last change. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from sot_pipeline.ledgers.model import ParsedLedger
from sot_pipeline.plan import Record
from sot_pipeline.runtime.visible import visible

_NAMES = {
    "build_history": "Builds",
    "architecture_decisions": "Architecture decisions",
    "debug_log": "Debugging sessions",
}
_NUMBERS = re.compile(r"\d+")
# What could end the marker comment, start a tag or a link, or break the line.
_UNSAFE = re.compile(r"[\\`*_\[\]<>|]")


def summarize(ledgers: Sequence[ParsedLedger]) -> str:
    """Markdown lines for the README's summary block; equal ledgers give equal text, whatever the clock."""
    lines = [_line(ledger) for ledger in ledgers]
    dated = [record.created_at for ledger in ledgers for record in ledger.records if record.created_at]
    if dated:
        lines.append(f"- **Last change**: {max(dated).date().isoformat()}")
    return "\n".join(lines) or "No ledgers."


def _line(ledger: ParsedLedger) -> str:
    kind = ledger.spec.file_type
    name = _NAMES.get(kind) or kind.replace("_", " ").capitalize()
    latest = ""
    if kind == "build_history" and (record := latest_of(ledger.records)):
        day = f", {record.created_at.date().isoformat()}" if record.created_at else ""
        latest = f", latest {record.key.entry_id} ({_escape(record.title)}{day})"
    return f"- **{name}**: {len(ledger.records)}{latest}"


def latest_of(records: Iterable[Record]) -> Record | None:
    """The latest entry: by date, then by number; entries without a date come before all others."""
    return max(records, key=lambda record: (record.created_at or datetime.min, _number(record)), default=None)


def _number(record: Record) -> tuple[int, ...]:
    return tuple(map(int, _NUMBERS.findall(record.key.entry_id)))


def _escape(text: str) -> str:
    return _UNSAFE.sub(lambda mark: "\\" + mark[0], visible(" ".join(text.split())))
