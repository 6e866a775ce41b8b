"""Conflicts between files and database: which ones wait, and what people decide. The next sync does it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from sot_pipeline.errors import FileUnusable, SkillUnreadable, UsageError
from sot_pipeline.outcome import Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.order import LOCK_WAIT_SECONDS
from sot_pipeline.session import Session, open_session
from sot_pipeline.skills.files import MAX_FILE_BYTES
from sot_pipeline.skills.front_matter import fields_of, split
from sot_pipeline.skills.merge import BODY, Take
from sot_pipeline.skills.model import DOCUMENT
from sot_pipeline.skills.threeway import PATH, WHOLE
from sot_pipeline.steps.skills import skill_store
from sot_pipeline.sync_skills import SkillNotFound, path_of
from sot_pipeline.targets.database.skill_model import Conflict, StoredConflict
from sot_pipeline.workspace import Project, Workspace

_FROM_FILE = "file"


class OpenConflict(NamedTuple):
    """A conflict that waits for a decision, or with one for the next sync."""

    project_id: str
    stored: StoredConflict


@dataclass(frozen=True, slots=True)
class Decision:
    """What holds: the files' side ("ours"), the database's ("theirs"), or a SKILL.md made of both ("file")."""

    take: str
    document: bytes | None = None


def decision_of(take: str) -> Decision:
    """The decision that `--take` names: "ours", "theirs", or else the path of a SKILL.md that is read here.

    Raises FileUnusable where there is no such file or it is no readable SKILL.md, by line.
    """
    if take in set(Take):
        return Decision(take)
    file = Path(take)
    try:
        if not file.is_file():
            raise FileUnusable(
                f"{take} is no file.", remedy="--take is ours (the files), theirs (the database) or a SKILL.md."
            )
        if file.stat().st_size > MAX_FILE_BYTES:
            raise FileUnusable(f"{take} is larger than {MAX_FILE_BYTES // 1024**2} MiB.")
        document = file.read_bytes()
        fields_of(split(document).template)
    except OSError as error:
        raise FileUnusable(f"{take} cannot be read: {error.strerror}.") from error
    except SkillUnreadable as error:
        raise FileUnusable(
            f"{take}:{error.line}: {error.message}", remedy="Mend it; a skill is only given what can be read."
        ) from error
    return Decision(_FROM_FILE, document)


def open_conflicts(workspace: Workspace, projects: tuple[Project, ...], deadline: Deadline) -> tuple[OpenConflict, ...]:
    """The conflicts that the last executed syncs left, by project, path and field. Reads only."""
    with open_session(workspace, Mode.DB_ONLY, projects=projects, execute=False, deadline=deadline) as session:
        return tuple(_conflicts(session, projects))


def decide(
    workspace: Workspace,
    projects: tuple[Project, ...],
    path: str,
    decision: Decision,
    *,
    deadline: Deadline,
    lock_wait: float = LOCK_WAIT_SECONDS,
) -> tuple[OpenConflict, ...]:
    """Store what holds for the skill at `path`; answers the conflicts that it ends, with the decision.

    Raises SkillNotFound with the nearest paths that have a conflict, UsageError where several
    projects have one at `path` or the decision cannot end it, and as `open_session` does.
    """
    wanted = path_of(path)
    with open_session(
        workspace, Mode.DB_ONLY, projects=projects, execute=True, deadline=deadline, lock_wait=lock_wait
    ) as session:
        conflicts = tuple(_conflicts(session, projects))
        found = tuple(each for each in conflicts if each.stored.conflict.path == wanted)
        if not found:
            raise SkillNotFound(
                f"No open conflict at {wanted}.",
                wanted,
                {each.stored.conflict.path for each in conflicts},
                "'sot skills conflicts' lists the open ones, 'sot skills sync --execute' finds new ones.",
            )
        named = {each.project_id for each in found}
        if len(named) > 1:
            raise UsageError(f"{wanted} has conflicts in {' and '.join(sorted(named))}.", remedy="Add --project ID.")
        for each in found:
            _require_decidable(each.stored.conflict, decision)
        project = next(project for project in projects if project.id in named)
        store = skill_store(session, project)
        store.resolve_conflict(wanted, decision.take, deadline, chosen=decision.document)
    return tuple(
        each._replace(stored=replace(each.stored, resolution=decision.take, chosen=decision.document)) for each in found
    )


def _conflicts(session: Session, projects: Sequence[Project]) -> Iterator[OpenConflict]:
    for project in projects:
        yield from (OpenConflict(project.id, stored) for stored in skill_store(session, project).conflicts())


def _require_decidable(conflict: Conflict, decision: Decision) -> None:
    """Raises UsageError where a sync could not do what is decided."""
    # Of what a row says no SKILL.md could be made: `theirs` tells why, and there are no bytes.
    unwritable = conflict.theirs is not None and conflict.theirs_bytes is None
    if unwritable and (decision.take != Take.OURS or conflict.ours_bytes is None):
        raise UsageError(
            f"The row of {conflict.path} cannot be written as a file: {conflict.theirs}",
            remedy="Change the row, or use --take ours." if conflict.ours_bytes else "Change the row.",
        )
    if decision.document is not None and not _is_within_document(conflict):
        raise UsageError(
            f"The conflict of {conflict.path} is also about '{conflict.field}', which no SKILL.md decides.",
            remedy="Use --take ours or --take theirs, and edit the skill after the next sync.",
        )


def _is_within_document(conflict: Conflict) -> bool:
    """Whether it is about the body or a key of SKILL.md, and not about a file, or the skill, as a whole."""
    if conflict.field in {PATH, WHOLE, DOCUMENT}:
        return False
    if conflict.field == BODY:
        return True
    # The text of a conflict about a file is all of that file; of one about a key, a part of SKILL.md.
    sides = ((conflict.ours, conflict.ours_bytes), (conflict.theirs, conflict.theirs_bytes))
    return all(data is None or _is_part(text, data) for text, data in sides)


def _is_part(text: str | None, document: bytes) -> bool:
    try:
        return text != document.decode() and b"\0" not in document
    except UnicodeDecodeError:  # no SKILL.md
        return False
