"""The vocabulary of ledgers: how ids, dates, states and severities are written. Pure patterns."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

# An id must end where it ends: neither `BUILD-146-P6` nor `BUILD-12a` is BUILD-146 or BUILD-12.
ID_END = r"(?![A-Za-z0-9_]|-[A-Za-z0-9]|\.[0-9])"
# The numbers of an id, dots included: `BUILD-170.9` is not `BUILD-170`.
# They are bounded: an id is a key, and PostgreSQL indexes none that is longer than 2,700 bytes.
ID_NUMBERS = r"[0-9]{1,18}(?:\.[0-9]{1,18}){0,8}"
_ID_MARKUP = r"[\s*_`~\[]*"

DATE = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_DATE_ALONE = re.compile(rf"[\s*_`~]*({DATE})[\s*_`~]*")

_EMOJI = "✅❌⚠🚧🔄🧭⏳☑✔✓🟢🟡🔴⛔🎉🏁"
_DONE = r"complete|completed|done|implemented|resolved|fixed|validated|finished|shipped|closed|ok"
_OPEN = (
    r"in progress|in-progress|wip|planned|proposed|accepted|rejected|deprecated|superseded|blocked|open|failed"
    r"|partial|pending|abandoned|reverted|draft"
)
_STATE = rf"(?:{_DONE}|{_OPEN})"
_MARKS = rf"[{_EMOJI}][{_EMOJI}\ufe0f\s]*"

# What may stand at the end of a heading and speaks of the entry's state, not of its subject.
_TAILS = (
    re.compile(rf"\s*(?P<state>{_MARKS}(?:(?i:{_STATE})[{_EMOJI}\ufe0f\s]*)?)$"),
    re.compile(rf"\s*\[(?P<state>\s*(?:{_MARKS}|(?i:{_STATE}))\s*)\]$"),
    re.compile(
        rf"\s*\((?P<state>[^()]*(?:[{_EMOJI}]|\b(?:{_DONE.upper()}|{_OPEN.upper()})\b|\b(?i:{_DONE})\b\s*$)[^()]*)\)$"
    ),
    re.compile(rf"\s*\((?P<date>{DATE})\)$"),
)
_IS_DONE = re.compile(rf"[✅☑✔✓🏁🎉🟢]|\b(?:{_DONE})\b", re.IGNORECASE)
_IS_OPEN = re.compile(rf"[❌⚠🚧🔄🧭⏳🟡🔴⛔]|\b(?:{_OPEN})\b|\bnot\b|(?<!\d)\d{{1,2}}\s?%", re.IGNORECASE)

SEVERITIES = frozenset(
    {"critical", "blocker", "high", "major", "medium", "moderate", "minor", "low", "trivial", "info", "none"}
    | {f"{letter}{number}" for letter in ("p", "s", "sev", "sev-") for number in range(5)}
)
_STATE_ALONE = re.compile(rf"[{_EMOJI}\ufe0f\s]*(?i:{_STATE})[{_EMOJI}\ufe0f\s]*")


@lru_cache(maxsize=64)
def id_at_start(prefix: str) -> re.Pattern[str]:
    """Matches an id of this prefix at the start of a text, markup around it included."""
    return re.compile(rf"{_ID_MARKUP}(?P<id>{re.escape(prefix)}-{ID_NUMBERS}){ID_END}[\]*_`~]*(?:\(#[^)\s]*\))?")


def has_date_form(text: str) -> bool:
    """Whether `text` is written like a date, be there such a day or not."""
    return bool(_DATE_ALONE.fullmatch(text))


def date_alone(text: str) -> str | None:
    """The date if `text` is nothing but a valid one (ISO 8601, with or without a time)."""
    match = _DATE_ALONE.fullmatch(text)
    return match[1] if match and moment(match[1]) else None


@lru_cache(maxsize=4_096)
def date_in(text: str) -> str | None:
    """The first valid date in `text`."""
    return next((match[0] for match in re.finditer(DATE, text) if moment(match[0])), None)


@lru_cache(maxsize=4_096)
def moment(date: str) -> datetime | None:
    """`date` as a naive datetime in UTC; None where it is no date of the calendar."""
    try:
        when = datetime.fromisoformat(date)
        return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    except (ValueError, OverflowError):  # no such day; or one that another time zone moves out of the calendar
        return None


@lru_cache(maxsize=4_096)
def is_severity(text: str) -> bool:
    """True for LOW, High, P1, SEV-2 and the like."""
    return text.strip(" *_`").lower() in SEVERITIES


@lru_cache(maxsize=4_096)
def is_state(text: str) -> bool:
    """True where `text` is nothing but a state: `COMPLETE ✅`, `In Progress`."""
    return bool(_STATE_ALONE.fullmatch(text))


# Tails are short; patterns that look for one from every character are not for long texts.
_LONGEST_TAIL = 160


def cut_tails(title: str) -> tuple[str, str | None, str | None]:
    """`title` without what speaks of state and date at its end: (title, state, date)."""
    title = title.rstrip()
    if title.isascii() and not title.endswith((")", "]")):
        return title, None, None
    states: list[str] = []
    date: str | None = None
    head, title = title[:-_LONGEST_TAIL], title[-_LONGEST_TAIL:]
    while match := next((found for tail in _TAILS if (found := tail.search(title))), None):
        groups = match.groupdict()
        if groups.get("date"):
            if not moment(groups["date"]):
                break
            date = date or groups["date"]
        else:
            states.append(" ".join(groups["state"].split()))
        title = title[: match.start()].rstrip()
    return (head + title).rstrip(), " ".join(reversed(states)) or None, date


_BACKTICKS = re.compile("`+")


def mask_code(text: str) -> str:
    """`text` with its code spans blanked out, character by character, so that marks in them do not count."""
    if "`" not in text:
        return text
    runs = [(run.start(), run.end()) for run in _BACKTICKS.finditer(text)]
    later: dict[int, list[int]] = {}  # length of a run → which runs have it, last first
    for number in range(len(runs) - 1, -1, -1):
        later.setdefault(runs[number][1] - runs[number][0], []).append(number)
    parts: list[str] = []
    number = done = 0
    while number < len(runs):
        start, end = runs[number]
        same = later[end - start]
        while same and same[-1] <= number:
            same.pop()
        if same:  # the next run of the same length closes the span
            number = same[-1]
            parts += (text[done:start], "\0" * (runs[number][1] - start))
            done = runs[number][1]
        number += 1
    return "".join((*parts, text[done:]))


@lru_cache(maxsize=4_096)
def is_complete(state: str) -> bool:
    """Whether a state means that the work is done: `✅`, `100% COMPLETE`; not `95% COMPLETE`."""
    return bool(_IS_DONE.search(state)) and not _IS_OPEN.search(state)
