"""How the blocks of CommonMark 0.31 that matter to headings begin and end. Patterns over bytes, no state."""

from __future__ import annotations

import re
from functools import lru_cache

HEADING = re.compile(rb"(#{1,6})(?:[ \t]+([^\n]*)|(?=\n|\Z))")
FENCE = re.compile(rb"(`{3,}(?=[^`\n]*(?:\n|\Z))|~{3,})")
BLANK_LINE = re.compile(rb"\n[ \t]*(?=\n|\Z)")
THEMATIC_BREAK = re.compile(rb"(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})\Z")
SETEXT_UNDERLINE = re.compile(rb"(?:=+|-+)[ \t]*\Z")

_BLOCK_TAGS = (
    rb"address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt"
    rb"|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main"
    rb"|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead"
    rb"|title|tr|track|ul"
)
COMMENT = re.compile(rb"<!--")
# Section 4.6, kinds 1 to 6: how an HTML block begins and what ends it.
HTML_BLOCKS: tuple[tuple[re.Pattern[bytes], re.Pattern[bytes]], ...] = (
    (
        re.compile(rb"(?i)<(?:pre|script|style|textarea)(?=[ \t>\n]|\Z)"),
        re.compile(rb"(?i)</(?:pre|script|style|textarea)>"),
    ),
    (COMMENT, re.compile(rb"-->")),
    (re.compile(rb"<\?"), re.compile(rb"\?>")),
    (re.compile(rb"<!\[CDATA\["), re.compile(rb"\]\]>")),
    (re.compile(rb"<![A-Za-z]"), re.compile(rb">")),
    (re.compile(rb"(?i)</?(?:" + _BLOCK_TAGS + rb")(?=[ \t\n]|/?>|\Z)"), BLANK_LINE),
)
_ATTRIBUTE = rb"(?:[ \t]+[A-Za-z_:][\w.:-]*(?:[ \t]*=[ \t]*(?:[^\s\"'=<>`]+|'[^'\n]*'|\"[^\"\n]*\"))?)"
# Kind 7: any tag alone on its line, but not inside a paragraph.
LONE_TAG = re.compile(
    rb"(?:<[A-Za-z][A-Za-z0-9-]*" + _ATTRIBUTE + rb"*[ \t]*/?>|</[A-Za-z][A-Za-z0-9-]*[ \t]*>)[ \t]*(?=\n|\Z)"
)


@lru_cache(maxsize=64)
def closing_fence(mark: bytes, length: int) -> re.Pattern[bytes]:
    """Matches the line feed before a closing fence, and that line."""
    return re.compile(rb"\n {0,3}%s{%d,}[ \t]*(?=\n|\Z)" % (mark, length))


def html_end(data: bytes, at: int, end: int, *, in_paragraph: bool) -> re.Pattern[bytes] | None:
    """What ends the HTML block that begins at `at` in a line that ends at `end`; None where none begins."""
    for start, stop in HTML_BLOCKS:
        if start.match(data, at, end):
            return stop
    return BLANK_LINE if not in_paragraph and LONE_TAG.match(data, at, end) else None
