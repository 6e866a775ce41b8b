from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from sot_pipeline.errors import DatabaseUnavailable
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.schema import HEAD, VERSION_TABLE
from sot_pipeline.targets.database.tables import metadata
from sot_pipeline_tests.targets.database.ledger import SOON, record, sync, tamper

SYNC = """
import sys
from sot_pipeline.targets.database import Database
from sot_pipeline_tests.targets.database.ledger import record, sync
with Database(sys.argv[1]) as database:
    sync(database, [record(f"BUILD-{n}") for n in range(200)])
"""


def test_head_is_alembics_head() -> None:
    config = Config()
    config.set_main_option("script_location", "sot_pipeline.targets.database:migrations")

    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_migrations_give_the_tables_that_are_described(database: Database, database_url: str) -> None:
    database.upgrade(SOON)

    with create_engine(database_url).connect() as connection:
        ours = {"include_name": lambda name, kind, _: kind != "table" or name in metadata.tables}
        differences = compare_metadata(MigrationContext.configure(connection, opts=ours), metadata)

    assert differences == []
    assert database.revision() == HEAD


def test_upgrading_twice_changes_nothing(database: Database, database_url: str) -> None:
    sync(database, [record("BUILD-1")])
    with Database(database_url) as another:
        another.upgrade(SOON)

    assert database.counts("atlas") == {"build_history": 1}


def test_a_newer_schema_is_refused_by_name(database_url: str) -> None:
    with Database(database_url) as database:
        database.upgrade(SOON)
    tamper(database_url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")

    for question in (
        lambda database: database.check(SOON),
        lambda database: database.fingerprints("atlas"),
        lambda database: sync(database, []),
    ):
        with Database(database_url) as database, pytest.raises(DatabaseUnavailable, match="9999") as refused:
            question(database)
        assert "Upgrade sot-pipeline" in refused.value.remedy


def test_an_older_schema_is_not_read_but_upgraded_by_a_write(database_url: str) -> None:
    with Database(database_url) as database:
        database.upgrade(SOON)
    tamper(database_url, f"UPDATE {VERSION_TABLE} SET version_num = '0000'")

    with Database(database_url) as database, pytest.raises(DatabaseUnavailable, match="sot db upgrade"):
        database.fingerprints("atlas")


def test_a_table_of_somebody_else_is_not_taken_over(database: Database, database_url: str) -> None:
    tamper(database_url, "CREATE TABLE sot_entries (mine integer)", "INSERT INTO sot_entries VALUES (7)")

    with pytest.raises(DatabaseUnavailable, match="did not make"):
        sync(database, [record("BUILD-1")])

    assert tamper(database_url, "SELECT mine FROM sot_entries") == [(7,)]


def test_an_alembic_version_of_somebody_else_is_left_alone(database: Database, database_url: str) -> None:
    tamper(database_url, "CREATE TABLE alembic_version (version_num text)", "INSERT INTO alembic_version VALUES ('d')")

    sync(database, [record("BUILD-1")])

    assert tamper(database_url, "SELECT version_num FROM alembic_version") == [("d",)]


def test_two_processes_at_once_make_one_schema_and_one_set_of_rows(database_url: str) -> None:
    running = [subprocess.Popen([sys.executable, "-c", SYNC, database_url]) for _ in range(3)]

    assert [process.wait(60) for process in running] == [0, 0, 0]
    with Database(database_url) as database:
        assert database.counts("atlas") == {"build_history": 200}
        assert sorted(row.activity.counts for row in database.activities()) == [
            (0, 0, 0, 200),
            (0, 0, 0, 200),
            (200, 0, 0, 0),
        ]


@pytest.mark.parametrize("module", ["sqlalchemy", "alembic", "psycopg", "mistune"])
def test_reading_a_current_sqlite_file_imports_nothing_heavy(sqlite_url: str, module: str) -> None:
    with Database(sqlite_url) as database:
        sync(database, [record("BUILD-1")])
    script = f"""
import sys
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.database import Database
with Database(sys.argv[1]) as database:
    database.check(Deadline(10))
    found = database.fingerprints("atlas"), database.search("text", limit=1, deadline=Deadline(10))
sys.exit(0 if all(found) and {module!r} not in sys.modules else 1)
"""

    assert subprocess.run([sys.executable, "-c", script, sqlite_url], check=False).returncode == 0
