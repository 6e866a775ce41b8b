from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from sot_pipeline.errors import DatabaseUnavailable
from sot_pipeline.plan import RecordKey, diff
from sot_pipeline.targets.database import Database
from sot_pipeline_tests.targets.database.ledger import SOON, hashes, record, sync, tamper

LEDGER = [
    record("BUILD-1", "The executor restarts after a crash. " * 3, title="Executor restarts"),
    record("BUILD-2", "Retries were doubled, see docs/BUILD_HISTORY.md and DBG-7.", title="Doubled retries"),
    record("BUILD-163", "A quiet change of the build.", title="Telemetry"),
    record("BUILD-164", "163 163 163 163 163 163", title="Follows 163"),
    record("BUILD-165", "Repairs what BUILD-163 broke: BUILD-163 lost its telemetry.", title="Telemetry again"),
    record("DEC-1", "We keep SQLite: nothing to install.", title="Database", file_type="architecture_decisions"),
    record("DEC-2", "Naïve café; Ünïcödé words and 数据库.", title="Accents", file_type="architecture_decisions"),
    record(
        "DBG-1",
        "# One\n" + "filler words here. " * 80 + "\n# Two\nThe needle.\n" + "more filler. " * 100,
        title="Long",
        file_type="debug_log",
    ),
    record("DBG-2", "needle", title="Short", file_type="debug_log"),
    record("DBG-3", "no such word", title="A needle in the title", file_type="debug_log"),
]
LOST = [
    "DELETE FROM sot_fulltext WHERE entry_id = 'BUILD-1'",
    "UPDATE sot_fulltext SET body = 'forged' WHERE entry_id = 'BUILD-1'",
    "UPDATE sot_fulltext SET title = 'forged' WHERE entry_id = 'BUILD-1'",
    "DELETE FROM sot_fulltext WHERE entry_id = 'DBG-1' AND chunk = 1",
    "UPDATE sot_fulltext SET body = 'forged' WHERE entry_id = 'DBG-1' AND chunk = 1",
    "INSERT INTO sot_fulltext SELECT * FROM extra_row",
    "INSERT INTO sot_fulltext SELECT * FROM twin_row",
]


def found(database: Database, query: str, limit: int = 10, **filters: tuple[str, ...]) -> list[str]:
    return [match.key.entry_id for match in database.search(query, limit=limit, deadline=SOON, **filters)]


@pytest.fixture
def filled(database: Database) -> Database:
    sync(database, LEDGER)
    return database


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("restarting executors", ["BUILD-1"]),
        ("retry", ["BUILD-2"]),
        ("docs/BUILD_HISTORY.md", ["BUILD-2", "BUILD-165", "BUILD-163", "BUILD-164", "BUILD-1"]),
        ("history", ["BUILD-2"]),
        ("cafe", ["DEC-2"]),
        ("UNICODE", ["DEC-2"]),
        ("数据库", ["DEC-2"]),
        ("needle", ["DBG-3", "DBG-2", "DBG-1"]),
        ("absent", []),
    ],
)
def test_keywords_find_what_a_reader_expects_in_this_order(filled: Database, query: str, expected: list[str]) -> None:
    assert found(filled, query) == expected


@pytest.mark.parametrize("query", ["BUILD-163", "build-163", "what did BUILD-163, break?", "`BUILD-163`"])
def test_an_entry_named_by_its_id_comes_first_with_the_best_score(filled: Database, query: str) -> None:
    matches = filled.search(query, limit=2, deadline=SOON)

    assert matches[0].key.entry_id == "BUILD-163"
    assert matches[0].score > matches[1].score


@pytest.mark.parametrize(
    "query",
    ['"', "'", "needle OR", "NOT needle", "NEAR(needle)", "title: needle", "needle*", "(needle", "-needle", "^needle",
     "needle & | ! <-> :*", "{needle}", "needle\\", "needle; DROP TABLE sot_fulltext", "needle %s ?", "needle \u2028"],
)  # fmt: skip
def test_everything_in_a_query_is_text(filled: Database, query: str) -> None:
    answer = found(filled, query)

    assert ("DBG-2" in answer) is ("needle" in query)


@pytest.mark.parametrize("query", ["", "  ", "-- ??? !!!", "\0", "_"])
def test_a_query_without_words_has_no_answer(filled: Database, query: str) -> None:
    assert found(filled, query) == []


def test_an_entry_appears_once_with_its_best_chunk(filled: Database) -> None:
    matches = filled.search("needle filler", limit=10, deadline=SOON, file_types=("debug_log",))

    long = [match for match in matches if match.key.entry_id == "DBG-1"]
    assert len(long) == 1
    assert "needle" in long[0].body
    assert long[0].title == "Long"


def test_filters_and_limit_hold(filled: Database) -> None:
    sync(filled, [record("DBG-9", "needle", project_id="borealis")], project_id="borealis")

    assert found(filled, "needle", project_ids=("borealis",)) == ["DBG-9"]
    assert found(filled, "telemetry needle", file_types=("build_history",), project_ids=("atlas",)) == [
        "BUILD-165",
        "BUILD-163",
    ]
    assert len(found(filled, "needle telemetry", limit=2)) == 2
    assert found(filled, "needle", limit=0) == []


def test_both_databases_rank_and_score_alike(sqlite_url: str, postgres_url: str) -> None:
    text = "build retry executor telemetry running runs crash needle database 163 history words"
    words = text.split()
    ledger = LEDGER + [
        record(f"X-{n}", " ".join(words[(n * step) % 12] for step in range(1, 5 + n * 3)), title=words[n % 12])
        for n in range(60)
    ]
    answers = []
    for url in (sqlite_url, postgres_url):
        with Database(url) as database:
            sync(database, ledger)
            queries = [*words, "run running", "executor crash retry", "BUILD-163 telemetry", "words 163 DEC-1"]
            answers.append(
                [
                    [
                        (match.key, match.chunk, round(match.score, 6))
                        for match in database.search(query, limit=30, deadline=SOON)
                    ]
                    for query in queries
                ]
            )

    assert answers[0] == answers[1]
    assert all(answers[0])


@pytest.mark.parametrize("statement", LOST)
def test_lost_altered_and_extra_rows_are_seen_and_healed_where_no_entry_changed(
    filled: Database, database_url: str, statement: str
) -> None:
    before = {query: found(filled, query) for query in ("needle", "executor", "forged", "telemetry")}
    spare = "SELECT * FROM sot_fulltext WHERE entry_id"
    tamper(
        database_url,
        f"CREATE TABLE extra_row AS {spare} = 'BUILD-1'",
        "UPDATE extra_row SET id = 9999, entry_id = 'BUILD-9'",
        f"CREATE TABLE twin_row AS {spare} = 'BUILD-1'",
        "UPDATE twin_row SET id = 9998",
        statement,
    )

    planned = filled.plan_fulltext("atlas", LEDGER)
    rows = sync(filled, LEDGER)

    assert not planned.is_empty
    assert rows.unchanged == len(LEDGER)
    assert filled.plan_fulltext("atlas", LEDGER, deep=True).is_empty
    assert {query: found(filled, query) for query in before} == before


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE sot_fulltext_index",
        "DROP TABLE sot_fulltext",
        "DROP TRIGGER sot_fulltext_deleted",
        "DELETE FROM sot_fulltext_index_docsize WHERE id = 1",
        "INSERT INTO sot_fulltext_index (sot_fulltext_index) VALUES ('delete-all')",
        "DELETE FROM sot_fulltext_index_data WHERE id > 10",
        "DELETE FROM sot_fulltext_index_data",
        "DROP TABLE sot_fulltext_index_data",
        "DROP TABLE sot_fulltext_index_config",
        "DROP TABLE sot_fulltext_index_idx",
    ],
)
def test_a_damaged_index_is_seen_and_healed_by_an_ordinary_sync(sqlite_url: str, statement: str) -> None:
    with Database(sqlite_url) as database:
        sync(database, LEDGER)
    tamper(sqlite_url, statement)

    with Database(sqlite_url) as database:
        planned = database.plan_fulltext("atlas", LEDGER)
        sync(database, LEDGER)

        assert planned.counts().inserted == len(LEDGER)
        assert database.plan_fulltext("atlas", LEDGER, deep=True).is_empty
        assert found(database, "needle") == ["DBG-3", "DBG-2", "DBG-1"]


FORGED = "UPDATE sot_fulltext_index_data SET block = zeroblob(length(block)) WHERE id > 10"
BROKEN = (
    "UPDATE sot_fulltext_index_data "
    "SET block = CAST(replace(hex(zeroblob(length(block))), '00', char(127)) AS BLOB) WHERE id = 10"
)


def test_forged_postings_are_seen_by_a_deep_look_and_healed_by_it(sqlite_url: str) -> None:
    with Database(sqlite_url) as database:
        sync(database, LEDGER)
        tamper(sqlite_url, FORGED)

        planned = database.plan_fulltext("atlas", LEDGER, deep=True)
        sync(database, LEDGER, deep=True)

        assert planned.counts().updated == len(LEDGER)
        assert database.plan_fulltext("atlas", LEDGER, deep=True).is_empty
        assert found(database, "needle") == ["DBG-3", "DBG-2", "DBG-1"]


def test_a_broken_index_is_named_by_a_search_and_healed_by_the_next_edit(sqlite_url: str) -> None:
    with Database(sqlite_url) as database:
        sync(database, LEDGER)
    tamper(sqlite_url, BROKEN)
    edited = [*LEDGER[:-1], record("DBG-3", "haystack", file_type="debug_log")]

    with Database(sqlite_url) as database:
        with pytest.raises(DatabaseUnavailable, match=r"full-text index .* is damaged"):
            found(database, "needle")
        sync(database, edited)

        assert found(database, "haystack") == ["DBG-3"]
        assert database.fingerprints("atlas") == hashes(edited)
        assert database.plan_fulltext("atlas", edited, deep=True).is_empty


def test_a_dropped_table_heals_in_postgres(postgres_url: str) -> None:
    with Database(postgres_url) as database:
        sync(database, LEDGER)
        tamper(postgres_url, "DROP TABLE sot_fulltext")

        planned = database.plan_fulltext("atlas", LEDGER)
        sync(database, LEDGER)

        assert planned.counts().inserted == len(LEDGER)
        assert found(database, "needle") == ["DBG-3", "DBG-2", "DBG-1"]


def test_a_forged_tsvector_is_seen_at_once(postgres_url: str) -> None:
    with Database(postgres_url) as database:
        sync(database, LEDGER)
        tamper(postgres_url, "UPDATE sot_fulltext SET terms = '''needle''' WHERE entry_id = 'BUILD-1'")

        planned = database.plan_fulltext("atlas", LEDGER)
        sync(database, LEDGER)

        assert [one.key.entry_id for one in planned.updates] == ["BUILD-1"]
        assert found(database, "needle") == ["DBG-3", "DBG-2", "DBG-1"]


def test_what_no_trigger_saw_is_seen_by_a_deep_look(postgres_url: str) -> None:
    with Database(postgres_url) as database:
        sync(database, LEDGER)
        tamper(
            postgres_url,
            "ALTER TABLE sot_fulltext DISABLE TRIGGER ALL",
            "UPDATE sot_fulltext SET terms = '''needle''' WHERE entry_id = 'BUILD-1'",
            "UPDATE sot_fulltext SET body = 'forged' WHERE entry_id = 'BUILD-2'",
            "ALTER TABLE sot_fulltext ENABLE TRIGGER ALL",
        )

        cheap = database.plan_fulltext("atlas", LEDGER)
        deep = database.plan_fulltext("atlas", LEDGER, deep=True)
        sync(database, LEDGER, deep=True)

        assert cheap.is_empty
        assert {one.key.entry_id for one in deep.updates} == {"BUILD-1", "BUILD-2"}
        assert database.plan_fulltext("atlas", LEDGER, deep=True).is_empty


def test_file_types_to_keep_are_left_alone(filled: Database) -> None:
    remaining = [one for one in LEDGER if one.key.file_type == "debug_log"]

    with filled.writing("atlas", SOON) as rows:
        done = rows.apply_fulltext(remaining, keep={"build_history"})

    assert {key.file_type for key in done.deletes} == {"architecture_decisions"}
    assert found(filled, "telemetry") == ["BUILD-165", "BUILD-163"]


def test_an_absurd_text_is_indexed_within_the_limits_of_the_database(database: Database) -> None:
    words = " ".join(f"word{number}" for number in range(120_000))
    one = record("BUILD-1", f"{words} {'x' * 100_000} needle", title="t " * 100_000)

    sync(database, [one])

    assert found(database, "needle") == found(database, "word77777") == ["BUILD-1"]
    assert database.plan_fulltext("atlas", [one], deep=True).is_empty


def test_search_without_a_database_finds_nothing_and_makes_none(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'sot.db'}") as database:
        assert database.search("anything", limit=3, deadline=SOON) == []

    assert list(tmp_path.iterdir()) == []


def test_keys_of_matches_name_their_project(filled: Database) -> None:
    assert filled.search("haystack needle", limit=1, deadline=SOON)[0].key == RecordKey("atlas", "debug_log", "DBG-3")


def test_a_deep_look_waits_for_a_writer_and_then_sees_what_it_wrote(database: Database, database_url: str) -> None:
    sync(database, LEDGER)
    edited = [*LEDGER[:-1], record("DBG-3", "haystack", file_type="debug_log")]
    started = threading.Event()

    def write() -> None:
        with Database(database_url) as mine, mine.writing("atlas", SOON) as rows:
            rows.apply(diff(edited, rows.fingerprints()))
            started.set()
            time.sleep(0.2)
            rows.apply_fulltext(edited)

    writer = threading.Thread(target=write)
    writer.start()
    started.wait()
    looks = []
    while writer.is_alive():
        looks.append(database.plan_fulltext("atlas", edited, deep=True).counts().updated)
    writer.join()

    assert set(looks) <= {0, 1}
    assert database.plan_fulltext("atlas", edited, deep=True).is_empty
