"""From the schema before skills, with data in it, to the one with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline.cli.main import main
from sot_pipeline.errors import DatabaseUnavailable
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.skill_rows import FILES, LISTS, MEMBER_COLUMNS, SKILLS
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline.targets.database.tables import metadata, skills
from sot_pipeline_tests.targets.database.ledger import migrate, record, sync, tamper
from sot_pipeline_tests.targets.database.skills import insert, stored

ENTRY = (
    "INSERT INTO sot_entries (project_id, file_type, entry_id, title, content, metadata, created_at, updated_at, "
    "content_hash) VALUES ('atlas', 'build_history', 'BUILD-1', 't', 'c', '{}', '2026-01-01', '2026-01-01', 'h')"
)


@pytest.fixture
def older(database_url: str) -> str:
    """A database as the version before skills left it, with an entry in it."""
    migrate(database_url, "0003")
    tamper(database_url, ENTRY)
    return database_url


def test_what_is_described_is_what_is_written() -> None:
    noted = {"row_version", "content_hash", "created_at", "updated_at"}
    columns = {name: {column.name for column in table.columns} for name, table in metadata.tables.items()}

    assert set(SKILLS.columns) == columns["skills"] - noted
    assert set(FILES.columns) == columns["skill_files"]
    assert all(set(MEMBER_COLUMNS) == columns[table] for table in LISTS.values())
    assert all(skills.columns[name].doc for name in ("project_id", "uid", "skill_path", "front_matter", "row_version"))


def test_an_older_database_keeps_its_data_and_gets_the_tables(older: str) -> None:
    with Database(older) as database:
        assert database.revision() == "0003"
        store = SkillStore(database, "atlas")
        with pytest.raises(DatabaseUnavailable, match="sot db upgrade"):
            store.versions()

        versions = insert(store, stored("a"))

        assert database.revision() == "0004"
        assert database.counts("atlas") == {"build_history": 1}
        assert store.read() == [stored("a", row_version=versions["a"])]


def test_db_upgrade_and_current_name_the_new_version(
    older: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sot.toml").write_text('[[project]]\nid = "atlas"\nroot = "."\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", older)
    said = []
    for action in ("current", "upgrade", "current"):
        monkeypatch.setattr("sys.argv", ["sot", "db", action])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        said.append(capsys.readouterr().out)

    assert "0003" in said[0]
    assert "0003 → 0004" in said[1]
    assert "0004" in said[2]


def test_skills_of_somebody_else_are_not_taken_over(older: str) -> None:
    tamper(older, "CREATE TABLE skills (mine integer)", "INSERT INTO skills VALUES (7)")

    with Database(older) as database, pytest.raises(DatabaseUnavailable, match="table 'skills' that this program"):
        sync(database, [record("BUILD-1")])

    assert tamper(older, "SELECT mine FROM skills") == [(7,)]
