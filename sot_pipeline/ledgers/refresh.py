"""META and summary blocks made true. Every other byte, line ends included, stays. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import islice

from sot_pipeline.ledgers.meta import blocks_of, drift, time_stamps
from sot_pipeline.ledgers.model import Truth
from sot_pipeline.ledgers.parse import normalized
from sot_pipeline.ledgers.scan import scan

_LINE_END = re.compile(rb"\r\n|\r|\n")


def refreshed(data: bytes, truth: Truth, now: datetime) -> bytes:
    """`data` with the numbers of META and summary true.

    The times of last update are set to `now` (UTC) only where a number changes, so a second call
    changes nothing. Raises NotText as `parse_ledger` does.
    """
    text = normalized(data)
    blocks = blocks_of(text, scan(text))
    wrong = drift(text, blocks, truth)
    if not wrong:
        return data
    edits = [(stated.start, stated.end, str(stated.truth).encode()) for stated in wrong]
    in_meta, in_summary = time_stamps(text, blocks)
    if in_meta:
        edits.append((*in_meta, now.strftime("%Y-%m-%dT%H:%M:%SZ").encode()))
    if in_summary:
        edits.append((*in_summary, now.strftime("%Y-%m-%d %H:%M:%S").encode()))
    for start, end, new in sorted(edits, reverse=True):
        begin = _offset_in(data, text, start)
        data = data[:begin] + new + data[begin + end - start :]
    return data


def _offset_in(data: bytes, text: bytes, offset: int) -> int:
    """Where byte `offset` of the normalised `text` stands in `data`; an edit lies within one line.

    It is never the first line: there, at best, the comment begins that the edit belongs to.
    """
    line = text.count(b"\n", 0, offset)
    column = offset - (text.rfind(b"\n", 0, offset) + 1)
    return next(islice(_LINE_END.finditer(data), line - 1, None)).end() + column
