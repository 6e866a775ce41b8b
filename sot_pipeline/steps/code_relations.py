"""A full pass: what only all files of a project together, their history, their tests or a scanner tell.

No file is parsed here; what relating needs of each is read from the tables.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sot_pipeline.code.model import FILE_METRICS, PROJECT_METRICS
from sot_pipeline.code.relate import relate
from sot_pipeline.code.security import security_of
from sot_pipeline.errors import RequirementMissing
from sot_pipeline.plan import Counts
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.session import Session
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.workspace import Project

_SECURITY = {name: FILE_METRICS[name] for name in ("security_score", "vulnerability_count")}
# A scanner gets through 500 files in a minute or two.
_SCAN_SECONDS = 600.0


def relate_project(session: Session, project: Project, index: CodeIndex, coverage: Path | None) -> Counts:
    """Compute the project metrics of every row anew and write those that differ.

    Raises as `Session.check` and the database do.
    """
    reach(Failpoint.CODE_BEFORE_RELATIONS)
    facts = index.facts()
    session.check(f"before the files of {project.id} are related")
    now = datetime.now(UTC).replace(tzinfo=None)
    found = relate(project.root, facts, coverage_file=coverage, now=now)
    session.check(f"before the relations of {project.id} are written")
    written = index.apply_metrics(found, PROJECT_METRICS, session.deadline)
    reach(Failpoint.CODE_RELATIONS_COMMITTED)
    return written


def scan_project(session: Session, project: Project, index: CodeIndex) -> Counts:
    """Have the files scanned of which no security score is known yet, and write what was found.

    Raises RequirementMissing where there is no scanner or it failed, besides what the others raise.
    """
    session.check(f"before the files of {project.id} are scanned")
    seconds = session.deadline.timeout(_SCAN_SECONDS)
    found = security_of(project.root, index.without("security_score"), seconds=seconds)
    if isinstance(found, str):
        raise RequirementMissing(
            f"No security metrics: {found}.", remedy="Install Bandit beside sot-pipeline, or leave out --security."
        )
    session.check(f"before the findings of {project.id} are written")
    return index.apply_metrics(found, _SECURITY, session.deadline)
