"""Which definitions of a code base fit a query by their names. Pure.

Names are read as people read them: `parse_ledger`, `parseLedger` and `ParseLedger` are the words
parse and ledger. Which symbols there are is asked by `code.py`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sot_pipeline.plan import Json

# A part of a name: HTTPServer is http and server, utf8 is one word.
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+\d*|\d+|[^\W_]+")

# How much a word of the query counts where it is: a word of the name, the beginning of one, a part
# of one, a word of what the symbol stands in or of its path.
WHOLE, BEGINNING, INSIDE, AROUND = 1.0, 0.7, 0.4, 0.25
_SHORTEST_BEGINNING = 3
# A name that says nothing but the query comes before longer ones that say it as well.
_EXTRA_WORD = 0.02


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition: `parent` is the name of what it stands in, `line` counts from 1."""

    path: str
    name: str
    kind: str
    parent: str | None
    line: int

    @property
    def qualified(self) -> str:
        """The name with that of what it stands in: `Parser.parse`."""
        return f"{self.parent}.{self.name}" if self.parent else self.name


def symbol_from(path: str, stored: Mapping[str, Json]) -> Symbol:
    """The symbol that a JSON object of `code_files.symbols` describes."""
    parent, line = stored.get("parent"), stored.get("line")
    return Symbol(
        path=path,
        name=str(stored.get("name", "")),
        kind=str(stored.get("kind", "symbol")),
        parent=str(parent) if parent else None,
        line=line if isinstance(line, int) else 1,
    )


def parts_of(text: str) -> tuple[str, ...]:
    """The words of a name or a query in lower case, in order."""
    return tuple(part.lower() for part in _PART.findall(text))


def best_symbols(symbols: Iterable[Symbol], query: str, limit: int) -> list[tuple[Symbol, float]]:
    """The symbols that say any word of `query`, best first, with a score of 0 to 1.

    1 is a symbol whose name says all words. A word weighs the more the fewer symbols say it.
    """
    asked = tuple(dict.fromkeys(parts_of(query)))
    found = [(symbol, fits) for symbol in symbols if any(fits := _fits(symbol, asked))]
    weights = _weights(asked, [fits for _, fits in found], len(found))
    scored = [(symbol, _score(symbol, fits, weights)) for symbol, fits in found]
    return sorted(scored, key=lambda entry: (-entry[1], entry[0].path, entry[0].line))[:limit]


def _fits(symbol: Symbol, asked: Sequence[str]) -> tuple[float, ...]:
    """How well each word of the query fits the symbol, 0 to 1."""
    own, around = parts_of(symbol.name), {*parts_of(symbol.parent or ""), *parts_of(symbol.path)}
    return tuple(_fit(word, own, around) for word in asked)


def _fit(word: str, own: Sequence[str], around: set[str]) -> float:
    if word in own:
        return WHOLE
    if len(word) >= _SHORTEST_BEGINNING:
        if any(part.startswith(word) or (len(part) >= _SHORTEST_BEGINNING and word.startswith(part)) for part in own):
            return BEGINNING
        if any(word in part for part in own):
            return INSIDE
    return AROUND if word in around else 0.0


def _weights(asked: Sequence[str], fits: Sequence[Sequence[float]], total: int) -> tuple[float, ...]:
    """Of each word, its share of all words' rarity (smoothed idf)."""
    said = Counter(place for each in fits for place, fit in enumerate(each) if fit > AROUND)
    rarity = [math.log(1 + (total + 1) / (said[place] + 0.5)) for place in range(len(asked))]
    return tuple(weight / sum(rarity) for weight in rarity)


def _score(symbol: Symbol, fits: Sequence[float], weights: Sequence[float]) -> float:
    extra = max(0, len(parts_of(symbol.name)) - sum(fit > AROUND for fit in fits))
    return sum(fit * weight for fit, weight in zip(fits, weights, strict=True)) / (1 + _EXTRA_WORD * extra)
