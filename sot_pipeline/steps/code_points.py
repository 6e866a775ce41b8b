"""The points of source files: they follow the rows of `code_files` (`row_points.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sot_pipeline.code.model import ANALYSIS_VERSION
from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.errors import RequirementMissing
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session
from sot_pipeline.steps.row_points import FollowedRows
from sot_pipeline.targets.database.code_texts import CodeTexts, ListedText
from sot_pipeline.targets.vectors.code_points import CUT_VERSION, code_points_of
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.store import Point
from sot_pipeline.workspace import Project

# Symbols, which say where a file is cut, come from the analysis.
_VERSION = f"{ANALYSIS_VERSION}.{CUT_VERSION}"


def code_rows(session: Session, project: Project) -> FollowedRows:
    """What the points of the project's code follow. Raises RequirementMissing where its code is not embedded."""
    if not project.embeds_code:
        raise RequirementMissing(
            f"The code of project '{project.id}' is not embedded.",
            remedy="Write embed = true under its [project.code] in sot.toml, then run sot code index --execute.",
        )
    return _CodeRows(CodeTexts(session.require_database(), project.id))


@dataclass(frozen=True, slots=True)
class _CodeRows:
    """See `FollowedRows`."""

    texts: CodeTexts
    activity: str = "code_points"
    verification: str = "verify_code_points"

    @property
    def collection(self) -> CollectionId:
        return CollectionId(self.texts.project_id, Kind.CODE)

    def listed(self) -> Mapping[str, ListedText]:
        return self.texts.listed()

    def points(self, paths: Sequence[str], embedder: Embedder) -> list[Point]:
        limits = {"chunk_tokens": embedder.chunk_tokens, "max_tokens": embedder.max_tokens}
        return [
            point
            for file in self.texts.read(paths)
            for point in reversed(code_points_of(self.texts.project_id, file, **limits))
        ]

    def is_cut_anew(self) -> bool:
        return self.texts.points_version() != _VERSION

    def remember_cut(self, deadline: Deadline) -> None:
        self.texts.remember_points(_VERSION, deadline)
