"""The points of skills: they follow the rows of `skills` (`row_points.py`), as far as their texts are indexed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session
from sot_pipeline.skills.files import below
from sot_pipeline.skills.model import DOCUMENT
from sot_pipeline.steps.row_points import FollowedRows
from sot_pipeline.steps.skills import skill_folders
from sot_pipeline.targets.database.skill_texts import SkillText, SkillTexts
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.points import points_of
from sot_pipeline.targets.vectors.store import Point
from sot_pipeline.workspace import Project


def skill_rows(session: Session, project: Project) -> FollowedRows:
    """What the points of the project's skills follow. Raises RequirementMissing where it has none."""
    skill_folders(project)
    return _SkillRows(SkillTexts(session.require_database(), project.id), project)


def document_path(project: Project, path: str) -> str:
    """Where the SKILL.md of the skill at `path` is, below the project's root."""
    document = below(path, DOCUMENT)
    return below(project.skills.path, document) if project.skills else document


@dataclass(frozen=True, slots=True)
class _SkillRows:
    """See `FollowedRows`."""

    texts: SkillTexts
    project: Project
    activity: str = "skill_points"
    verification: str = "verify_skill_points"

    @property
    def collection(self) -> CollectionId:
        return CollectionId(self.project.id, Kind.SKILLS)

    def listed(self) -> Mapping[str, SkillText]:
        return self.texts.listed()

    def points(self, paths: Sequence[str], embedder: Embedder) -> list[Point]:
        limits = {"chunk_tokens": embedder.chunk_tokens, "max_tokens": embedder.max_tokens}
        return [
            point
            for record in self.texts.read(paths)
            for point in reversed(points_of(record, document_path(self.project, record.key.entry_id), **limits))
        ]

    def is_cut_anew(self) -> bool:
        return False  # as with ledgers: other chunks come with another hash, or with a rebuild

    def remember_cut(self, deadline: Deadline) -> None:
        """Nothing is to be remembered."""
