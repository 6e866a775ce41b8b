"""Text from a ledger made harmless for the markdown that the Dagster UI renders. Pure."""

from __future__ import annotations

import re

# Everything that starts markup in CommonMark, GFM tables and HTML. Each becomes a character
# reference, which markdown never takes for markup, unlike a backslash in front of a line feed.
_MARKUP = re.compile(r"[\\`*_{}\[\]()<>#+\-.!|~&:@/\"'=$^]")
_WHITE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff\ud800-\udfff]")


def escape_markdown(text: str, *, limit: int = 200) -> str:
    """`text` as one line of literal text for a markdown cell: no markup, link, tag or new line.

    White space and control characters become single spaces, invisible direction marks vanish and
    text beyond `limit` characters is cut with "…".
    """
    line = _WHITE.sub(" ", _DIRECTION.sub("", text)).strip()
    if len(line) > limit:
        line = line[: limit - 1].rstrip() + "…"
    return _MARKUP.sub(lambda found: f"&#{ord(found.group())};", line)
