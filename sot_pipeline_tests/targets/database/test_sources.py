from __future__ import annotations

import pytest

from sot_pipeline.plan import Record, diff
from sot_pipeline.targets.database import Database, LedgerFile, Source
from sot_pipeline_tests.targets.database.ledger import SOON, hashes, record, sync, tamper

BUILDS = LedgerFile("build_history", "docs/BUILD_HISTORY.md", "a" * 64, {"BUILD-1": 7, "BUILD-2": 12})
DEBUG = LedgerFile("debug_log", "docs/DEBUG_LOG.md", "b" * 64, {})


def note(database: Database, *files: LedgerFile, keep: tuple[str, ...] = ()) -> None:
    with database.writing("atlas", SOON) as rows:
        rows.record_sources(files, keep=keep)


def synced(database: Database) -> list[Record]:
    records = [record("BUILD-1", "Some words."), record("BUILD-2", "Other words.")]
    sync(database, records)
    note(database, BUILDS)
    return records


def test_a_database_without_tables_has_no_sources(database: Database) -> None:
    assert database.sources(["atlas"], SOON) == []
    assert database.indexed("atlas", SOON) == {}


def test_a_recorded_source_is_intact_while_nobody_touches_the_tables(database: Database) -> None:
    synced(database)

    assert database.sources(["atlas", "other"], SOON) == [Source("atlas", *BUILDS[:3], intact=True)]


def test_recording_again_replaces_what_was_recorded(database: Database) -> None:
    synced(database)

    note(database, LedgerFile("build_history", "docs/MOVED.md", "c" * 64, {"BUILD-1": 8}))

    assert database.sources(["atlas"], SOON) == [
        Source("atlas", "build_history", "docs/MOVED.md", "c" * 64, intact=True)
    ]
    assert database.lines("atlas", "build_history", SOON) == {"BUILD-1": 8}


def test_the_lines_of_a_recorded_file_are_kept_with_it(database: Database) -> None:
    synced(database)

    assert database.lines("atlas", "build_history", SOON) == BUILDS.lines
    assert database.lines("atlas", "debug_log", SOON) == {}


def test_a_source_that_is_kept_stays_and_one_that_is_gone_is_dropped(database: Database) -> None:
    synced(database)
    note(database, BUILDS, DEBUG)

    note(database, keep=("debug_log",))

    assert [source.file_type for source in database.sources(["atlas"], SOON)] == ["debug_log"]


def test_sources_of_other_projects_are_left_alone(database: Database) -> None:
    synced(database)
    with database.writing("borealis", SOON) as rows:
        rows.record_sources([DEBUG])

    note(database)

    assert [source.project_id for source in database.sources(["atlas", "borealis"], SOON)] == ["borealis"]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sot_entries WHERE entry_id = 'BUILD-1'",
        "DELETE FROM sot_entries",
        "UPDATE sot_entries SET title = 'Tampered' WHERE entry_id = 'BUILD-1'",
        "DELETE FROM sot_fulltext WHERE entry_id = 'BUILD-1'",
        "DELETE FROM sot_fulltext",
        "UPDATE sot_fulltext SET body = 'Tampered' WHERE entry_id = 'BUILD-1'",
        "DROP TABLE sot_fulltext",
    ],
)
def test_a_source_whose_rows_somebody_changed_is_not_intact(
    database: Database, database_url: str, statement: str
) -> None:
    synced(database)
    database.close()

    tamper(database_url, statement)

    assert [source.intact for source in database.sources(["atlas"], SOON)] == [False]


def test_indexed_entries_have_the_hash_of_row_and_full_text(database: Database) -> None:
    records = synced(database)

    assert database.indexed("atlas", SOON) == hashes(records)


@pytest.mark.parametrize("table", ["sot_entries", "sot_fulltext"])
def test_an_entry_that_row_or_full_text_lacks_is_damaged(database: Database, database_url: str, table: str) -> None:
    lost, _ = synced(database)
    database.close()

    tamper(database_url, f"DELETE FROM {table} WHERE entry_id = 'BUILD-1'")

    assert database.indexed("atlas", SOON)[lost.key] == "damaged"


def test_a_source_is_lost_with_the_transaction_that_recorded_it(database: Database) -> None:
    synced(database)

    with pytest.raises(ZeroDivisionError), database.writing("atlas", SOON) as rows:
        rows.apply(diff([], {}))
        rows.record_sources([DEBUG])
        raise ZeroDivisionError

    assert [source.file_type for source in database.sources(["atlas"], SOON)] == ["build_history"]
