"""Applies a plan of skills: rows in one transaction, then files, and what was agreed on last.

Wherever a process dies, the next run goes on: until files are written, what counts as agreed on is
what they still hold, and folders on their way are noted in the transaction that wants them moved.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sot_pipeline.errors import FileChangedMeanwhile, FileUnusable, SotError
from sot_pipeline.plan import Problem, Severity
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.session import Session
from sot_pipeline.skills.front_matter import fields_of, split
from sot_pipeline.skills.match import Triple
from sot_pipeline.skills.merge import FieldConflict, Take
from sot_pipeline.skills.model import DOCUMENT, Move, Skill
from sot_pipeline.skills.reconcile import SkillsPlan, Step
from sot_pipeline.steps.skills_moves import make_moves
from sot_pipeline.steps.skills_state import paths_of
from sot_pipeline.targets.database.skill_conflicts import AGREED
from sot_pipeline.targets.database.skill_model import Batch, Conflict, StoredSkill, Version, Written
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline.targets.skill_folders import SkillFolders

# The version of a row that does not hold what is noted as agreed on: no row ever has it.
_NO_VERSION = -1
CHECK = "skills_agree"


@dataclass(frozen=True, slots=True)
class Applying:
    """Applies plans to one project; `versions` are those of the rows that the plan was made from."""

    session: Session
    store: SkillStore
    folders: SkillFolders
    versions: Mapping[str, Version]

    def apply(self, plan: SkillsPlan, untouched: Collection[Triple], force: Take | None) -> tuple[Problem, ...]:
        """Do what the plan says; answers what could not be done, which the next run tries again.

        `untouched` are skills that the plan is not about. Raises what the database raises,
        DeadlineExceeded and LeaseLost.
        """
        deadline = self.session.deadline
        self.session.check("before skills are written")
        # What was overruled before, and is as it was then, is noted already.
        found = [
            (step.triple, each)
            for step in plan.steps
            for each in (*step.conflicts, *(() if step.is_empty else step.overruled))
        ]
        self.store.record_conflicts([conflict_of(triple, each) for triple, each in found], deadline)
        steps = {step.triple.uid or uuid.uuid4().hex: step for step in plan.steps if not step.conflicts}
        steps = {uid: step for uid, step in steps.items() if not step.is_empty}
        # Where a folder is filled anew, what is not yet there must not look deleted to the next run.
        forgotten = [step.triple.uid for step in plan.steps if step.triple.uid and step.triple.base is None]
        problems = self._written(steps, forgotten) if steps else ()
        self._close_conflicts([*untouched, *(triple for triple, _ in plan.conflicts)], force)
        return problems

    def _written(self, steps: Mapping[str, Step], forgotten: Collection[str]) -> tuple[Problem, ...]:
        deadline = self.session.deadline
        moves = [move for uid, step in steps.items() if (move := _move_of(uid, step))]
        written = self.store.commit(replace(self._first(steps, moves), forgotten=forgotten), deadline)
        reach(Failpoint.SKILLS_COMMITTED)
        problems = list(_lost(steps, written))
        to_write = {
            uid: step
            for uid, step in steps.items()
            if step.files and uid not in written.moved and uid not in written.refused
        }
        if not to_write:
            return tuple(problems)
        moves = [move for move in moves if move.uid in to_write]
        moved = make_moves(self.store, self.folders, moves, deadline)
        unwritten = dict(self._write_files({uid: step for uid, step in to_write.items() if uid not in moved.failed}))
        unwritten |= moved.failed
        problems += (problem_at(next(paths_of(steps[uid].triple)), error) for uid, error in unwritten.items())
        reach(Failpoint.SKILLS_WRITTEN)
        done = self._agreement({uid: step for uid, step in to_write.items() if uid not in unwritten}, written.versions)
        self.store.commit(done, deadline)
        return tuple(problems)

    def _first(self, steps: Mapping[str, Step], moves: Sequence[Move]) -> Batch:
        """Rows, and what is agreed on while files are still to be written."""
        between = {uid: replace(step, base=step.between) if step.files else step for uid, step in steps.items()}
        writes = {uid: step.database for uid, step in steps.items() if step.database}
        stored = {uid: self._stored(uid, write.after) for uid, write in writes.items() if write.after}
        return replace(
            self._agreement(between, None),
            inserts=[skill for uid, skill in stored.items() if writes[uid].before is None],
            updates=[skill for uid, skill in stored.items() if writes[uid].before],
            deletes={uid: self._version(uid) for uid in writes.keys() - stored.keys()},
            moves=moves,
        )

    def _agreement(self, steps: Mapping[str, Step], written: Mapping[str, int] | None) -> Batch:
        """What is agreed on after these steps, and with which version of the row.

        A row that is `written` has the version it was given then, and until then (None) the one it
        will be given. One that holds something else than was agreed on has none.
        """
        agreed = {uid: step.base for uid, step in steps.items() if step.base}
        seen = {}
        for uid, base in agreed.items():
            write = steps[uid].database
            if (write.after if write else steps[uid].triple.theirs) != base:
                seen[uid] = _NO_VERSION
            elif write is None or written is not None:
                seen[uid] = (written or {}).get(uid, self._version(uid))
        buried = {uid: _side(step) for uid, step in steps.items() if step.base is None and step.triple.base}
        return Batch(agreed=agreed, seen=seen, buried=buried)

    def _version(self, uid: str) -> int:
        return self.versions[uid].row_version if uid in self.versions else 0

    def _stored(self, uid: str, skill: Skill) -> StoredSkill:
        template, body = split(skill.document)
        document = skill.files[DOCUMENT]
        others = {name: file for name, file in skill.files.items() if name != DOCUMENT}
        return StoredSkill(
            uid, skill.path, fields_of(template), template, body, others, document.executable, self._version(uid)
        )

    def _write_files(self, steps: Mapping[str, Step]) -> Iterator[tuple[str, SotError]]:
        """Write what is in the folders, which are where they should be; answers what could not be, by uid."""
        for uid, step in steps.items():
            write = step.files
            if write is None or write.after is None:
                continue
            self.session.check(f"before {write.path} is written")
            try:
                self.folders.write(Skill(write.path, write.before.files) if write.before else None, write.after)
            except (FileChangedMeanwhile, FileUnusable) as error:
                yield uid, error

    def _close_conflicts(self, left: Collection[Triple], force: Take | None) -> None:
        """End the open conflicts of all skills but those `left` with one, or left alone."""
        uids = {triple.uid for triple in left}
        paths = {path for triple in left for path in paths_of(triple)}
        over = [each.conflict for each in self.store.conflicts()]
        ended = {each.uid for each in over if each.uid and each.uid not in uids}
        gone = {each.path for each in over if not each.uid and each.path not in paths}
        resolution = force.value if force else AGREED
        self.store.close_conflicts(ended, self.session.deadline, paths=gone, resolution=resolution)


def conflict_of(triple: Triple, conflict: FieldConflict) -> Conflict:
    """A conflict as it is stored: with the whole files it stands in."""
    name = DOCUMENT
    if any(skill and conflict.field in skill.files for skill in (triple.ours, triple.theirs)):
        name = conflict.field
    data = (
        skill.files[name].content if skill and name in skill.files else None
        for skill in (triple.base, triple.ours, triple.theirs)
    )
    return Conflict(
        triple.uid or "", next(paths_of(triple)), conflict.field, conflict.base, conflict.ours, conflict.theirs, *data
    )


def _move_of(uid: str, step: Step) -> Move | None:
    write = step.files
    if write is None or write.before is None or (write.after and not write.moves):
        return None
    return Move(uid, write.before.path, write.after.path if write.after else None, write.before.folder_hash)


def _side(step: Step) -> str:
    """Where a skill was deleted first."""
    if step.triple.ours is None and step.triple.theirs is None:
        return "both"
    return "files" if step.triple.ours is None else "database"


def _lost(steps: Mapping[str, Step], written: Written) -> Iterator[Problem]:
    """Rows that somebody else changed while this ran, and values that a database cannot hold."""
    for uid, step in steps.items():
        path = next(paths_of(step.triple))
        if uid in written.refused:
            yield Problem(CHECK, Severity.ERROR, path, None, f"Not written to the database: {written.refused[uid]}")
        elif uid in written.moved:
            message = "Its row was changed while it was synced, and that change was kept. Run the same command again."
            yield Problem(CHECK, Severity.ERROR, path, None, message)


def problem_at(path: str, error: SotError) -> Problem:
    """What could not be done to a skill."""
    return Problem(CHECK, Severity.ERROR, path, None, str(error))
