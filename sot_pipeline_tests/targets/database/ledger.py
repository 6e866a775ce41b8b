"""Records for tests, a whole sync of them, and a way to tamper with what was stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from sot_pipeline.plan import Counts, Json, Record, RecordKey, diff, hash_record
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.database import Activity, Database, schema

SOON = Deadline(24 * 3600)  # counts from the import, which a long run leaves far behind
NOTHING = Counts()


def record(
    entry_id: str,
    content: str = "Some text.",
    *,
    title: str = "A title",
    date: str | None = None,
    project_id: str = "atlas",
    file_type: str = "build_history",
    metadata: Mapping[str, Json] | None = None,
) -> Record:
    """A record as the ledgers give it."""
    key = RecordKey(project_id, file_type, entry_id)
    fields = dict(metadata or {}) | ({"date": date} if date else {})
    created = datetime.fromisoformat(date) if date else None
    return Record(key, title, content, fields, created, hash_record(key, title, content, fields, created))


def sync(database: Database, records: Sequence[Record], *, project_id: str = "atlas", deep: bool = False) -> Counts:
    """Plan and apply rows and full text; the counts are those of the rows."""
    with database.writing(project_id, SOON) as rows:
        plan = diff(records, rows.fingerprints(deep=deep))
        rows.apply(plan)
        rows.apply_fulltext(records, deep=deep)
        rows.record(activity(counts=plan.counts()))
    return plan.counts()


def activity(sync_type: str = "database", status: str = "success", counts: Counts = NOTHING) -> Activity:
    return Activity(sync_type, sum(counts[:2]) + counts.unchanged, status, None, counts, 0.5)


def hashes(records: Sequence[Record]) -> dict[RecordKey, str]:
    """What fingerprints of exactly these records are."""
    return {one.key: one.content_hash for one in records}


def migrate(url: str, revision: str) -> None:
    """Make the schema as the program had it at `revision`."""
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def tamper(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements behind the program's back; answers the rows of the last one."""
    connection: sqlite3.Connection | psycopg.Connection[tuple[object, ...]]
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    else:
        connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
    try:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
