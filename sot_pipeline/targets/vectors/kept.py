"""The points of whole ledgers: made anew only for entries that a ledger did not have when last asked for.

How one entry becomes points is `points.py`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from sot_pipeline.plan import Record
from sot_pipeline.targets.vectors.points import points_of
from sot_pipeline.targets.vectors.store import Point


class Cut(NamedTuple):
    """Which ledger, and how its entries are cut: its project, its path below the root, and tokens."""

    project_id: str
    path: str
    chunk_tokens: int
    max_tokens: int


class KeptPoints:
    """Keeps the points of the ledgers used last, of at most `entries` entries together.

    What an entry was before an edit is forgotten with the next look at its ledger, so a process
    that stays grows with its ledgers and not with their history.
    """

    def __init__(self, entries: int) -> None:
        self._limit = entries
        self._lock = threading.Lock()
        self._kept: OrderedDict[Cut, dict[Record, tuple[Point, ...]]] = OrderedDict()

    def of_ledger(self, cut: Cut, records: Sequence[Record]) -> tuple[Point, ...]:
        """The points of `records`, which are all entries of one ledger, in their order."""
        with self._lock:
            before = self._kept.pop(cut, {})
        now = {
            record: before.get(record)
            or points_of(record, cut.path, chunk_tokens=cut.chunk_tokens, max_tokens=cut.max_tokens)
            for record in records
        }
        with self._lock:
            self._kept[cut] = now
            while sum(map(len, self._kept.values())) > self._limit:
                self._kept.popitem(last=False)
        return tuple(chain.from_iterable(now.values()))
