"""A full pass: what only all files of a project together, their history or their tests tell. Parses no file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sot_pipeline.code.relate import relate
from sot_pipeline.plan import Counts
from sot_pipeline.session import Session
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.workspace import Project


def relate_project(session: Session, project: Project, index: CodeIndex, coverage: Path | None) -> Counts:
    """Compute the project metrics of every row anew and write those that differ.

    Raises as `Session.check` and the database do.
    """
    facts = index.facts()
    session.check(f"before the files of {project.id} are related")
    now = datetime.now(UTC).replace(tzinfo=None)
    found = relate(project.root, facts, coverage_file=coverage, now=now)
    session.check(f"before the relations of {project.id} are written")
    return index.apply_relations(found, session.deadline)
