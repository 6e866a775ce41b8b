from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sot_pipeline.plan import Counts, RecordKey, diff
from sot_pipeline.targets.database import Database
from sot_pipeline_tests.targets.database.ledger import SOON, hashes, record, sync, tamper

HOSTILE = (
    '\'; DROP TABLE sot_entries; --\n"quoted" \\backslash \\N \\. %s ? $1 :name\ttab\r\n'
    "emoji 🧨👩‍👩‍👧 عربى \u202eright-to-left\u202c \u2028\u0085 e\u0301 \ufeff <script>alert(1)</script> "
    + "x"
    * 100_000
)


def test_hostile_text_is_stored_byte_for_byte(database: Database) -> None:
    one = record("BUILD-1", HOSTILE, title=HOSTILE, metadata={"status": HOSTILE, "nested": [{"ü": None}, 1, True]})

    sync(database, [one])

    stored = database.entry("atlas", "BUILD-1")[0]
    assert (stored.title, stored.content, stored.metadata) == (one.title, one.content, one.metadata)
    assert database.fingerprints("atlas", deep=True) == hashes([one])


def test_a_second_sync_changes_no_row(database: Database) -> None:
    records = [record(f"BUILD-{number}", f"Text {number}.") for number in range(50)]
    first = sync(database, records)

    second = sync(database, records)

    assert first == Counts(inserted=50)
    assert second == Counts(unchanged=50)


def test_only_the_changed_row_gets_a_new_time(database_url: str) -> None:
    records = [record("BUILD-1"), record("BUILD-2")]
    with Database(database_url, now=lambda: datetime(2026, 1, 1)) as database:
        sync(database, records)
    with Database(database_url, now=lambda: datetime(2026, 2, 2)) as database:
        counts = sync(database, [records[0], record("BUILD-2", "Edited.")])
        stored = database.entries(set(hashes(records)))

    assert counts == Counts(updated=1, unchanged=1)
    assert stored[records[0].key].updated_at == datetime(2026, 1, 1)
    assert stored[records[1].key].updated_at == datetime(2026, 2, 2)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, datetime(2026, 1, 1)),
        (None, "2020-05-05", datetime(2020, 5, 5)),
        ("2020-05-05", "2021-06-06T10:20", datetime(2021, 6, 6, 10, 20)),
        ("2020-05-05", None, datetime(2026, 2, 2)),
    ],
)
def test_created_at_is_the_entrys_date_or_the_time_of_its_insertion(
    database_url: str, before: str | None, after: str | None, expected: datetime
) -> None:
    with Database(database_url, now=lambda: datetime(2026, 1, 1)) as database:
        sync(database, [record("BUILD-1", date=before)])
    with Database(database_url, now=lambda: datetime(2026, 2, 2)) as database:
        sync(database, [record("BUILD-1", "Edited.", date=after)])
        stored = database.entry("atlas", "BUILD-1")[0]
        found = database.fingerprints("atlas", deep=True)

    assert stored.created_at == expected
    assert found == hashes([record("BUILD-1", "Edited.", date=after)])


def test_what_the_ledger_lost_is_deleted(database: Database) -> None:
    records = [record(f"BUILD-{number}") for number in range(4)]
    sync(database, records)

    counts = sync(database, records[:3])

    assert counts == Counts(deleted=1, unchanged=3)
    assert database.fingerprints("atlas") == hashes(records[:3])


def test_projects_do_not_touch_each_other(database: Database) -> None:
    mine, yours = record("BUILD-1"), record("BUILD-1", project_id="borealis")
    sync(database, [yours], project_id="borealis")

    sync(database, [mine])
    sync(database, [])

    assert database.fingerprints("atlas") == {}
    assert database.fingerprints("borealis", deep=True) == hashes([yours])


TAMPERINGS = [
    "title = 'another'",
    "content = content || ' '",
    'metadata = \'{"date": "2020-05-05", "x": 1}\'',
    "created_at = '1999-01-01 00:00:00'",
    "title = 'another', updated_at = '2030-01-01 00:00:00'",
]


@pytest.mark.parametrize("change", TAMPERINGS)
def test_a_row_changed_behind_our_back_is_seen_and_healed(database: Database, database_url: str, change: str) -> None:
    records = [record("BUILD-1", date="2020-05-05"), record("BUILD-2", date="2020-05-05")]
    sync(database, records)
    digest = database.digest("atlas")

    tamper(database_url, f"UPDATE sot_entries SET {change} WHERE entry_id = 'BUILD-1'")
    cheap, deep = database.fingerprints("atlas"), database.fingerprints("atlas", deep=True)
    counts = sync(database, records)

    assert cheap[records[0].key] == ""
    assert deep[records[0].key] == "damaged"
    assert deep[records[1].key] == records[1].content_hash
    assert counts == Counts(updated=1, unchanged=1)
    assert database.fingerprints("atlas") == database.fingerprints("atlas", deep=True) == hashes(records)
    assert database.digest("atlas") == digest


def test_a_row_changed_without_the_trigger_is_seen_by_a_deep_look_and_healed_by_it(
    database: Database, database_url: str
) -> None:
    one = record("BUILD-1")
    sync(database, [one])
    switch = "" if database_url.startswith("sqlite") else " ON sot_entries"
    body = tamper(database_url, "SELECT sql FROM sqlite_master WHERE type = 'trigger'") if not switch else []
    silent = "ALTER TABLE sot_entries DISABLE TRIGGER ALL" if switch else "DROP TRIGGER sot_entries_changed"
    loud = "ALTER TABLE sot_entries ENABLE TRIGGER ALL" if switch else str(body[0][0])

    tamper(database_url, silent, "UPDATE sot_entries SET content = 'forged'", loud)
    cheap, deep = database.fingerprints("atlas"), database.fingerprints("atlas", deep=True)
    counts = sync(database, [one], deep=True)

    assert cheap == hashes([one])
    assert deep == {one.key: "damaged"}
    assert counts == Counts(updated=1)
    assert database.fingerprints("atlas") == database.fingerprints("atlas", deep=True) == hashes([one])


def test_values_of_another_type_are_damage_and_no_crash(sqlite_url: str) -> None:
    one = record("BUILD-1")
    with Database(sqlite_url) as database:
        sync(database, [one])
        tamper(sqlite_url, "UPDATE sot_entries SET content = x'00ff', metadata = 'no json', created_at = 'never'")

        deep = database.fingerprints("atlas", deep=True)
        sync(database, [one])

        assert deep == {one.key: "damaged"}
        assert database.fingerprints("atlas", deep=True) == hashes([one])


def test_reading_creates_nothing(database: Database, database_url: str, tmp_path: Path) -> None:
    answers = (
        database.fingerprints("atlas"),
        database.fingerprints("atlas", deep=True),
        database.counts("atlas"),
        database.entry(None, "BUILD-1"),
        database.search("anything", limit=5, deadline=SOON),
        database.activities(),
        database.readme("atlas"),
        database.cached_vectors("model", ["00"]),
        database.revision(),
    )
    planned = database.plan_fulltext("atlas", [record("BUILD-1")])

    assert not any(answers)
    assert planned.counts() == Counts(inserted=1)
    assert list(tmp_path.iterdir()) == []
    if not database_url.startswith("sqlite"):
        assert tamper(database_url, "SELECT count(*) FROM pg_class WHERE relname LIKE 'sot%'") == [(0,)]


def test_a_block_that_fails_leaves_everything_as_it_was(database: Database) -> None:
    one = record("BUILD-1")
    sync(database, [one])

    with pytest.raises(RuntimeError, match="stop"), database.writing("atlas", SOON) as rows:
        rows.apply(diff([record("BUILD-2")], rows.fingerprints()))
        rows.apply_fulltext([record("BUILD-2")])
        raise RuntimeError("stop")

    assert database.fingerprints("atlas") == hashes([one])
    assert [match.key for match in database.search("text", limit=5, deadline=SOON)] == [one.key]
    assert len(database.activities("atlas")) == 1


def test_counts_and_entries_answer_what_is_stored(database: Database) -> None:
    records = [record("BUILD-1"), record("BUILD-2"), record("DEC-1", file_type="architecture_decisions")]
    sync(database, records)

    found = database.entries({records[0].key, records[2].key, RecordKey("atlas", "build_history", "DEC-1")})

    assert database.counts("atlas") == {"architecture_decisions": 1, "build_history": 2}
    assert set(found) == {records[0].key, records[2].key}
    assert [entry.key for entry in database.entry(None, "BUILD-2")] == [records[1].key]
    assert database.entry("borealis", "BUILD-2") == []


def test_both_databases_have_the_same_digest(sqlite_url: str, postgres_url: str) -> None:
    records = [
        record(f"BUILD-{n}", HOSTILE[: n * 7], date=f"2024-01-0{n}T0{n}:30" if n % 2 else None) for n in range(9)
    ]
    digests = []
    for url, order in ((sqlite_url, records), (postgres_url, records[::-1])):
        with Database(url) as database:
            sync(database, [replace(one) for one in order])
            digests.append(database.digest("atlas"))

    assert digests[0] == digests[1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.dictionaries(
        st.integers(0, 9), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50), max_size=8
    )
)
def test_syncing_any_texts_makes_the_database_hold_exactly_them(database: Database, texts: dict[int, str]) -> None:
    records = [record(f"BUILD-{number}", text, title=text) for number, text in texts.items()]

    sync(database, records)

    assert database.fingerprints("atlas") == database.fingerprints("atlas", deep=True) == hashes(records)
    assert database.plan_fulltext("atlas", records, deep=True).is_empty
