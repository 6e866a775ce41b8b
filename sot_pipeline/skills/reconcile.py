"""The plan of a sync of skills: what each side is to become, from three states. Pure.

A dry run and a real one come from here. Who is which skill is `match.py`, how two versions of one
become one is `threeway.py`; writing is `steps.skills`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sot_pipeline.skills.files import nearest
from sot_pipeline.skills.match import Triple
from sot_pipeline.skills.merge import FieldConflict
from sot_pipeline.skills.model import Skill
from sot_pipeline.skills.threeway import MergedSkill


class Direction(StrEnum):
    """Which side a command writes."""

    EXPORT = "export"
    IMPORT = "import"
    SYNC = "sync"

    @property
    def writes_files(self) -> bool:
        """True where files follow the database."""
        return self is not Direction.EXPORT

    @property
    def writes_database(self) -> bool:
        """True where the database follows the files."""
        return self is not Direction.IMPORT


@dataclass(frozen=True, slots=True)
class Write:
    """What one side's skill was and becomes; None where it is not, or no longer, there."""

    before: Skill | None
    after: Skill | None

    @property
    def path(self) -> str:
        """Where the skill is afterwards, or was."""
        return (self.after or self.before or _NOWHERE).path

    @property
    def moves(self) -> bool:
        """True where its folder becomes another one."""
        return bool(self.before and self.after and self.before.path != self.after.path)

    @property
    def edits(self) -> bool:
        """True where what is in it changes."""
        return bool(self.before and self.after and self.before.files != self.after.files)


_NOWHERE = Skill("")


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one skill. Where nothing is written on a side, its write is None.

    `base` is what both sides are to have agreed on when all of it is done; `between`, while files
    are still to be written: with it a run that is cut short there is gone on with by the next, and
    no edit of either side looks like an old state. A frozen skill has conflicts and no writes.
    """

    triple: Triple
    files: Write | None = None
    database: Write | None = None
    base: Skill | None = None
    between: Skill | None = None
    conflicts: tuple[FieldConflict, ...] = ()
    overruled: tuple[FieldConflict, ...] = ()

    @property
    def agrees(self) -> bool:
        """True where both sides hold the same."""
        return self.triple.ours == self.triple.theirs and not self.conflicts

    @property
    def is_empty(self) -> bool:
        """True where nothing has to be written, not even what was agreed on."""
        return not (self.files or self.database or self.conflicts) and self.base == self.triple.base


@dataclass(frozen=True, slots=True)
class SkillsPlan:
    """A step for each skill that was looked at, also where nothing is to be done."""

    steps: tuple[Step, ...]

    def writes(self, side: str) -> tuple[Write, ...]:
        """All writes of "files" or "database", in the order of paths."""
        found = (step.files if side == "files" else step.database for step in self.steps)
        return tuple(sorted((write for write in found if write), key=lambda write: write.path))

    @property
    def conflicts(self) -> tuple[tuple[Triple, FieldConflict], ...]:
        """Every conflict with its skill."""
        return tuple((step.triple, conflict) for step in self.steps for conflict in step.conflicts)


def reconcile(
    found: Sequence[Triple],
    direction: Direction,
    merged: Callable[[Triple], MergedSkill],
    others: Mapping[str, Sequence[Skill]],
) -> SkillsPlan:
    """The plan for these skills. `others` are, by side, those that are where they are and stay there."""
    steps = _apart([_step(triple, direction, merged(triple)) for triple in found], others)
    return SkillsPlan(tuple(steps))


def _step(triple: Triple, direction: Direction, merged: MergedSkill) -> Step:
    ours, theirs, result = triple.ours, triple.theirs, merged.skill
    if merged.conflicts:
        return Step(triple, base=triple.base, conflicts=merged.conflicts)
    database = Write(theirs, result) if direction.writes_database and theirs != result else None
    files = Write(ours, result) if direction.writes_files and ours != result else None
    # The side that is not written holds what the next run has to compare with.
    base = {Direction.EXPORT: ours, Direction.IMPORT: theirs, Direction.SYNC: result}[direction]
    between = base if not files else ours if database else triple.base
    return Step(triple, files, database, base=base, between=between, overruled=merged.overruled)


def _apart(steps: list[Step], others: Mapping[str, Sequence[Skill]]) -> list[Step]:
    """The steps, those frozen that would put two skills into one folder, or a file of one into that of another."""
    while any(step.files or step.database for step in steps):
        clashing = {index for side in ("files", "database") for index in _clashing(steps, side, others.get(side, ()))}
        clashing.update(_straying(steps, others.get("files", ())))
        if not clashing:
            return steps
        steps = [_frozen(step) if index in clashing else step for index, step in enumerate(steps)]
    return steps


def _clashing(steps: Sequence[Step], side: str, others: Iterable[Skill]) -> Iterator[int]:
    """Indices of the steps that move or make a skill where another one is or comes to be."""
    after = [_after(step, side) for step in steps]
    times = Counter(skill.path for skill in (*after, *others) if skill)
    for index, (step, skill) in enumerate(zip(steps, after, strict=True)):
        write = _write(step, side)
        if skill and times[skill.path] > 1 and write and (write.moves or write.before is None):
            yield index


def _straying(steps: Sequence[Step], others: Iterable[Skill]) -> Iterator[int]:
    """Indices of the steps by which a file comes to lie in the folder of a skill that is nearer to it than its own.

    On the side of files it would be that skill's. In a database it may be: nobody moved it there.
    """
    if not any(step.files for step in steps):
        return
    after = [_after(step, "files") for step in steps]
    at = {skill.path: index for index, skill in enumerate(after) if skill}
    paths = at.keys() | {skill.path for skill in others}
    for index, skill in [*enumerate(after), *((None, other) for other in others)]:
        for name in skill.files if skill else ():
            owner = nearest(skill.path, name, paths) if skill else ""
            if skill and owner != skill.path:
                yield from (each for each in (index, at.get(owner)) if each is not None and steps[each].files)


def _after(step: Step, side: str) -> Skill | None:
    write = _write(step, side)
    if write:
        return write.after
    return step.triple.ours if side == "files" else step.triple.theirs


def _write(step: Step, side: str) -> Write | None:
    return step.files if side == "files" else step.database


def _frozen(step: Step) -> Step:
    wanted = step.files or step.database
    path = wanted.path if wanted else ""
    before, ours, theirs = (
        skill.path if skill else None for skill in (step.triple.base, step.triple.ours, step.triple.theirs)
    )
    conflict = FieldConflict("skill_path", before, ours, theirs or path)
    return replace(step, files=None, database=None, base=step.triple.base, between=None, conflicts=(conflict,))
