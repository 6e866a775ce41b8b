"""A ledger of the shape of real ones, from a seed: summary, META, index table, sections.

Lengths of entries are log-normal with a mean of about 1.5 kB; one line in seven is a list item
with code. The same seed gives the same bytes. Parsing and measuring are elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

PREFIX = "BUILD"

# exp(7.1 + 0.6² / 2) is 1.45 kB, heading and index row come on top; the spread is that of real ledgers.
_LENGTH_MU, _LENGTH_SIGMA = 7.1, 0.6
_SHORTEST, _LONGEST = 200, 15_000
_NEWEST = date(2026, 1, 31)
_PHASES = ("Hotfix", "Tooling", "Quality", "Docs", "Feature", "Release")
_NOUNS = (
    "adapter", "archive", "batch", "branch", "budget", "bundle", "cache", "catalog", "channel", "checkpoint",
    "cluster", "cursor", "daemon", "deadline", "digest", "draft", "endpoint", "engine", "fixture", "flag",
    "gateway", "handshake", "header", "heartbeat", "journal", "kernel", "lease", "listener", "logger", "marker",
    "mutex", "parser", "partition", "payload", "planner", "probe", "queue", "quota", "registry", "replica",
    "request", "resolver", "retention", "runner", "scheduler", "schema", "sensor", "shard", "socket", "stream",
    "ticket", "token", "trace", "trigger", "watcher", "worker",
)  # fmt: skip
_VERBS = (
    "adds", "bounds", "checks", "drops", "fixes", "guards", "keeps", "limits", "loads", "merges", "moves", "opens",
    "reads", "renames", "splits",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is written; `body` is its section without the heading."""

    entry_id: str
    day: str
    phase: str
    title: str
    body: str


def entries_of(count: int, seed: int) -> list[Entry]:
    """`count` entries, the newest first."""
    return [_entry(number, random.Random(f"{seed} {number}")) for number in range(count, 0, -1)]


def _entry(number: int, chance: random.Random) -> Entry:
    length = min(_LONGEST, max(_SHORTEST, chance.lognormvariate(_LENGTH_MU, _LENGTH_SIGMA)))
    lines = [f"**Status**: {chance.choice(('Complete', 'In progress'))}", ""]
    size = 0
    for line in _lines(chance):
        lines.append(line)
        size += len(line) + 1
        if size >= length:
            break
    day = _NEWEST - timedelta(hours=7 * number)
    return Entry(f"{PREFIX}-{number}", day.isoformat(), chance.choice(_PHASES), _clause(chance), "\n".join(lines))


def _lines(chance: random.Random) -> Iterator[str]:
    while True:
        if chance.randrange(7) == 0:
            yield f"- `src/{chance.choice(_NOUNS)}/{chance.choice(_NOUNS)}.py`: {_clause(chance).lower()}"
        else:
            clauses = "; ".join(_clause(chance).lower() for _ in range(3))
            yield f"{clauses.capitalize()} (run {chance.randrange(1_000_000)})."


def _clause(chance: random.Random) -> str:
    one, two, three, four = chance.choices(_NOUNS, k=4)
    return f"{one.capitalize()} {two} {chance.choice(_VERBS)} the {three} of every {four}"


def edited(entries: Sequence[Entry], at: Collection[int], revision: str) -> list[Entry]:
    """`entries` with one more line in those at the positions `at`."""
    return [
        replace(entry, body=f"{entry.body}\n- Revised: {revision}.") if position in at else entry
        for position, entry in enumerate(entries)
    ]


def without(entries: Sequence[Entry], at: Collection[int]) -> list[Entry]:
    """`entries` without those at the positions `at`."""
    return [entry for position, entry in enumerate(entries) if position not in at]


def render(entries: Sequence[Entry]) -> str:
    """The text of the ledger."""
    rows = "\n".join(f"| {one.day} | {one.entry_id} | {one.phase} | {one.title} |" for one in entries)
    sections = "\n".join(
        f"### {one.entry_id} | {one.day} | {one.phase} | {one.title}\n\n{one.body}\n\n---\n" for one in entries
    )
    return f"""# Build History

<!-- META
Total_Builds: {len(entries)}
Format_Version: 2.0
-->

## INDEX (newest first)

| Timestamp | BUILD-ID | Phase | Summary |
|-----------|----------|-------|---------|
{rows}

## BUILDS

{sections}"""
