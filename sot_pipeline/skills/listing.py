"""Which files are there below a skills root, without reading any: what is watched, and what is compared first.

Which of them can be used, and what they hold, is `files.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from sot_pipeline.skills.files import is_ours
from sot_pipeline.skills.model import DOCUMENT


@dataclass(frozen=True, slots=True)
class Listing:
    """`skills`: path of a skill → names of its files, below its folder. `folders`: all there are, the root first.

    Symbolic links count as files: they are never followed.
    """

    skills: dict[str, list[str]] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)


def list_skills(root: Path) -> Listing:
    """What is below `root`; nothing where there is no root. Folders that cannot be listed seem empty."""
    found = Listing()
    _look_into(found, str(root), "", None)
    return found


def _look_into(found: Listing, folder: str, path: str, skill: str | None) -> None:
    """`path` is that of `folder` below the root, "" or ending in a slash; `skill` what its files belong to."""
    try:
        with os.scandir(folder) as listed:
            entries = list(listed)
    except OSError:
        return
    found.folders.append(Path(folder))
    if any(entry.name == DOCUMENT for entry in entries):
        skill = path[:-1] or "."
        found.skills[skill] = []
    start = 0 if skill in (None, ".") else len(skill) + 1
    for entry in entries:
        if not is_ours(entry.name):
            if entry.is_dir(follow_symlinks=False):
                _look_into(found, entry.path, f"{path}{entry.name}/", skill)
            elif skill is not None:
                found.skills[skill].append(path[start:] + entry.name)
