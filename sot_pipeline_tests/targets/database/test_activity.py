from __future__ import annotations

from datetime import datetime

import pytest

from sot_pipeline.plan import Counts, hash_text
from sot_pipeline.targets.database import Activity, Database, ReadmeSync
from sot_pipeline_tests.targets.database.ledger import SOON, activity, record, sync


def test_each_run_appends_a_row_with_its_counts(database: Database) -> None:
    done = Activity("vectors", 12, "problems", "one 'ledger' 🧨", Counts(1, 2, 3, 4), 1.25)

    database.record_activity("atlas", done, SOON)
    database.record_activity("atlas", activity("vectors"), SOON)

    newest, oldest = database.activities("atlas")
    assert (oldest.activity, oldest.project_id) == (done, "atlas")
    assert newest.activity == activity("vectors")
    assert database.last_activity("atlas", "vectors") == newest
    assert database.last_activity("atlas", "readme") is None
    assert database.activities("borealis") == []
    assert len(database.activities(limit=1)) == 1


def test_a_transaction_and_its_activity_are_committed_together(database: Database) -> None:
    sync(database, [record("BUILD-1")])

    logged = database.last_activity("atlas", "database")

    assert logged
    assert logged.activity.counts == Counts(inserted=1)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], False),
        ([("verify", "success")], False),
        ([("verify", "disagree")], True),
        ([("verify", "disagree"), ("vectors", "success")], True),
        ([("verify", "disagree"), ("database", "success")], False),
        ([("database", "success"), ("verify", "disagree"), ("verify", "success")], False),
    ],
)
def test_a_target_counts_as_disagreeing_until_it_is_synced(
    database: Database, rows: list[tuple[str, str]], expected: bool
) -> None:
    for sync_type, status in rows:
        database.record_activity("atlas", activity(sync_type, status), SOON)

    assert database.disagreed("atlas", "database") is expected


def test_a_verification_makes_no_tables_but_is_noted_where_they_are(database: Database) -> None:
    database.note_verification("atlas", activity("verify", "disagree"), SOON)
    before = database.revision()
    database.upgrade(SOON)
    database.note_verification("atlas", activity("verify", "disagree"), SOON)

    assert before is None
    assert len(database.activities()) == 1


def test_the_readmes_summary_is_kept_once_a_project(database_url: str) -> None:
    with Database(database_url, now=lambda: datetime(2026, 1, 1, 10)) as database:
        database.record_readme("atlas", "1 build", SOON)
    with Database(database_url, now=lambda: datetime(2026, 1, 2, 10)) as database:
        database.record_readme("atlas", "2 builds", SOON)

        assert database.readme("atlas") == ReadmeSync(
            "atlas", datetime(2026, 1, 2, 10), "2 builds", hash_text("2 builds")
        )
        assert database.readme("borealis") is None
