"""Other programs write skills with plain SQL: what they leave out is there, and what they change is seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from sot_pipeline.skills.model import LIST_KEYS
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline_tests.targets.database.ledger import SOON, activity, tamper
from sot_pipeline_tests.targets.database.skills import document, insert, stored

MEMBERS = [*(f"skill_{key}" for key in LIST_KEYS), "skill_files"]
NEW_SKILL = "INSERT INTO skills (project_id, skill_path, name, description, body) VALUES ('atlas', 'p', 'n', 'd', 'b')"
LONG_AGO = "2020-01-01 00:00:00"


@pytest.fixture
def store(database: Database) -> SkillStore:
    """Two skills, a and b, with a member of everything, last changed long ago."""
    database.upgrade(SOON)
    found = SkillStore(database, "atlas")
    insert(found, stored("a"), stored("b"))
    with database.changing("atlas", SOON) as (engine, _):
        for uid in "ab":
            for table in MEMBERS[:-1]:
                engine.insert(table, ("project_id", "uid", "position", "value"), [("atlas", uid, 9, "member")])
        engine.execute("UPDATE skills SET updated_at = ?", (LONG_AGO,))
    found.set_base({skill.uid: (document(skill), skill.row_version) for skill in found.read()}, SOON)
    return found


@pytest.fixture
def changed_by(store: SkillStore, database_url: str) -> Callable[..., set[str]]:
    """Runs statements as another program; the uids whose row has another version, which has to be a new one."""
    seen = {version.row_version for version in store.versions().values()}

    def run(*statements: str) -> set[str]:
        before = store.versions()
        tamper(database_url, *statements)
        after = store.versions()
        changed = {uid for uid, found in after.items() if uid not in before or before[uid] != found}
        new = {after[uid].row_version for uid in changed}
        assert not new & seen
        seen.update(new)
        for uid in changed:
            ((updated, hashed),) = tamper(
                database_url, f"SELECT updated_at, content_hash FROM skills WHERE uid = '{uid}'"
            )
            moment = updated if isinstance(updated, datetime) else datetime.fromisoformat(str(updated))
            assert abs(datetime.now(UTC).replace(tzinfo=None) - moment) < timedelta(minutes=1)
            assert hashed is None
        return changed

    return run


Changed = Callable[..., set[str]]


def test_a_skill_inserted_with_four_columns_is_whole(store: SkillStore, database_url: str) -> None:
    tamper(database_url, "DELETE FROM skills", NEW_SKILL)

    (found,) = store.read()

    assert (found.path, found.fields.texts, found.body) == ("p", {"name": "n", "description": "d"}, "b")
    assert (found.template, found.files, found.executable, found.problem) == (b"", {}, False, None)
    assert len(found.uid) == 32
    assert found.row_version > 0
    assert tamper(database_url, "SELECT count(*) FROM skills WHERE created_at IS NULL OR updated_at IS NULL") == [(0,)]


def test_two_skills_inserted_by_hand_have_uids_of_their_own(changed_by: Changed) -> None:
    assert len(changed_by(NEW_SKILL, NEW_SKILL.replace("'p'", "'q'"))) == 2


def test_a_skill_without_a_project_gets_the_only_one_there_is(store: SkillStore, database_url: str) -> None:
    unnamed = "INSERT INTO skills (skill_path, name, description, body) VALUES ('{}', 'n', 'd', 'b')"

    tamper(database_url, "DELETE FROM skills WHERE uid = 'a'", unnamed.format("first"))
    assert "first" in {version.path for version in store.versions().values()}

    tamper(database_url, "DELETE FROM skills")
    store.database.record_activity("borealis", activity(), SOON)
    tamper(database_url, unnamed.format("second"))
    assert SkillStore(store.database, "borealis").read()[0].path == "second"

    store.database.record_activity("atlas", activity(), SOON)
    with pytest.raises(Exception, match="name the project_id"):
        tamper(database_url, unnamed.format("third"))
    assert store.versions() == {}


CHANGES = [
    *("skill_path = 'q'", "name = 'x'", "description = NULL", "version = '2'", "type = 't'", "weight = 2"),
    *("load_priority = 1", "status = 'draft'", "scope = 's'", "body = ''", "front_matter = NULL"),
    *("extra = '{}'", "executable = true", "description = 'x', row_version = 1", "name = name"),
]


def test_every_column_that_is_changed_makes_a_new_version(changed_by: Changed) -> None:
    for change in CHANGES:
        assert changed_by(f"UPDATE skills SET {change} WHERE uid = 'a'") == {"a"}, change


def test_what_is_noted_about_a_skill_is_no_change_of_it(changed_by: Changed) -> None:
    assert changed_by("UPDATE skills SET content_hash = 'h', created_at = NULL") == set()


def test_every_change_of_a_member_makes_a_new_version(changed_by: Changed) -> None:
    for table in MEMBERS:
        name, column = ("path", "content") if table == "skill_files" else ("position", "value")
        one = f"WHERE uid = 'a' AND {name} = (SELECT max({name}) FROM {table} WHERE uid = 'a')"
        new = "'new'" if name == "path" else "8"
        added = f"INSERT INTO {table} (project_id, uid, {name}, {column}) VALUES ('atlas', 'b', {new}, 'v')"

        assert changed_by(added) == {"b"}, table
        assert changed_by(f"UPDATE {table} SET {column} = 'w' {one}") == {"a"}, table
        assert changed_by(f"UPDATE {table} SET {name} = {name} {one}") == {"a"}, table
        assert changed_by(f"DELETE FROM {table} {one}") == {"a"}, table
        assert changed_by(f"UPDATE {table} SET uid = 'a' WHERE uid = 'b' AND {name} = {new}") == {"a", "b"}, table
        assert changed_by(f"UPDATE {table} SET {column} = 'all'") == {"a", "b"}, table
        assert changed_by(f"DELETE FROM {table} WHERE uid = 'nobody'") == set(), table


def test_emptying_a_table_at_once_is_seen(changed_by: Changed, database_url: str) -> None:
    for table in MEMBERS:
        statement = f"DELETE FROM {table}" if database_url.startswith("sqlite") else f"TRUNCATE {table}"

        assert changed_by(statement) == {"a", "b"}, table


def test_a_skill_deleted_and_made_again_has_another_version(changed_by: Changed) -> None:
    again = NEW_SKILL.replace("project_id,", "project_id, uid,").replace("'atlas',", "'atlas', 'a',")

    assert changed_by("DELETE FROM skills WHERE uid = 'a'", again) == {"a"}


def test_deleting_a_skill_deletes_its_members_and_touches_no_other(
    changed_by: Changed, database_url: str, store: SkillStore
) -> None:
    assert changed_by("DELETE FROM skills WHERE uid = 'a'") == set()

    assert store.versions().keys() == {"b"}
    for table in MEMBERS:
        assert tamper(database_url, f"SELECT DISTINCT uid FROM {table}") == [("b",)]


def test_another_uid_takes_the_members_along(database_url: str, store: SkillStore) -> None:
    keys = "" if not database_url.startswith("sqlite") else "PRAGMA foreign_keys = ON"
    (before, _) = store.read()

    tamper(database_url, *filter(None, (keys,)), "UPDATE skills SET uid = 'z' WHERE uid = 'a'")

    after = next(skill for skill in store.read() if skill.uid == "z")
    assert (after.fields, after.files) == (before.fields, before.files)


def test_triggers_that_may_call_themselves_end(sqlite_url: str) -> None:
    with Database(sqlite_url) as database:
        store = SkillStore(database, "atlas")
        insert(store, stored("a"))
        before = store.versions()

        tamper(
            sqlite_url,
            "PRAGMA recursive_triggers = ON",
            "UPDATE skills SET name = 'x'",
            "UPDATE skill_files SET mode = 1",
        )

        assert store.versions() != before


def test_content_that_another_program_wrote_has_no_hash(store: SkillStore, database_url: str) -> None:
    tamper(database_url, "UPDATE skill_files SET content = 'x' WHERE uid = 'a' AND path = 'scripts/run.sh'")

    found = tamper(database_url, "SELECT count(*) FROM skill_files WHERE sha256 IS NULL AND size IS NULL")

    assert found == [(1,)]


def test_categories_are_the_folders_on_the_way(store: SkillStore, database_url: str) -> None:
    tamper(
        database_url,
        "UPDATE skills SET skill_path = 'development/lang uages/python' WHERE uid = 'a'",
        "UPDATE skills SET skill_path = '.' WHERE uid = 'b'",
        "INSERT INTO skills (project_id, skill_path) VALUES ('atlas', 'top'), ('atlas', NULL)",
    )

    found = tamper(database_url, "SELECT uid, depth, category, parent FROM skill_categories ORDER BY depth")

    assert found == [
        ("a", 0, "development", None),
        ("a", 1, "development/lang uages", "development"),
    ]


def test_a_skill_and_its_members_are_written_in_any_order_within_a_transaction(postgres_url: str) -> None:
    with Database(postgres_url) as database:
        database.upgrade(SOON)
        with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
            connection.execute("INSERT INTO skill_tags (project_id, uid, value) VALUES ('atlas', 'u', 'first')")
            connection.execute("INSERT INTO skills (project_id, uid, skill_path) VALUES ('atlas', 'u', 'p')")

        assert SkillStore(database, "atlas").read()[0].fields.lists == {"tags": ("first",)}
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            tamper(postgres_url, "INSERT INTO skill_tags (project_id, uid, value) VALUES ('atlas', 'nobody', 'x')")
