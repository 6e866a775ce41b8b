"""Folders on their way: finishing moves that a killed run began, and what files are as if that had been done.

A move is noted in the database before it begins. What stands where is told by `targets/skill_folders.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sot_pipeline.errors import SotError
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.skills.files import FoundSkills, read_folder
from sot_pipeline.skills.model import DOCUMENT, Move, Skill
from sot_pipeline.targets.database.skill_model import Batch
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline.targets.skill_folders import Moved, SkillFolders


def finish_moves(store: SkillStore, folders: SkillFolders, deadline: Deadline) -> Mapping[str, SotError]:
    """Finish the moves of a run that was cut short; answers what could not be finished, by where it was."""
    moves = store.moves()
    moved = make_moves(store, folders, moves, deadline)
    stuck = moved.failed.keys() - moved.given_up
    return {move.source: moved.failed[move.uid] for move in moves if move.uid in stuck}


def make_moves(store: SkillStore, folders: SkillFolders, moves: Sequence[Move], deadline: Deadline) -> Moved:
    """Make moves that are noted, and note where the skills are now: it is by its folder that one is known."""
    moved = folders.move(moves)
    done = [move for move in moves if move.uid not in moved.failed.keys() - moved.given_up]
    if done:
        arrived = {move.uid: move.target for move in done if move.target and move.uid not in moved.failed}
        store.commit(Batch(finished=[move.uid for move in done], arrived=arrived), deadline)
        folders.forget(done)
    return moved


def as_if_moved(files: FoundSkills, root: Path, moves: Collection[Move]) -> tuple[FoundSkills, Mapping[str, str]]:
    """`files` as they are once moves that were cut short are finished, and where those arrive, by uid."""
    skills = dict(files.skills)
    arrived: dict[str, str] = {}
    collected: dict[Move, Skill] = {}
    for move in moves:
        if move.target is not None and _has_arrived(root, move):
            arrived[move.uid] = move.target
        elif skill := _collected(root, move, skills.get(move.source)):
            collected[move] = skill
            if not (root / move.collected).exists():
                skills.pop(move.source, None)
    leaving = {move.source for move in moves if not (root / move.collected).exists()}
    for move, skill in collected.items():
        place = _place_of(root, move, skill, skills.get(move.target or ""))
        if place is not None:
            # What is there already is of this skill, unless another one has yet to leave.
            there = {} if place in leaving else read_folder(root, place)
            skills[place] = Skill(place, {**there, **skill.files})
        if place is not None and place == move.target:
            arrived[move.uid] = place
    return FoundSkills(skills, files.quarantined, files.temporaries), arrived


def _has_arrived(root: Path, move: Move) -> bool:
    return (root / move.collected).exists() and DOCUMENT not in read_folder(root, move.collected)


def _collected(root: Path, move: Move, waiting: Skill | None) -> Skill | None:
    """What is collected of a skill in the end; None where nothing is moved. `waiting` stands where it was."""
    if (root / move.collected).exists():
        return Skill(move.source, read_folder(root, move.collected))
    here = read_folder(root, move.collecting)
    if DOCUMENT in here:
        return Skill(move.source, here)
    if waiting and (here or waiting.folder_hash == move.folder_hash):
        return Skill(move.source, {**waiting.files, **here})
    return None


def _place_of(root: Path, move: Move, skill: Skill, there: Skill | None) -> str | None:
    """Where a skill comes to be that is collected; None where it is deleted. `there` is at its target now."""
    if move.target is None:
        is_doomed = (root / move.collected).exists() or skill.folder_hash == move.folder_hash
        return None if is_doomed else move.source
    return move.source if there and there.document != skill.document else move.target
