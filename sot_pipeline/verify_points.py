"""Do points agree with the rows they follow? Everything is read and hashed anew.

Nothing is changed but one line of `sync_activity`, which makes the next sync look as closely at
points that disagreed as this module did.
"""

from __future__ import annotations

import time
from dataclasses import replace

from sot_pipeline.outcome import Disagreement
from sot_pipeline.plan import Counts, diff
from sot_pipeline.session import Session, check_model
from sot_pipeline.steps.activity import activity_of
from sot_pipeline.steps.points import points_present
from sot_pipeline.steps.row_points import FollowedRows, points_of_rows


def verify_points(session: Session, rows: FollowedRows) -> Disagreement:
    """Compare the points with those that the rows give: keys and hashes, the vectors as well.

    Raises EmbeddingMismatch, and as `steps.row_points.sync_points` does without `execute`.
    """
    started = time.perf_counter()
    check_model(*session.require_vectors(), rows.collection, session.deadline)
    present = points_present(session, rows.collection, deep=True)
    found = Disagreement.told_by(diff(points_of_rows(session, rows), present))
    done = activity_of(rows.verification, len(present), Counts(), (), started)
    if not found.agrees:
        done = replace(done, status="disagree")
    session.require_database().note_verification(rows.collection.project_id, done, session.deadline)
    return found
