"""Text of ledgers and servers made fit for a terminal or a log. Pure."""

from __future__ import annotations

import re

# Control characters (a terminal obeys them, those of C1 as well), characters that break lines
# unseen, and those that reorder text. Joiners, accents and direction marks belong to scripts.
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""`text` with every character that a terminal would obey written out as `\u001b`.

    Line feeds and tabs stay. JSON stays the same JSON.
    """
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
