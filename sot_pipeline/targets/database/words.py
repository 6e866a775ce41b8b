"""Text into the words that keyword search compares: the same words in both databases.

SQLite's FTS5 cuts and stems by itself (`porter unicode61`); here is the same in Python, for
PostgreSQL, whose own parser takes paths, versions and host names for single words, and for
queries. The stemmer is `stem.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from sot_pipeline.targets.database.stem import Stems

# A word in the title or the id counts as much as three in the text (search.md: .772 → .707 MRR is
# with 3; BM25's own two constants are the ones FTS5 has built in).
TITLE_WEIGHT = 3
BM25_K1 = 1.2
BM25_B = 0.75

_ASCII_WORDS = bytes(
    code + 32 if 65 <= code <= 90 else code if chr(code).isalnum() and code < 128 else 32 for code in range(256)
)
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of `text` in order: runs of letters and digits, lower case, without accents."""
    if text.isascii():
        return text.encode().translate(_ASCII_WORDS).decode().split()
    plain = "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
    return _WORD.findall(plain.lower())


def query_words(query: str) -> list[str]:
    """The distinct words of a query. Whatever is no letter and no digit only separates them."""
    return list(dict.fromkeys(words_of(query)))


def names_in(query: str) -> set[str]:
    """What in `query` could be the id of an entry, in upper case: `build-163?` → `BUILD-163`.

    Letters alone are a word and no id: who asks about testing does not name the skill `testing`.
    """
    words = (word.strip(".,;:!?\"'()[]`") for word in query.split())
    return {word.upper() for word in words if not word.isalpha()}


def weigh(heading: Iterable[str], body: Iterable[str], stems: Stems) -> dict[str, int]:
    """Stem → how often it occurs, each occurrence in `heading` counted `TITLE_WEIGHT` times.

    `stems` remembers the words of one run to the next.
    """
    counts: dict[str, int] = {}
    for words, weight in ((heading, TITLE_WEIGHT), (body, 1)):
        for word, count in Counter(words).items():
            root = stems[word]
            counts[root] = counts.get(root, 0) + count * weight
    return counts
