"""Fences that somebody forgot to close, and where they have to be taken as closed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from sot_pipeline.ledgers.scan import Hidden, Rescue, Span
from sot_pipeline.ledgers.words import DATE, ID_NUMBERS

_INDEX_HEADING = re.compile(rb"^ {0,3}#{1,3}[ \t]+INDEX\b[^\n]*", re.MULTILINE)
_HEADING = re.compile(rb"^#{1,3}[ \t]", re.MULTILINE)


@lru_cache(maxsize=64)
def strict_entry(prefix: str) -> re.Pattern[bytes]:
    """Matches a line of the strict entry form: level 2 or 3, id of this ledger, ` | date`."""
    return re.compile(
        rf"^#{{2,3}}[ \t]+(?P<id>{re.escape(prefix)}-{ID_NUMBERS})[^|\n]*\|[ \t]*{DATE}".encode(), re.MULTILINE
    )


def holds_entries(text: bytes, span: Span, prefix: str) -> bool:
    """Whether a fence holds what would be an entry if it were closed."""
    return span.kind is Hidden.FENCE and bool(strict_entry(prefix).search(text, span.start, span.end))


def rescue_of(text: bytes, entry_ids: Iterable[str], prefix: str) -> Rescue:
    """Tells where fences of `text` must be taken as closed; `entry_ids` are those that no fence hides.

    An open fence swallows the entries below it. It is taken as closed at a heading of the strict
    form whose id stands in the INDEX, or at the INDEX heading itself where that is swallowed too. A
    fence that is closed may show such a heading as an example: then the id has a section elsewhere.
    """
    strict = strict_entry(prefix)
    indexed = frozenset(_indexed(text, prefix))
    outside = {entry_id.encode() for entry_id in entry_ids}

    def stop(data: bytes, span: Span) -> int | None:
        for match in strict.finditer(data, span.start, span.end):
            if match["id"] in indexed and not (span.closed and match["id"] in outside):
                index = _INDEX_HEADING.search(data, span.start, match.start())
                return index.start() if index else match.start()
        return None

    return stop


def _indexed(text: bytes, prefix: str) -> Iterator[bytes]:
    """Ids in the rows below every INDEX heading, be it in a fence or not."""
    cell = re.compile(rf"\|[ \t*_`]*({re.escape(prefix)}-{ID_NUMBERS})[ \t*_`]*(?=\||$)".encode(), re.MULTILINE)
    for index in _INDEX_HEADING.finditer(text):
        following = _HEADING.search(text, index.end())
        for found in cell.finditer(text, index.end(), following.start() if following else len(text)):
            yield found[1]
