"""Do the code tables agree with the source files, and the points with the rows? Everything is read and hashed anew.

Nothing is changed; points are compared in `verify_points.py`.
"""

from __future__ import annotations

from collections.abc import Collection

from sot_pipeline.outcome import CodeAgreement, Disagreement
from sot_pipeline.session import Session
from sot_pipeline.steps.code import code_index
from sot_pipeline.steps.code_batches import analysed
from sot_pipeline.steps.code_plan import plan_table
from sot_pipeline.steps.code_sources import Sources, look
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.workspace import Project


def verify_code(session: Session, project: Project) -> CodeAgreement:
    """Compare key sets and hashes of both tables with the files, and the stored text with its hash.

    Raises as `steps.code.sync_code` does without `execute`.
    """
    index = code_index(session, project)
    sources = look(project, session.deadline)
    files = _compare(index, CodeTable.FILES, sources, _forged(session, project, sources, index))
    metadata = _compare(index, CodeTable.METADATA, sources, ())
    return CodeAgreement(files, metadata, len(sources.files), sources.problems)


def verify_code_points(session: Session, project: Project) -> Disagreement:
    """Compare the points of the project's code with those that its rows give; raises as `verify_points` does."""
    # An embedder says how files are cut: who compares rows alone need not wait for it.
    from sot_pipeline.steps.code_points import code_rows
    from sot_pipeline.verify_points import verify_points

    return verify_points(session, code_rows(session, project))


def _forged(session: Session, project: Project, sources: Sources, index: CodeIndex) -> set[str]:
    """The files whose stored text is not what the file gives; those whose text has another hash are looked at.

    A text that was decoded from another encoding has another hash than the file's bytes: it is
    looked at again.
    """
    suspected = index.damaged() & sources.files.keys()
    stored = index.texts(suspected)
    rows = analysed(session, project, [sources.files[path] for path in suspected], [])
    return suspected - {row.file.path for row in rows if row.file.content == stored.get(row.file.path)}


def _compare(index: CodeIndex, table: CodeTable, sources: Sources, forged: Collection[str]) -> Disagreement:
    present = index.fingerprints(table) | dict.fromkeys(forged, "")
    return Disagreement.told_by(plan_table(sources, present, may_delete_many=True).plan)
