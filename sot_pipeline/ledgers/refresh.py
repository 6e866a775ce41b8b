"""META and summary blocks made true. Every other byte, line ends included, stays. Pure."""

from __future__ import annotations

from datetime import datetime

from sot_pipeline.ledgers.meta import drift, time_stamps
from sot_pipeline.ledgers.model import Truth


def refreshed(data: bytes, truth: Truth, now: datetime) -> bytes:
    """`data` with the numbers of META and summary true.

    The times of last update are set to `now` (UTC) only where a number changes, so a second call
    changes nothing.
    """
    wrong = drift(data, truth)
    if not wrong:
        return data
    edits = [(stated.start, stated.end, str(stated.truth).encode()) for stated in wrong]
    in_meta, in_summary = time_stamps(data)
    if in_meta:
        edits.append((*in_meta, now.strftime("%Y-%m-%dT%H:%M:%SZ").encode()))
    if in_summary:
        edits.append((*in_summary, now.strftime("%Y-%m-%d %H:%M:%S").encode()))
    for start, end, text in sorted(edits, reverse=True):
        data = data[:start] + text + data[end:]
    return data
