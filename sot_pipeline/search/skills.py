"""Skills in a search: where a skill that was found stands now, and whether its answer is what files and rows say.

They are ranked together with the entries of ledgers (`search.py`). Which skills lag is told by hashes and
versions alone; only the files behind the hits are read, and for an empty answer all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from sot_pipeline.plan import SKILL, RecordKey
from sot_pipeline.search.answer import Lag
from sot_pipeline.search.freshness import Hashes
from sot_pipeline.search.fusion import Candidate
from sot_pipeline.search.places import Place
from sot_pipeline.skills.files import below
from sot_pipeline.skills.listing import list_skills
from sot_pipeline.skills.model import DOCUMENT
from sot_pipeline.steps.skill_points import document_path
from sot_pipeline.steps.skills import skill_folders
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.skill_texts import SkillTexts
from sot_pipeline.workspace import Project


@dataclass(frozen=True)
class SkillsNow:
    """What the database says of one project's skills, by path: hashes of the indexed texts.

    `unagreed` are rows that are not what was agreed on with the files. `points` are the hashes of the
    texts that have points, None where nobody asks for them.
    """

    project: Project
    stored: SkillTexts
    texts: Mapping[str, str]
    unagreed: frozenset[str]
    points: Mapping[str, str] | None
    _read: dict[str, bytes | None] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The folder the skills are below."""
        return skill_folders(self.project).root

    def has(self, key: RecordKey) -> bool:
        """Whether this is one of these skills, by its key."""
        return key[:2] == (self.project.id, SKILL)

    def document(self, path: str) -> bytes | None:
        """The SKILL.md of a skill as it is now, None where none can be read; read once."""
        if path not in self._read:
            try:
                self._read[path] = (self.root / below(path, DOCUMENT)).read_bytes()
            except OSError:
                self._read[path] = None
        return self._read[path]

    def behind(self, found: Collection[str]) -> tuple[Lag, ...]:
        """The files of skills that lag: by the database, and among the `found` paths (none: all) by their files."""
        return self._lags(self._unindexed | self._edited(found)) if found else self._all_behind

    @cached_property
    def _unindexed(self) -> frozenset[str]:
        """Skills of which row, full text, points, and what was agreed on, are not the same."""
        points = self.texts if self.points is None else self.points
        pairs = ((path, self.texts.get(path)) for path in {*self.texts, *points})
        return self.unagreed.union(path for path, text in pairs if not text or points.get(path) != text)

    def _edited(self, paths: Collection[str]) -> set[str]:
        """Those of `paths` that have no row, or whose SKILL.md is not the one that was agreed on."""
        agreed = self.stored.documents(paths)
        return {path for path in paths if path not in self.texts or agreed.get(path) != _hash_of(self.document(path))}

    @cached_property
    def _all_behind(self) -> tuple[Lag, ...]:
        there = list_skills(self.root).skills.keys()
        return self._lags(self._unindexed | self._edited({*self.texts, *there}))

    def _lags(self, paths: Collection[str]) -> tuple[Lag, ...]:
        return tuple(Lag(self.project.id, document_path(self.project, path)) for path in sorted(paths))

    def places(self, found: Sequence[Candidate]) -> dict[RecordKey, Place]:
        """Where those of the chunks that `found` stand in their SKILL.md which are of these skills."""
        here = [each for each in found if self.has(each.key)]
        stale = self._unindexed | self._edited([each.key.entry_id for each in here])
        return {each.key: self._place(each, stale) for each in here}

    def _place(self, found: Candidate, stale: Collection[str]) -> Place:
        """On the line of its chunk, or the first one where that is not there in one piece."""
        path = found.key.entry_id
        document, line = self.document(path), None
        if document is not None:
            start = document.find(found.text.encode(errors="replace"))
            line = document.count(b"\n", 0, max(start, 0)) + 1
        return Place(document_path(self.project, path), line, document is not None and path not in stale)


def _hash_of(document: bytes | None) -> str | None:
    return None if document is None else sha256(document).hexdigest()


def skills_now(database: Database, projects: Collection[Project], held: Hashes | None) -> tuple[SkillsNow, ...]:
    """What the database says of the skills of `projects`; `held` is what the collections hold, None where not asked."""
    return tuple(_skills_now(database, projects, held))


def _skills_now(database: Database, projects: Collection[Project], held: Hashes | None) -> Iterator[SkillsNow]:
    for project in projects:
        texts = SkillTexts(database, project.id)
        points = None
        if held is not None:
            points = {key.entry_id: found for key, found in held.items() if key[:2] == (project.id, SKILL)}
        yield SkillsNow(project, texts, texts.hashes(), texts.unagreed(), points)
