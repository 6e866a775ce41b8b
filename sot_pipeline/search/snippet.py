"""One line of an entry that shows why it was found. Pure.

The line is plain text: markup that a reader would stumble over is taken out by simple patterns,
which is good enough for a line nobody parses again. What is searched is never changed by this.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

SNIPPET_CHARS = 160
_ELLIPSIS = "…"

# Text around the densest matches that is cleaned: markup shortens it, so more than is shown.
_CONTEXT_CHARS = 600
# Matches looked at in one chunk; a word that stands in it more often than this is no landmark.
_MATCHES = 400
# Ends of words that stemming makes equal ("tests", "tested", "testing") are at most this long.
_ENDING_CHARS = 3
_SHORTEST_STEM = 4

_WORD = re.compile(r"\w+")
_MARKUP: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL), " "),
    (re.compile(r"^[ \t]*(?:`{3,}|~{3,})[^\n]*$", re.MULTILINE), " "),
    (re.compile(r"^[ \t|:-]+$", re.MULTILINE), " "),
    (re.compile(r"^[ \t]*(?:#{1,6}|>|[-*+]|\d{1,3}[.)])[ \t]+", re.MULTILINE), ""),
    (re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)"), r"\1"),
    (re.compile(r"\*\*|__(?=\w)|(?<=\w)__|`+|~~"), ""),
    (re.compile(r"(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])"), ""),
    (re.compile(r"[ \t]*\|[ \t]*"), " "),
)
_SPACES = re.compile(r"\s+")


def words_in(query: str) -> tuple[str, ...]:
    """The distinct words of a query, case folded, in order."""
    return tuple(dict.fromkeys(word.casefold() for word in _WORD.findall(query)))


def snippet(text: str, words: Sequence[str], width: int = SNIPPET_CHARS) -> str:
    """About `width` characters of `text` on one line, where most of `words` stand; "" of nothing.

    Cut at white space where there is some near, else between characters as a reader sees them;
    "…" marks text left out.
    """
    pattern = _pattern(words)
    around = _densest(text, pattern, width)
    start = max(0, around - _CONTEXT_CHARS)
    end = around + width + _CONTEXT_CHARS
    line = _plain(text[start:end])
    # A word that stood in markup alone, such as a link's target, is gone: show what stood around it.
    first = _densest(line, pattern, width) or min(len(_plain(text[start:around])), len(line))
    return _cut(line, first, width, before=start > 0, after=end < len(text))


def _pattern(words: Sequence[str]) -> re.Pattern[str] | None:
    """Finds the words and what stemming takes for them; None without words."""
    if not words:
        return None
    return re.compile("|".join(sorted(map(_forms_of, words), key=len, reverse=True)), re.IGNORECASE)


def _forms_of(word: str) -> str:
    """A pattern for the forms of a word. Scripts that write no spaces have no forms and no borders."""
    if not word.isascii():
        return re.escape(word)
    if len(word) <= _SHORTEST_STEM:
        return rf"\b{word}\b"
    return rf"\b{word[: max(_SHORTEST_STEM, len(word) - _ENDING_CHARS)]}"


def _densest(text: str, pattern: re.Pattern[str] | None, width: int) -> int:
    """Where the `width` characters start that say most of the words; 0 without any.

    Each word counts once, by the cube of its length: short words are seldom what a query is about.
    """
    hits: list[tuple[int, str]] = []
    for match in pattern.finditer(text) if pattern else ():
        hits.append((match.start(), match.group().casefold()))
        if len(hits) == _MATCHES:
            break
    best, most, first = 0, 0, 0
    for last, (position, _) in enumerate(hits):
        while position - hits[first][0] > width:
            first += 1
        weight = sum(len(word) ** 3 for word in {word for _, word in hits[first : last + 1]})
        if weight > most:
            best, most = hits[first][0], weight
    return best


def _plain(text: str) -> str:
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return _SPACES.sub(" ", _without_controls(text)).strip()


def _without_controls(text: str) -> str:
    """No control characters: a snippet goes to terminals."""
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} else letter for letter in text)


def _cut(line: str, match: int, width: int, *, before: bool, after: bool) -> str:
    """`width` characters of `line` with the match a little way in, and marks for what is left out."""
    start = max(0, min(match - width // 4, len(line) - width))
    if start:
        start = _word_start(line, start, match)
    end = start + width
    if end < len(line):
        end = _word_end(line, end, max(match, start + width // 2))
    shown = line[start:end].strip()
    if not shown:
        return ""
    head = _ELLIPSIS if before or start else ""
    tail = _ELLIPSIS if after or end < len(line) else ""
    return f"{head}{shown}{tail}"


def _word_start(line: str, start: int, match: int) -> int:
    space = line.find(" ", start - 1, match)
    return space + 1 if space >= 0 else _between_letters(line, start)


def _word_end(line: str, end: int, lowest: int) -> int:
    space = line.rfind(" ", lowest, end + 1)
    return space if space > lowest else _between_letters(line, end)


def _between_letters(line: str, cut: int) -> int:
    """`cut` moved back to where no letter is parted from its accents, joiners or selectors."""
    while 0 < cut < len(line) and (_belongs_to_neighbour(line[cut]) or line[cut - 1] == "\u200d"):
        cut -= 1
    return cut


def _belongs_to_neighbour(letter: str) -> bool:
    """True for what is drawn onto the letter before: accents, joiners, selectors, skin tones."""
    return (
        unicodedata.category(letter) in {"Mn", "Me", "Mc"}
        or letter == "\u200d"
        or "\U0001f3fb" <= letter <= "\U0001f3ff"
    )
