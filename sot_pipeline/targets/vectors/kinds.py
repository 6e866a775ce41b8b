"""Which collections there are: one for each project and kind of text. Their names; no engine, no points."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sot_pipeline.plan import SKILL

# The file_type of what is in source files.
CODE = "code"


class Kind(StrEnum):
    """What a collection holds the points of."""

    DOCS = "docs"
    CODE = "code"
    SKILLS = "skills"

    @property
    def suffix(self) -> str:
        """What a collection's name ends with, after the project's id."""
        return f"_sot_{self.value}"

    @property
    def file_types(self) -> str:
        """The file_types of its records, as a regular expression: any in ledgers, elsewhere one."""
        return _FILE_TYPES[self]

    @property
    def rebuild(self) -> str:
        """The command that fills such a collection anew."""
        return _REBUILD[self]


_FILE_TYPES = {Kind.DOCS: "[a-z][a-z0-9_]*", Kind.CODE: CODE, Kind.SKILLS: SKILL}
_REBUILD = {
    Kind.DOCS: "sot sync --full --rebuild --execute",
    Kind.CODE: "sot code index --rebuild --execute",
    Kind.SKILLS: "sot skills sync --rebuild --execute",
}


@dataclass(frozen=True, slots=True)
class CollectionId:
    """One collection: of which project, and of what."""

    project_id: str
    kind: Kind

    @property
    def name(self) -> str:
        """What readers of its points ask for; the versions behind it have names of their own."""
        return f"{self.project_id}{self.kind.suffix}"
