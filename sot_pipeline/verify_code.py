"""Do the code tables agree with the source files, and the points with the rows? Everything is read and hashed anew.

Nothing is changed but one line of `sync_activity`, which makes the next indexing look as closely at points
that disagreed as this module did.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

from sot_pipeline.errors import FileUnusable
from sot_pipeline.outcome import CodeAgreement, Disagreement
from sot_pipeline.plan import Counts, diff
from sot_pipeline.session import Session, check_model
from sot_pipeline.steps.activity import activity_of
from sot_pipeline.steps.code import code_index
from sot_pipeline.steps.code_batches import analysed
from sot_pipeline.steps.code_plan import plan_table
from sot_pipeline.steps.code_sources import Sources, look
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
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
    """Compare the points of the project's code with those that its rows give: keys and hashes, the vectors as well.

    Raises EmbeddingMismatch, and as `steps.code_points.sync_code_points` does without `execute`.
    """
    # An embedder says how files are cut: who compares rows alone need not wait for it.
    from sot_pipeline.steps.code_points import VERIFICATION, points_of_rows, require_embed
    from sot_pipeline.steps.points import points_present

    started = time.perf_counter()
    require_embed(project)
    collection = CollectionId(project.id, Kind.CODE)
    check_model(*session.require_vectors(), collection, session.deadline)
    present = points_present(session, collection, deep=True)
    found = Disagreement.told_by(diff(points_of_rows(session, project), present))
    done = activity_of(VERIFICATION, len(present), Counts(), (), started)
    if not found.agrees:
        done = replace(done, status="disagree")
    session.require_database().note_verification(project.id, done, session.deadline)
    return found


def _forged(session: Session, project: Project, sources: Sources, index: CodeIndex) -> set[str]:
    """The files whose stored text is not what the file gives; those whose text has another hash are looked at.

    A text that was decoded from another encoding has another hash than the file's bytes: it is
    looked at again.
    """
    suspected, forged = index.damaged(), set()
    stored = index.texts(suspected)
    for path in suspected & sources.files.keys():
        try:
            if analysed(project, sources.files[path], session.deadline).file.content != stored.get(path):
                forged.add(path)
        except (OSError, FileUnusable):
            forged.add(path)
    return forged


def _compare(index: CodeIndex, table: CodeTable, sources: Sources, forged: Collection[str]) -> Disagreement:
    present = index.fingerprints(table) | dict.fromkeys(forged, "")
    return Disagreement.told_by(plan_table(sources, present, may_delete_many=True).plan)
