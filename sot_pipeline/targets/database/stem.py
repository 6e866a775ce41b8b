"""The Porter stemmer: English words without their endings.

M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980, with what SQLite's FTS5
adds to it: `logi` becomes `log`; words of less than three or more than 64 bytes stay as they are.
"""

from __future__ import annotations

from itertools import pairwise

_SHORTEST = 3
_LONGEST = 64
_DIGITS = "0123456789"  # no ending is one of them
_MOST_KEPT = 1 << 17  # words, some 20 MB

_STEP_2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble",
    "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate",
    "alism": "al", "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive",
    "biliti": "ble", "logi": "log",
}  # fmt: skip
_STEP_3 = {
    "icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": "",
}  # fmt: skip
_STEP_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate",
    "iti", "ous", "ive", "ize",
)  # fmt: skip


class Stems(dict[str, str]):
    """Stems of lower-case words, each worked out once: a dict is asked five times as fast as lru_cache."""

    def __missing__(self, word: str) -> str:
        if len(self) >= _MOST_KEPT:
            self.clear()
        self[word] = found = stem(word)
        return found


def stem(word: str) -> str:
    """The stem of a lower-case word."""
    if not word.isascii():
        # FTS5 counts bytes: each of them is made a character of its own. Only ASCII endings are cut.
        return _stem(word.encode().decode("latin-1")).encode("latin-1").decode()
    return _stem(word)


def _stem(word: str) -> str:
    if not _SHORTEST <= len(word) <= _LONGEST or word[-1] in _DIGITS:
        return word
    word = _step_1c(_step_1b(_step_1a(word)))
    word = _replace(word, _STEP_2)
    word = _replace(word, _STEP_3)
    return _step_5(_step_4(word))


def _is_vowel(word: str, index: int) -> bool:
    if word[index] == "y":
        return index > 0 and not _is_vowel(word, index - 1)
    return word[index] in "aeiou"


def _measure(part: str) -> int:
    """How often a vowel is followed by a consonant: Porter's m."""
    pattern = [_is_vowel(part, index) for index in range(len(part))]
    return sum(before and not after for before, after in pairwise(pattern))


def _has_vowel(part: str) -> bool:
    return any(_is_vowel(part, index) for index in range(len(part)))


def _ends_double(word: str) -> bool:
    return len(word) > 1 and word[-1] == word[-2] and not _is_vowel(word, len(word) - 1)


def _ends_short(word: str) -> bool:
    """Porter's *o: ends consonant, vowel, consonant, the last not w, x or y."""
    size = len(word)
    return (
        size > 2
        and not _is_vowel(word, size - 3)
        and _is_vowel(word, size - 2)
        and not _is_vowel(word, size - 1)
        and word[-1] not in "wxy"
    )


def _step_1a(word: str) -> str:
    if word[1:].endswith(("sses", "ies")):  # an ending is no whole word
        return word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


def _step_1b(word: str) -> str:
    if word[1:].endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        if word.endswith(ending):
            part = word[: -len(ending)]
            return _mend(part) if _has_vowel(part) else word
    return word


def _mend(part: str) -> str:
    """What step 1b left gets back the end it needs: hop(p), fil(e), conflat(e)."""
    if part.endswith(("at", "bl", "iz")):
        return part + "e"
    if _ends_double(part) and part[-1] not in "lsz":
        return part[:-1]
    return part + "e" if _measure(part) == 1 and _ends_short(part) else part


def _step_1c(word: str) -> str:
    return word[:-1] + "i" if word.endswith("y") and _has_vowel(word[:-1]) else word


def _replace(word: str, endings: dict[str, str]) -> str:
    """`word` with the longest of `endings` that it has replaced, where enough is left before it."""
    ending = max((ending for ending in endings if word.endswith(ending)), key=len, default="")
    part = word[: len(word) - len(ending)]
    return part + endings[ending] if ending and _measure(part) > 0 else word


def _step_4(word: str) -> str:
    ending = max((ending for ending in _STEP_4 if word.endswith(ending)), key=len, default="")
    part = word[: len(word) - len(ending)]
    if not ending or _measure(part) <= 1 or (ending == "ion" and part[-1:] not in ("s", "t")):
        return word
    return part


def _step_5(word: str) -> str:
    if word.endswith("e"):
        part = word[:-1]
        measure = _measure(part)
        if measure > 1 or (measure == 1 and not _ends_short(part)):
            word = part
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word
