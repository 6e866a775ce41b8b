"""Which lines of two texts belong together, decided as git decides it.

Several shortest edit scripts lead from one text to another, and whether two people's edits meet depends on
the one that is chosen. So the choices of git's default algorithm are made here too: Myers' O(ND) search from
both ends (E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986, section 4b) over the lines that
are worth comparing, given up on at the same cost, then every run of changed lines slid as far down as it goes
or to where the other text changed as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

# Git's own figures: with others a search ends elsewhere. (Above 65,000 lines that differ, git searches longer.)
_MOST_REPEATS = 1024
_RUN_LOOKED_AT = 100
_RARE_AMONG = 4
_COST_LIMIT = 256


class Change(NamedTuple):
    """Lines `old_start` to `old_end` (exclusive) became lines `new_start` to `new_end`."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def changes(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Change]:
    """What turns `old` into `new`, in order; between two changes there is at least one common line."""
    old_changed, new_changed = bytearray(len(old)), bytearray(len(new))
    first, old_end, new_end = 0, len(old), len(new)
    while first < min(old_end, new_end) and old[first] == new[first]:
        first += 1
    while first < min(old_end, new_end) and old[old_end - 1] == new[new_end - 1]:
        old_end, new_end = old_end - 1, new_end - 1
    old_kept = _worth_comparing(old, Counter(new), range(first, old_end), old_changed)
    new_kept = _worth_comparing(new, Counter(old), range(first, new_end), new_changed)
    search = _Search([old[place] for place in old_kept], [new[place] for place in new_kept])
    for place in search.removed:
        old_changed[old_kept[place]] = 1
    for place in search.added:
        new_changed[new_kept[place]] = 1
    _slide(old, old_changed, new_changed)
    _slide(new, new_changed, old_changed)
    return _runs(old_changed, new_changed)


def _worth_comparing(
    lines: Sequence[Hashable], other: Counter[Hashable], places: range, changed: bytearray
) -> list[int]:
    """The places of the lines that the search should see; the rest is marked as changed.

    Left out are lines that the other text does not have, and among many of these also lines that it has
    very often, like empty ones: they would only lead the search astray.
    """
    often = min(_root(len(lines)), _MOST_REPEATS)
    # 0: the other text has no such line, 1: it has, 2: it has many.
    kinds = [0 if not other[lines[place]] else 2 if other[lines[place]] >= often else 1 for place in places]
    kept = []
    for number, kind in enumerate(kinds):
        if kind == 1 or (kind == 2 and not _is_among_strangers(kinds, number)):
            kept.append(places[number])
        else:
            changed[places[number]] = 1
    return kept


def _root(number: int) -> int:
    """A power of two near the square root."""
    return 1 << ((number.bit_length() + 1) // 2)


def _is_among_strangers(kinds: list[int], number: int) -> bool:
    """True where a frequent line stands between lines that the other text does not have."""
    before = _census(kinds[max(0, number - _RUN_LOOKED_AT) : number][::-1])
    after = _census(kinds[number + 1 : number + 1 + _RUN_LOOKED_AT])
    if not before[0] or not after[0]:
        return False
    strangers, frequent = before[0] + after[0], before[1] + after[1]
    return frequent * _RARE_AMONG < frequent + strangers


def _census(kinds: list[int]) -> tuple[int, int]:
    """How many strangers and frequent lines (the one asked about counts too) come before the next proper one."""
    run = kinds[: kinds.index(1)] if 1 in kinds else kinds
    return run.count(0), run.count(2) + 1


class _Box(NamedTuple):
    """A part of both texts to be compared; `exact` where no cost is too high."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int
    exact: bool


class _Meeting(NamedTuple):
    """Where a box is cut in two, and which of the halves is known to be cheap enough for an exact search."""

    old: int
    new: int
    exact_before: bool = True
    exact_after: bool = True


class _Front:
    """How far a search has come on each diagonal (old place - new place), by the place in the old text."""

    def __init__(self, size: int) -> None:
        # Diagonals may be negative; so may be the index of a list, and the list is long enough for both.
        self.reached = [0] * size
        self.low = self.high = self.middle = 0

    def restart(self, diagonal: int, place: int) -> None:
        self.low = self.high = self.middle = diagonal
        self.reached[diagonal] = place

    def widen(self, lowest: int, highest: int, beyond: int) -> None:
        """One step more in each direction, or one less where the box ends."""
        if self.low > lowest:
            self.low -= 1
            self.reached[self.low - 1] = beyond
        else:
            self.low += 1
        if self.high < highest:
            self.high += 1
            self.reached[self.high + 1] = beyond
        else:
            self.high -= 1

    def diagonals(self) -> range:
        return range(self.high, self.low - 1, -2)


class _Search:
    """The lines that `old` has to lose (`removed`) and `new` has to gain (`added`)."""

    def __init__(self, old: list[Hashable], new: list[Hashable]) -> None:
        self.old, self.new = old, new
        self.removed: list[int] = []
        self.added: list[int] = []
        size = len(old) + len(new) + 3
        self.forward, self.backward = _Front(size), _Front(size)
        self.beyond = size
        boxes = [_Box(0, len(old), 0, len(new), exact=False)]
        while boxes:
            boxes.extend(self.halves(self.shrunk(boxes.pop())))

    def shrunk(self, box: _Box) -> _Box:
        start, end, new_start, new_end, exact = box
        while start < end and new_start < new_end and self.old[start] == self.new[new_start]:
            start, new_start = start + 1, new_start + 1
        while start < end and new_start < new_end and self.old[end - 1] == self.new[new_end - 1]:
            end, new_end = end - 1, new_end - 1
        return _Box(start, end, new_start, new_end, exact)

    def halves(self, box: _Box) -> tuple[_Box, ...]:
        start, end, new_start, new_end, _ = box
        if start == end or new_start == new_end:
            self.removed.extend(range(start, end))
            self.added.extend(range(new_start, new_end))
            return ()
        at = self.meeting(box)
        return (
            _Box(start, at.old, new_start, at.new, at.exact_before),
            _Box(at.old, end, at.new, new_end, at.exact_after),
        )

    def meeting(self, box: _Box) -> _Meeting:
        """Where the fronts from both ends meet; where that costs too much, the best place so far."""
        lowest, highest = box.old_start - box.new_end, box.old_end - box.new_start
        self.forward.restart(box.old_start - box.new_start, box.old_start)
        self.backward.restart(box.old_end - box.new_end, box.old_end)
        cost = 0
        while box.exact or cost < _COST_LIMIT:
            cost += 1
            self.forward.widen(lowest, highest, -1)
            if found := self.advance(box):
                return found
            self.backward.widen(lowest, highest, self.beyond)
            if found := self.retreat(box):
                return found
        return self.furthest(box)

    def advance(self, box: _Box) -> _Meeting | None:
        """The forward front moves on; where it meets the backward one, that is the place."""
        old, new, reached, backward = self.old, self.new, self.forward.reached, self.backward
        odd = (self.forward.middle - backward.middle) % 2
        for diagonal in self.forward.diagonals():
            place = max(reached[diagonal - 1] + 1, reached[diagonal + 1])
            while place < box.old_end and place - diagonal < box.new_end and old[place] == new[place - diagonal]:
                place += 1
            reached[diagonal] = place
            if odd and backward.low <= diagonal <= backward.high and backward.reached[diagonal] <= place:
                return _Meeting(place, place - diagonal)
        return None

    def retreat(self, box: _Box) -> _Meeting | None:
        """The backward front, likewise."""
        old, new, reached, forward = self.old, self.new, self.backward.reached, self.forward
        odd = (self.backward.middle - forward.middle) % 2
        for diagonal in self.backward.diagonals():
            place = min(reached[diagonal - 1], reached[diagonal + 1] - 1)
            while (
                place > box.old_start
                and place - diagonal > box.new_start
                and old[place - 1] == new[place - diagonal - 1]
            ):
                place -= 1
            reached[diagonal] = place
            if not odd and forward.low <= diagonal <= forward.high and place <= forward.reached[diagonal]:
                return _Meeting(place, place - diagonal)
        return None

    def furthest(self, box: _Box) -> _Meeting:
        """The place that one of the fronts came furthest to, in both texts together."""
        ahead = (-1, -1)
        for diagonal in self.forward.diagonals():
            old = min(self.forward.reached[diagonal], box.old_end, box.new_end + diagonal)
            if 2 * old - diagonal > ahead[0]:
                ahead = (2 * old - diagonal, old)
        behind = (2 * self.beyond, 0)
        for diagonal in self.backward.diagonals():
            old = max(self.backward.reached[diagonal], box.old_start, box.new_start + diagonal)
            if 2 * old - diagonal < behind[0]:
                behind = (2 * old - diagonal, old)
        if box.old_end + box.new_end - behind[0] < ahead[0] - box.old_start - box.new_start:
            return _Meeting(ahead[1], ahead[0] - ahead[1], exact_after=False)
        return _Meeting(behind[1], behind[0] - behind[1], exact_before=False)


class _Run:
    """A run of changed lines, maybe empty; runs are parted by single unchanged lines."""

    def __init__(self, changed: bytearray) -> None:
        self.changed = changed
        self.start = 0
        self.end = self.run_end(0)

    def run_end(self, place: int) -> int:
        end = self.changed.find(0, place)
        return len(self.changed) if end < 0 else end

    def is_last(self) -> bool:
        return self.end == len(self.changed)

    def go_on(self) -> None:
        self.start = self.end + 1
        self.end = self.run_end(self.start)

    def go_back(self) -> None:
        self.end = self.start - 1
        self.start = self.changed.rfind(0, 0, self.end) + 1

    def move_up(self, lines: Sequence[Hashable]) -> bool:
        """One line up, if that changes nothing about the texts; joins the run above if it gets there."""
        if self.start == 0 or self.start == self.end or lines[self.start - 1] != lines[self.end - 1]:
            return False
        self.changed[self.start - 1], self.changed[self.end - 1] = 1, 0
        self.end -= 1
        self.start = self.changed.rfind(0, 0, self.start - 1) + 1
        return True

    def move_down(self, lines: Sequence[Hashable]) -> bool:
        """One line down, likewise."""
        if self.is_last() or self.start == self.end or lines[self.start] != lines[self.end]:
            return False
        self.changed[self.start], self.changed[self.end] = 0, 1
        self.start += 1
        self.end = self.run_end(self.end + 1)
        return True


def _slide(lines: Sequence[Hashable], changed: bytearray, other_changed: bytearray) -> None:
    """Slides every run of changed lines down, or to the last place where the other text has a run too."""
    run, other = _Run(changed), _Run(other_changed)
    while True:
        if run.start < run.end:
            _slide_one(lines, run, other)
        if run.is_last():
            return
        run.go_on()
        other.go_on()


def _slide_one(lines: Sequence[Hashable], run: _Run, other: _Run) -> None:
    while True:
        length = run.end - run.start
        while run.move_up(lines):
            other.go_back()
        meets = other.start < other.end
        while run.move_down(lines):
            other.go_on()
            meets |= other.start < other.end
        if run.end - run.start == length:  # it has not met another run
            break
    while meets and other.start == other.end:
        run.move_up(lines)
        other.go_back()


def _runs(old_changed: bytearray, new_changed: bytearray) -> list[Change]:
    found = []
    old, new = _Run(old_changed), _Run(new_changed)
    while True:
        if old.start < old.end or new.start < new.end:
            found.append(Change(old.start, old.end, new.start, new.end))
        if old.is_last():
            return found
        old.go_on()
        new.go_on()
