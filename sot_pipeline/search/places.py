"""Where entries stand in their files as they are now. Line numbers are stored nowhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sot_pipeline.ledgers.model import ParsedLedger
from sot_pipeline.plan import RecordKey
from sot_pipeline.search.freshness import LedgerNow


def lines_of(ledgers: Iterable[LedgerNow], wanted: Collection[RecordKey]) -> dict[RecordKey, int]:
    """Entry → its line, counting from 1, for those of `wanted` that stand in one of `ledgers`."""
    from sot_pipeline.ledgers.read import read_ledger

    lines: dict[RecordKey, int] = {}
    for ledger in ledgers:
        here = [key for key in wanted if (key.project_id, key.file_type) == ledger.scope]
        if not here:
            continue
        read = read_ledger(ledger.project, ledger.spec) if ledger.unchanged else ledger.read
        if isinstance(read, ParsedLedger):
            lines |= {key: read.lines[key.entry_id] for key in here if key.entry_id in read.lines}
    return lines
