"""The order in which a thread takes the locks of the subsystems, so that no two can wait for each other.

It holds for lock files and leases alike; taking them is `locks.py` and `leases.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

# How long a writer waits for others, if nobody says otherwise.
LOCK_WAIT_SECONDS = 30.0

CANONICAL_ORDER = ("queue", "runs", "archive", "docs")

# Place (folder or database) and name → thread that holds the lock in this process.
_held: dict[tuple[str, str], int] = {}


def require_canonical(names: Sequence[str]) -> None:
    """Raises ValueError for names out of order, unknown or repeated."""
    if list(names) != [name for name in CANONICAL_ORDER if name in names]:
        raise ValueError(f"Locks {tuple(names)} are not in the canonical order {CANONICAL_ORDER}.")


def require_later(place: str, names: Sequence[str]) -> None:
    """Raises RuntimeError where this thread holds one of `names`, or a later one, of the same place.

    The same one again would never come; an earlier one may be held by who waits for ours.
    """
    me = threading.get_ident()
    mine = [name for name in CANONICAL_ORDER if _held.get((place, name)) == me]
    if mine and names and CANONICAL_ORDER.index(names[0]) <= CANONICAL_ORDER.index(mine[-1]):
        raise RuntimeError(f"Lock '{names[0]}' asked for while holding '{mine[-1]}' of the same place.")


def note_taken(place: str, name: str) -> None:
    """This thread now holds `name`."""
    _held[(place, name)] = threading.get_ident()


def note_released(place: str, name: str) -> None:
    """Nobody in this process holds `name` any more, whatever thread took it."""
    _held.pop((place, name), None)
