"""Inline markdown as plain text: what a reader sees of a title or a cell. Blocks are not known here."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from mistune import Markdown

# Without one of these characters a text has no markup, and mistune need not be asked.
_MARKUP = re.compile(r"[*_`\[\]<>~\\&!]")


# A longer text is no title; what parses inline markup takes time in the square of the length.
_LONGEST_PARSED = 2_000


@lru_cache(maxsize=4_096)
def plain(text: str) -> str:
    """`text` without inline markup, on one line; the text of code, links and images stays.

    A text of more than 2,000 characters keeps its markup.
    """
    text = " ".join(text.split())
    if len(text) > _LONGEST_PARSED or not _MARKUP.search(text):
        return text
    return " ".join("".join(_texts(_inline_tokens(text))).split())


def _inline_tokens(text: str) -> Iterable[Mapping[str, object]]:
    inline = _markdown().inline
    state = inline.state_cls({"ref_links": {}})
    state.src = text
    return cast("Iterable[Mapping[str, object]]", inline.render(state))


@lru_cache(maxsize=1)
def _markdown() -> Markdown:
    import mistune

    # renderer=None gives tokens instead of HTML.
    return mistune.create_markdown(renderer=None, plugins=["strikethrough"])


def _texts(tokens: Iterable[Mapping[str, object]]) -> Iterable[str]:
    for token in tokens:
        kind = token["type"]
        if kind == "inline_html" and str(token["raw"]).startswith("<!--"):
            continue
        elif "raw" in token:
            raw = str(token["raw"])
            yield html.unescape(raw) if kind == "text" else raw
        else:
            yield from _texts(cast("Iterable[Mapping[str, object]]", token.get("children", ())))
