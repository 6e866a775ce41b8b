"""Moments of a sync or an indexing of code at which a test may let the process die, as by a power cut: by SIGKILL.

`SOT_FAILPOINT=rows-upserted` names the one. Without that variable, which is read once, reaching a
point calls a function that does nothing; points lie between phases and batches, never in a loop
over entries.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from enum import StrEnum

from sot_pipeline.errors import ConfigError

VARIABLE = "SOT_FAILPOINT"


class Failpoint(StrEnum):
    """Every point, in the order in which a sync in full reaches them.

    The second group belongs to a rebuild, or to the first sync of a project, instead of those of an
    update; the third to `sot code index`, in the order in which a full pass reaches them, the last to
    skills.
    """

    SCHEMA_UPGRADED = "schema-upgraded"
    LOCKED = "locked"
    ROWS_BEGUN = "rows-begun"
    ROWS_DELETED = "rows-deleted"
    ROWS_UPSERTED = "rows-upserted"
    FULL_TEXT_APPLIED = "full-text-applied"
    SOURCES_NOTED = "sources-noted"
    ACTIVITY_NOTED = "activity-noted"
    ROWS_BEFORE_COMMIT = "rows-before-commit"
    ROWS_COMMITTED = "rows-committed"
    TEXTS_EMBEDDED = "texts-embedded"
    TEXTS_CACHED = "texts-cached"
    COLLECTION_OPENED = "collection-opened"
    POINTER_WRITTEN = "pointer-written"
    POINTER_RENAMED = "pointer-renamed"
    COLLECTION_UNSEALED = "collection-unsealed"
    POINTS_UPSERTED = "points-upserted"
    POINTS_BEFORE_FLUSH = "points-before-flush"
    POINTS_FLUSHED = "points-flushed"
    COLLECTION_SEALED = "collection-sealed"
    POINTS_DELETED = "points-deleted"
    VECTORS_RECORDED = "vectors-recorded"
    FILE_WRITTEN = "file-written"
    FILE_BEFORE_RENAME = "file-before-rename"
    FILE_RENAMED = "file-renamed"
    README_RECORDED = "readme-recorded"

    VERSION_CREATED = "version-created"
    VERSION_FILLED = "version-filled"
    VERSION_BEFORE_SWAP = "version-before-swap"
    VERSION_SWAPPED = "version-swapped"
    VERSION_STARTED = "version-started"

    CODE_ROWS_DELETED = "code-rows-deleted"
    CODE_ROWS_MERGED = "code-rows-merged"
    CODE_TABLE_WRITTEN = "code-table-written"
    CODE_METADATA_MERGED = "code-metadata-merged"
    CODE_BATCH_WRITTEN = "code-batch-written"
    CODE_BEFORE_RELATIONS = "code-before-relations"
    CODE_RELATIONS_MERGED = "code-relations-merged"
    CODE_RELATIONS_COMMITTED = "code-relations-committed"

    SKILLS_COMMITTED = "skills-committed"
    SKILL_FILE_MOVED = "skill-file-moved"
    SKILL_COLLECTED = "skill-collected"
    SKILL_MOVED = "skill-moved"
    SKILL_FILE_WRITTEN = "skill-file-written"
    SKILLS_WRITTEN = "skills-written"


def _nothing(point: Failpoint) -> None:
    """What reaching a point does where none is armed."""


def _die_at(armed: Failpoint) -> Callable[[Failpoint], None]:
    def reach(point: Failpoint) -> None:
        if point is armed:
            os.kill(os.getpid(), signal.SIGKILL)

    return reach


def armed_by(name: str | None) -> Callable[[Failpoint], None]:
    """What to call at every point, where the variable holds `name`. Raises ConfigError for no point of ours."""
    if not name:
        return _nothing
    try:
        return _die_at(Failpoint(name))
    except ValueError:
        raise ConfigError(
            f"{VARIABLE}={name!r} names no failpoint.", remedy=f"Unset it, or choose: {', '.join(Failpoint)}."
        ) from None


reach = armed_by(os.environ.get(VARIABLE))
