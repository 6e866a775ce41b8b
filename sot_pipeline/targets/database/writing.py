"""One project's write transaction: read what is there, then make it what it should be.

Between `fingerprints` and the end of the block no other process can write to the project, so a
plan made inside is still true when it is applied. Opened by `Database.writing`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sot_pipeline.plan import Plan, Record, RecordKey
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.targets.database import activity, full_text, rows, sources
from sot_pipeline.targets.database.engine import Engine
from sot_pipeline.targets.database.model import Activity, LedgerFile


class Writing:
    """What can be done within one project's transaction. `now` is the time of every row it writes."""

    def __init__(self, engine: Engine, project_id: str, now: str) -> None:
        self._engine = engine
        self._project_id = project_id
        self._now = now

    def fingerprints(self, *, deep: bool = False) -> dict[RecordKey, str]:
        """See `Database.fingerprints`."""
        read = rows.deep_fingerprints if deep else rows.fingerprints
        return read(self._engine, self._project_id)

    def apply(self, plan: Plan[RecordKey, Record]) -> None:
        """Write inserts and updates, delete deletes. Unchanged rows are not touched."""
        if plan.deletes:
            self._engine.delete(plan.deletes)
            reach(Failpoint.ROWS_DELETED)
        if plan.upserts:
            self._engine.upsert([rows.values_of(record) for record in plan.upserts], self._now)
            reach(Failpoint.ROWS_UPSERTED)

    def apply_fulltext(
        self, records: Sequence[Record], *, keep: Collection[str] = (), deep: bool = False
    ) -> Plan[RecordKey, Record]:
        """Make the full text that of `records` and return what that took, in entries.

        What is missing, altered or too much is healed, also where no row changed. file_types in
        `keep` are left alone; with `deep` the text and the index are compared, not just fingerprints.
        """
        engine, project_id = self._engine, self._project_id
        sound = engine.full_text.is_ready() and not (deep and engine.full_text.unsound(project_id))
        plan = full_text.write(
            engine, lambda: full_text.plan(engine, project_id, records, keep=keep, deep=deep), sound=sound
        )
        reach(Failpoint.FULL_TEXT_APPLIED)
        return plan

    def record_sources(self, files: Sequence[LedgerFile], *, keep: Collection[str] = ()) -> None:
        """Note which files the tables now agree with.

        Call it last. What is noted of file_types in `keep` stays as it is, everything else is dropped.
        """
        sources.record(self._engine, self._project_id, files, keep)
        reach(Failpoint.SOURCES_NOTED)

    def record(self, done: Activity) -> None:
        """Append a row to `sync_activity`, committed or lost together with the rest."""
        activity.record(self._engine, self._project_id, done, self._now)
        reach(Failpoint.ACTIVITY_NOTED)
