"""Three versions of a text merged by lines, with the conflicts that `git merge-file` reports and no others."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from sot_pipeline.skills.alignment import Change, changes

# Behind every change of every text.
_NEVER = Change(sys.maxsize, sys.maxsize, sys.maxsize, sys.maxsize)
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def merge_lines(base: str, ours: str, theirs: str) -> str | None:
    """The text with the changes of both sides; None where they conflict.

    Changes conflict where they touch the same lines of `base` or lines next to each other, unless both
    sides come to the same text there. Lines end with a line feed; all else is part of the line.
    """
    if base == theirs or ours == theirs:
        return ours
    if base == ours:
        return theirs
    old, mine, yours = map(_LINE.findall, (base, ours, theirs))
    merged: list[str] = []
    done = 0
    for region in _regions(_Version(mine, changes(old, mine)), _Version(yours, changes(old, yours))):
        our_lines = mine[region.ours_start : region.ours_end]
        their_lines = yours[region.theirs_start : region.theirs_end]
        if region.side is _Side.BOTH and (our_lines != their_lines or not our_lines):
            return None
        merged += mine[done : region.ours_start]
        merged += their_lines if region.side is _Side.THEIRS else our_lines
        done = region.ours_end
    return "".join(merged + mine[done:])


class _Side(Enum):
    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"


class _Region(NamedTuple):
    """Lines that one side changed, or both, where they stand in either version."""

    side: _Side
    ours_start: int
    ours_end: int
    theirs_start: int
    theirs_end: int

    def joined(self, other: _Region) -> _Region:
        """This region and one that touches it, as one: by both sides unless both are by the same."""
        side = self.side if self.side is other.side else _Side.BOTH
        return _Region(side, self.ours_start, other.ours_end, self.theirs_start, other.theirs_end)


class _Version(NamedTuple):
    """One side: its lines, and how they differ from the base."""

    lines: Sequence[str]
    changes: Sequence[Change]

    def made(self, change: Change) -> Sequence[str]:
        return self.lines[change.new_start : change.new_end]


def _regions(ours: _Version, theirs: _Version) -> list[_Region]:
    """What either side changed, in order; regions that touch each other are joined to one."""
    found: list[_Region] = []
    for region in _parted(ours, theirs):
        if found and (region.ours_start <= found[-1].ours_end or region.theirs_start <= found[-1].theirs_end):
            found[-1] = found[-1].joined(region)
        else:
            found.append(region)
    return found


def _parted(ours: _Version, theirs: _Version) -> Iterator[_Region]:
    """A region for each change, or pair of changes that touch; the same change on both sides is none."""
    # How far each side is ahead of the base behind the changes that were passed.
    our_lead = their_lead = 0
    our_queue, their_queue = deque(ours.changes), deque(theirs.changes)
    while our_queue or their_queue:
        our = our_queue[0] if our_queue else _NEVER
        their = their_queue[0] if their_queue else _NEVER
        our_first, their_first = our.old_end < their.old_start, their.old_end < our.old_start
        if our_first:
            yield _Region(_Side.OURS, our.new_start, our.new_end, our.old_start + their_lead, our.old_end + their_lead)
        elif their_first:
            yield _Region(
                _Side.THEIRS, their.old_start + our_lead, their.old_end + our_lead, their.new_start, their.new_end
            )
        elif our[:2] != their[:2] or ours.made(our) != theirs.made(their):
            start, end = min(our.old_start, their.old_start), max(our.old_end, their.old_end)
            yield _Region(_Side.BOTH, *_widened(our, start, end), *_widened(their, start, end))
        if our.old_end <= their.old_end and not their_first:
            our_lead = our.new_end - our.old_end
            our_queue.popleft()
        if their.old_end <= our.old_end and not our_first:
            their_lead = their.new_end - their.old_end
            their_queue.popleft()


def _widened(change: Change, start: int, end: int) -> tuple[int, int]:
    """The new lines of `change` with the unchanged ones around, so that they stand for `start` to `end` of the base."""
    return change.new_start - (change.old_start - start), change.new_end + (end - change.old_end)
