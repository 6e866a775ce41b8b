"""Where entries stand in their files as they are now.

The line of an entry is part of no row and no point, since an entry added on top moves all others.
A file whose bytes are those that were indexed has the lines noted with its hash; any other was
parsed to see how it differs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from sot_pipeline.ledgers.model import ParsedLedger
from sot_pipeline.plan import RecordKey
from sot_pipeline.search.freshness import LedgerNow


class Place(NamedTuple):
    """Where something that was found stands now: its file, the line (None: no more), and whether it says the same."""

    path: str
    line: int | None
    fresh: bool


def lines_of(
    ledgers: Iterable[LedgerNow], recorded: Callable[[LedgerNow], Mapping[str, int]], wanted: Collection[RecordKey]
) -> dict[RecordKey, int]:
    """Entry → its line, counting from 1, for those of `wanted` that stand in one of `ledgers`.

    `recorded` gives the lines noted for a ledger that is unchanged.
    """
    lines: dict[RecordKey, int] = {}
    for ledger in ledgers:
        here = [key for key in wanted if (key.project_id, key.file_type) == ledger.scope]
        if here:
            known = recorded(ledger) if ledger.unchanged else _lines_in(ledger)
            lines |= {key: known[key.entry_id] for key in here if key.entry_id in known}
    return lines


def _lines_in(ledger: LedgerNow) -> Mapping[str, int]:
    return ledger.read.lines if isinstance(ledger.read, ParsedLedger) else {}
