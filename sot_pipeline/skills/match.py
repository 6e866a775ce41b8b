"""Which skill is which: files have no identity of their own, so each is matched with what was agreed on before. Pure.

A folder keeps its uid by its path. One that moved is found by what it holds, then by the name in
its front matter where that is the only one of its kind; two folders that swapped contents are two
moves. What cannot be told is a deletion and a new skill.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sot_pipeline.skills.model import Skill

Feature = TypeVar("Feature")


@dataclass(frozen=True, slots=True)
class Triple:
    """One skill in its three states; None where it is not there. `uid` is None while only files have it.

    `ours` are the files, `theirs` is the database.
    """

    uid: str | None
    base: Skill | None
    ours: Skill | None
    theirs: Skill | None


def triples(
    base: Mapping[str, Skill],
    files: Mapping[str, Skill],
    rows: Mapping[str, Skill],
    name_of: Callable[[Skill], str | None],
) -> list[Triple]:
    """Every skill that any side has: `base` and `rows` by uid, `files` by path. In the order of uids, new ones last.

    A folder without a base is the same skill as a row without one that has its path: each side made
    it, or the base was lost.
    """
    found = _by_path_or_move(base, files)
    left_files = {path: files[path] for path in files.keys() - found.values()}
    left_base = {uid: base[uid] for uid in base.keys() - found.keys()}
    found |= _by_name(left_base, left_files, name_of)
    left_paths = files.keys() - found.values()
    for uid in sorted(rows.keys() - base.keys()):
        if rows[uid].path in left_paths:
            found[uid] = rows[uid].path
            left_paths -= {rows[uid].path}
    known = [
        Triple(uid, base.get(uid), files[found[uid]] if uid in found else None, rows.get(uid))
        for uid in sorted(base.keys() | rows.keys())
    ]
    return known + [Triple(None, None, files[path], None) for path in sorted(left_paths)]


def _by_path_or_move(base: Mapping[str, Skill], files: Mapping[str, Skill]) -> dict[str, str]:
    """Uid → path of the folders that stayed, or that hold elsewhere what they held."""
    uids = {skill.path: uid for uid, skill in base.items()}
    moves = _moves(base, files, uids)
    stayed = {uid: path for path, uid in uids.items() if path in files and uid not in moves}
    return moves | {uid: path for uid, path in stayed.items() if path not in set(moves.values())}


def _moves(base: Mapping[str, Skill], files: Mapping[str, Skill], uids: Mapping[str, str]) -> dict[str, str]:
    """Uid → new path. Only a folder whose old place is empty, or taken by another that moved, did move.

    Who copies a folder and edits the original has edited the original.
    """
    changed = {
        path: skill for path, skill in files.items() if path not in uids or base[uids[path]].files != skill.files
    }
    missing = {uid: skill for uid, skill in base.items() if skill.path not in files or skill.path in changed}
    here, there = _only_ones(changed.items(), _content), _only_ones(missing.items(), _content)
    moves = {there[content]: here[content] for content in there.keys() & here.keys()}
    while True:
        taken = set(moves.values())
        stays = {uid for uid in moves if base[uid].path in files and base[uid].path not in taken}
        if not stays:
            return moves
        moves = {uid: path for uid, path in moves.items() if uid not in stays}


def _by_name(
    base: Mapping[str, Skill], files: Mapping[str, Skill], name_of: Callable[[Skill], str | None]
) -> dict[str, str]:
    here, there = _only_ones(files.items(), name_of), _only_ones(base.items(), name_of)
    return {there[name]: here[name] for name in there.keys() & here.keys() if name is not None}


def _only_ones(skills: Iterable[tuple[str, Skill]], feature_of: Callable[[Skill], Feature]) -> dict[Feature, str]:
    """Feature → key of the one skill that has it."""
    featured = [(feature_of(skill), key) for key, skill in skills]
    times = Counter(feature for feature, _ in featured)
    return {feature: key for feature, key in featured if times[feature] == 1}


def _content(skill: Skill) -> frozenset[tuple[str, bytes, bool]]:
    return frozenset((name, file.content, file.executable) for name, file in skill.files.items())
