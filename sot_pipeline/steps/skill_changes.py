"""Which skills are not what was last agreed on, on either side: what a sensor and a watcher act on. Reads only.

A side that a sync has just written is what was agreed on, and so no change.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sot_pipeline.runtime.tree import ProjectState, Stat, look
from sot_pipeline.skills.files import below
from sot_pipeline.skills.listing import Listing, list_skills
from sot_pipeline.skills.model import hash_of_files
from sot_pipeline.steps.skills import skill_folders
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.skill_model import Base, Version
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline.workspace import Project


class SkillsLook(NamedTuple):
    """One look at both sides. `files` are all files of skills, `changes` the skills that differ, both by path.

    What `changes` say of a skill is another text whenever anything about it is another.
    """

    files: ProjectState
    changes: ProjectState
    listing: Listing


def look_at_skills(
    project: Project,
    database: Database,
    before: tuple[ProjectState | None, ProjectState | None],
    *,
    now_ns: int,
    distrust: Collection[str] = (),
) -> SkillsLook:
    """Both sides now; of the files only those are read that moved since `before` (files, changes) or are in `distrust`.

    Raises what the database raises.
    """
    root = skill_folders(project).root
    listing = list_skills(root)
    paths = {below(skill, name): skill for skill, names in listing.skills.items() for name in names}
    stats = {path: found for path in paths if (found := _stat(f"{root}/{path}"))}
    files = look(before[0], stats, lambda path: _digest(f"{root}/{path}"), now_ns=now_ns, distrust=distrust)
    store = SkillStore(database, project.id)
    texts = differences(_hashes(listing, files), store.base(), store.versions())
    changes = look(before[1], dict.fromkeys(texts, Stat(0, 0)), texts.__getitem__, now_ns=now_ns, distrust=texts)
    return SkillsLook(files, changes, listing)


def differences(files: Mapping[str, str], base: Mapping[str, Base], versions: Mapping[str, Version]) -> dict[str, str]:
    """Path → how a skill differs, of those that do. `files` are folder hashes by path, the others by uid."""
    found: dict[str, list[str]] = {}
    for uid in sorted(base.keys() | versions.keys()):
        known, row = base.get(uid), versions.get(uid)
        here = files.get(known.path) if known else None
        if known is None or here != known.folder_hash or row != Version(known.path, known.row_version):
            path = known.path if known else row.path if row else ""
            found.setdefault(path, []).append(f"{uid}: row {row}, agreed on {known}, files {here}")
    agreed = {known.path for known in base.values()}
    for path, folder_hash in files.items():
        if path not in agreed:
            found.setdefault(path, []).append(f"files {folder_hash}")
    return {path: "; ".join(texts) for path, texts in found.items()}


def has_news(before: ProjectState | None, after: ProjectState) -> bool:
    """Whether any skill differs in another way than before. One that does no more was brought to agree."""
    old = before.files if before else {}
    return before is None or any(old.get(path) != state for path, state in after.files.items())


def _hashes(listing: Listing, files: ProjectState) -> dict[str, str]:
    """Path → folder hash, of every skill that is there."""
    return {
        skill: hash_of_files({name: file.digest for name in names if (file := files.files.get(below(skill, name)))})
        for skill, names in listing.skills.items()
    }


def _stat(path: str) -> Stat | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    # Not the mtime: who may execute a file is a part of the skill.
    return Stat(status.st_size, status.st_ctime_ns)


def _digest(path: str) -> str:
    """What `Skill.folder_hash` has of a file. A link is never followed, so where it leads does not matter."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        return f"no regular file ({stat.S_IFMT(status.st_mode):o})"
    with open(path, "rb") as stream:  # noqa: PTH123  # a path by text, of thousands
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    return f"{content} {bool(status.st_mode & stat.S_IXUSR):d}"
