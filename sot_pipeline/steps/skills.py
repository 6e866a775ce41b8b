"""The step on skills: files and rows are brought to agree, and what was agreed on moves last.

What both hold is `skills_state.py`, what is to be done `skills/reconcile.py`, how it is done
`skills_apply.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sot_pipeline.errors import RequirementMissing, SotError
from sot_pipeline.outcome import SkillChanges, SkillConflict, SkillsOutcome
from sot_pipeline.plan import Counts, Problem, Severity
from sot_pipeline.runtime.stopwatch import Stopwatch
from sot_pipeline.session import Session
from sot_pipeline.skills.match import Triple
from sot_pipeline.skills.merge import FieldConflict, Take
from sot_pipeline.skills.model import DOCUMENT, Skill
from sot_pipeline.skills.reconcile import Direction, SkillsPlan, Write, reconcile
from sot_pipeline.skills.threeway import MergedSkill, edited_files, merge_skill, with_leftovers
from sot_pipeline.steps.activity import activity_of
from sot_pipeline.steps.skills_apply import Applying, conflict_of, problem_at
from sot_pipeline.steps.skills_moves import finish_moves
from sot_pipeline.steps.skills_state import SkillsState, look, paths_of, status_of
from sot_pipeline.targets.database import Activity
from sot_pipeline.targets.database.skill_model import StoredConflict
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline.targets.database.skill_texts import SkillTexts
from sot_pipeline.targets.skill_folders import SkillFolders
from sot_pipeline.workspace import Project

# What `sync_activity` calls this step.
ACTIVITY = "skills"
# So large a part of what was agreed on may be deleted without being asked for.
_LOSS_ALLOWED = 0.5
_TAKEN_FROM_FILE = "file"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which skills a command is about (all where nothing is said), and what it does with their conflicts."""

    path: str | None = None
    status: str | None = None
    force: Take | None = None

    def names(self, path: str) -> bool:
        """Whether a skill at `path` is meant, by its path."""
        return self.path is None or f"{path}/".startswith(f"{self.path}/")

    def has(self, states: Iterable[Skill]) -> bool:
        """Whether a skill is meant that has these states on the sides."""
        found = tuple(states)
        named = any(self.names(skill.path) for skill in found)
        return named and (self.status is None or any(status_of(skill) == self.status for skill in found))

    def has_triple(self, triple: Triple) -> bool:
        """Whether this skill is meant."""
        return self.has(skill for skill in (triple.base, triple.ours, triple.theirs) if skill)


def skill_store(session: Session, project: Project) -> SkillStore:
    """The project's skills in the database. Raises RequirementMissing without a database."""
    return SkillStore(session.require_database(), project.id)


def skill_folders(project: Project) -> SkillFolders:
    """The project's skills as files. Raises RequirementMissing where the project has none."""
    if project.skills is None:
        raise RequirementMissing(
            f"Project {project.id} has no skills.", remedy='Add [project.skills] with path = "skills" to sot.toml.'
        )
    return SkillFolders(project.root / project.skills.path)


def sync_skills(
    session: Session,
    project: Project,
    direction: Direction,
    *,
    execute: bool,
    choice: Choice = Choice(),
    allow_mass_delete: bool = False,
) -> SkillsOutcome:
    """Bring the two sides of the chosen skills together, as far as `direction` writes them.

    Without `execute` only plans. Raises RequirementMissing where the project has no skills or there
    is no database, FileUnusable for a folder that cannot be listed, and what the database raises
    before anything is written. What stops it later is the outcome's `error`.
    """
    store, folders = skill_store(session, project), skill_folders(project)
    watch, started = Stopwatch(), time.perf_counter()
    with watch.phase("look"):
        stuck = finish_moves(store, folders, session.deadline) if execute else {}
        problems = tuple(problem_at(path, error) for path, error in stuck.items())
        state = look(store, folders.root, into_empty=direction is Direction.IMPORT)
        session.check(f"before the skills of {project.id} are compared")
    with watch.phase("plan"):
        plan = _plan(state, direction, choice, store.conflicts())
    refused = None if allow_mass_delete else _refusal(plan, state)
    outcome = replace(
        _outcome(project, plan, direction),
        unchanged=sum(step.agrees for step in plan.steps)
        + sum(choice.has([skill]) for skill in state.settled.values()),
        quarantined={path: reason for path, reason in state.quarantined.items() if choice.names(path)},
        problems=(*problems, *((refused,) if refused else ())),
        seconds=watch.seconds,
    )
    if not execute or refused:
        return outcome
    with watch.phase("write"):
        untouched = [*(triple for triple in state.found if not choice.has_triple(triple)), *state.frozen]
        applying = Applying(session, store, folders, state.versions)
        folders.tidy(state.temporaries)
        try:
            applied = applying.apply(plan, untouched, choice.force)
            SkillTexts(store.database, project.id).refresh(session.deadline)
            outcome = replace(outcome, problems=(*outcome.problems, *applied))
            store.database.record_activity(project.id, _activity(outcome, started), session.deadline)
        except SotError as error:
            outcome = replace(outcome, error=error)
    return outcome


def _plan(state: SkillsState, direction: Direction, choice: Choice, decided: Sequence[StoredConflict]) -> SkillsPlan:
    chosen = [triple for triple in state.found if choice.has_triple(triple)]
    others = [triple for triple in state.found if not choice.has_triple(triple)] + list(state.frozen)
    kept = [*state.settled.values()]
    files = {triple.ours.path: triple.ours for triple in others if triple.ours}
    closed = [Skill(path) for path in state.quarantined if path not in files]
    staying = {
        "files": [*kept, *files.values(), *closed],
        "database": [*kept, *(triple.theirs for triple in others if triple.theirs)],
    }
    decisions = _Decisions(state, choice.force, decided)
    return reconcile(
        chosen, direction, decisions.with_leftovers if direction.writes_files else decisions.merged, staying
    )


@dataclass(frozen=True, slots=True)
class _Decisions:
    """How versions of a skill are merged: with what was forced, or decided by `sot skills resolve`."""

    state: SkillsState
    force: Take | None
    decided: Sequence[StoredConflict]

    def with_leftovers(self, triple: Triple) -> MergedSkill:
        """How they are merged where that is written to files, some of which may be there already."""
        found = self.merged(triple)
        if found.skill is None or (triple.ours and triple.ours.path == found.skill.path):
            return found
        return with_leftovers(found, self.state.leftovers.get(found.skill.path, {}))

    def merged(self, triple: Triple) -> MergedSkill:
        found = self._merged(triple, None)
        if not found.conflicts:
            return found
        decided = self._decided(triple, found.conflicts)
        if self.force:
            chosen = self._merged(triple, self.force)
        elif decided and decided.resolution == _TAKEN_FROM_FILE:
            chosen = self._merged(triple, None, decided.chosen)
        elif decided and decided.resolution:
            chosen = self._merged(triple, Take(decided.resolution))
        else:
            return found
        return replace(chosen, overruled=(*found.conflicts, *chosen.overruled))

    def _merged(self, triple: Triple, take: Take | None, document: bytes | None = None) -> MergedSkill:
        refused = self.state.unrendered.get(triple.uid or "")
        if refused is None:
            return merge_skill(triple, take, document)
        if take is not Take.OURS or triple.ours is None or triple.theirs is None:
            return MergedSkill(None, (refused, *edited_files(triple)))
        # Its own document is not known, so that of the files counts as what both have.
        files = {**triple.theirs.files, DOCUMENT: triple.ours.files[DOCUMENT]}
        return merge_skill(replace(triple, theirs=replace(triple.theirs, files=files)), take)

    def _decided(self, triple: Triple, conflicts: Sequence[FieldConflict]) -> StoredConflict | None:
        """The decision on exactly these conflicts; one on other versions is none."""
        wanted = [conflict_of(triple, conflict) for conflict in conflicts]
        found = [each for each in self.decided if each.conflict in wanted and each.resolution]
        return found[0] if len(found) == len(wanted) else None


def _refusal(plan: SkillsPlan, state: SkillsState) -> Problem | None:
    """The problem with a plan that deletes more than half of what was agreed on."""
    lost = [write.path for step in plan.steps for write in (step.files, step.database) if write and write.after is None]
    if len(lost) <= _LOSS_ALLOWED * state.agreed:
        return None
    return Problem(
        "skill_loss",
        Severity.ERROR,
        sorted(lost)[0],
        None,
        f"{len(lost)} of {state.agreed} skills are gone on one side and would be deleted on the other: nothing was "
        "written. If they are meant to go, add --allow-mass-delete; if not, bring them back.",
    )


def _outcome(project: Project, plan: SkillsPlan, direction: Direction) -> SkillsOutcome:
    conflicts = (
        SkillConflict(next(paths_of(triple)), each.field, each.base, each.ours, each.theirs)
        for triple, each in plan.conflicts
    )
    return SkillsOutcome(
        project.id,
        files=_changes(plan.writes("files")) if direction.writes_files else None,
        database=_changes(plan.writes("database")) if direction.writes_database else None,
        conflicts=tuple(sorted(conflicts, key=lambda conflict: (conflict.path, conflict.field))),
    )


def _changes(writes: Sequence[Write]) -> SkillChanges:
    return SkillChanges(
        created=tuple(write.path for write in writes if write.before is None),
        updated=tuple(write.path for write in writes if write.edits),
        deleted=tuple(write.path for write in writes if write.after is None),
        renamed=tuple((write.before.path, write.path) for write in writes if write.moves and write.before),
    )


def _activity(outcome: SkillsOutcome, started: float) -> Activity:
    counts = Counts(unchanged=outcome.unchanged)
    for side in (outcome.files, outcome.database):
        counts = counts.plus(side.counts) if side else counts
    return activity_of(ACTIVITY, sum(counts) - counts.deleted, counts, outcome.problems, started)
