"""The skills of a project: what is written is read back, alike in both databases, and nothing is written over."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sot_pipeline.errors import DatabaseUnavailable
from sot_pipeline.skills.model import LIST_KEYS, Fields, File
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.skill_model import StoredSkill, Version, Written
from sot_pipeline.targets.database.skill_rows import unstorable
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline_tests.targets.database.ledger import SOON, tamper
from sot_pipeline_tests.targets.database.skills import HOSTILE, insert, skills, stored

HYPOTHESIS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def store(database: Database) -> SkillStore:
    return SkillStore(database, "atlas")


def test_a_store_without_tables_is_empty_and_stays_so(store: SkillStore, database: Database) -> None:
    assert (store.versions(), store.read(), store.read(["a"]), store.base(), store.base_files()) == ({}, [], [], {}, {})
    assert (store.tombstones(), store.conflicts()) == ({}, [])
    assert database.revision() is None


def test_hostile_text_is_kept_everywhere(store: SkillStore) -> None:
    texts = dict.fromkeys(("name", "description", "version", "type", "status", "scope"), HOSTILE)
    fields = Fields(texts, {}, dict.fromkeys(LIST_KEYS, (HOSTILE, "", HOSTILE)), {HOSTILE: [HOSTILE, {HOSTILE: None}]})
    skill = stored(HOSTILE, HOSTILE, fields=fields, body=HOSTILE, files={HOSTILE: File(HOSTILE.encode())})

    versions = insert(store, skill)

    assert store.read() == [replace(skill, row_version=versions[HOSTILE])]


@HYPOTHESIS
@given(
    written=st.lists(skills, max_size=4, unique_by=(lambda skill: skill.uid, lambda skill: skill.path)), data=st.data()
)
@example(written=[stored("u", fields=Fields(numbers={"weight": 2**53 + 1, "load_priority": 1e300}))], data=None)
def test_what_is_read_equals_what_was_written(
    database_url: str, written: list[StoredSkill], data: st.DataObject
) -> None:
    with Database(database_url) as database:
        store = SkillStore(database, "atlas")
        with database.changing("atlas", SOON) as (engine, _):
            engine.execute("DELETE FROM skills")

        versions = insert(store, *written)
        found = store.read()
        assert {skill.uid: skill for skill in found} == {
            skill.uid: replace(skill, row_version=versions[skill.uid]) for skill in written
        }
        assert [(s.path, s.uid) for s in found] == sorted((s.path, s.uid) for s in written)
        extras = [(skill.fields.extra, skill.fields.numbers) for skill in written]
        assert sorted(map(repr, (json.dumps(each) for each, _ in extras))) == sorted(
            repr(json.dumps(skill.fields.extra)) for skill in found
        )
        if data is None or not written:
            return
        chosen = data.draw(st.sampled_from(found))
        other = replace(data.draw(skills), uid=chosen.uid, path=chosen.path, row_version=chosen.row_version)
        versions = store.apply((), (other,), {}, SOON).versions
        assert store.read([chosen.uid]) == [replace(other, row_version=versions[chosen.uid])]


@given(
    text=st.sampled_from(["a\0b", "\ud800", "\udcff"]), place=st.sampled_from(["uid", "path", "file", "body", *"telk"])
)
def test_what_one_database_cannot_hold_is_named(text: str, place: str) -> None:
    parts = {
        "uid": partial(stored, text),
        "path": partial(stored, "u", text),
        "body": partial(stored, "u", body=text),
        "file": partial(stored, "u", files={text: File(b"")}),
        "t": partial(stored, "u", fields=Fields(texts={"name": text})),
        "l": partial(stored, "u", fields=Fields(lists={"tags": ("a", text)})),
        "e": partial(stored, "u", fields=Fields(extra={"a": [{"b": text}]})),
        "k": partial(stored, "u", fields=Fields(extra={"a": [{text: 1}]})),
    }

    said = unstorable(parts[place]())

    assert said is not None
    assert ("NUL" in said) == ("\0" in text)
    assert ("surrogate" in said) == ("\0" not in text)


@pytest.mark.parametrize(
    ("skill", "said"),
    [
        (stored("u", "p" * 2001), "longer than 2000 bytes"),
        (stored("u", files={"": File(b"")}), "empty"),
        (stored("u", fields=Fields(numbers={"weight": float("inf")})), "not finite"),
        (stored("u", fields=Fields(extra={"a": float("nan")})), "JSON"),
        (stored("u", fields=Fields(extra={"a": 10**5000})), "JSON"),
    ],
)
def test_one_that_cannot_be_held_is_refused_and_the_others_are_written(
    store: SkillStore, skill: StoredSkill, said: str
) -> None:
    written = store.apply(
        [skill, stored("fine"), stored("nul", body="\0"), stored("half", body="\ud800")], (), {}, SOON
    )

    assert written.versions.keys() == {"fine"}
    assert said in written.refused["u"]
    assert written.refused.keys() == {"u", "nul", "half"}
    assert written.moved == frozenset()


def test_projects_do_not_see_each_other(store: SkillStore) -> None:
    other = SkillStore(store.database, "borealis")
    versions = insert(store, stored("a"), stored("b"))
    insert(other, stored("a", "tools/b"))

    store.apply((), (), {"a": versions["a"]}, SOON)

    assert store.versions().keys() == {"b"}
    assert other.versions().keys() == {"a"}
    assert len(other.read()[0].fields.lists["keywords"]) == 3


def test_versions_are_told_and_chosen_skills_are_read(store: SkillStore) -> None:
    versions = insert(store, stored("a"), stored("b"), stored("c"))

    assert store.versions() == {uid: Version(f"tools/{uid}", version) for uid, version in versions.items()}
    assert [skill.uid for skill in store.read(["c", "a", "absent"])] == ["a", "c"]
    assert store.read([]) == []


def test_a_row_that_moved_meanwhile_is_left_alone_and_reported(store: SkillStore, database_url: str) -> None:
    insert(store, *(stored(uid) for uid in "abcd"))
    read = {skill.uid: skill for skill in store.read()}
    tamper(
        database_url,
        "UPDATE skills SET description = 'theirs' WHERE uid = 'a'",
        "INSERT INTO skill_tags (project_id, uid, value) VALUES ('atlas', 'b', 'theirs')",
        "DELETE FROM skills WHERE uid = 'd'",
    )

    mine = [replace(read[uid], body="mine") for uid in "acd"]
    written = store.apply([stored("c")], mine, {"b": read["b"].row_version, "gone": 1}, SOON)

    found = {skill.uid: skill for skill in store.read()}
    assert written.moved == {"a", "b", "d"}
    assert written.deleted == {"gone"}
    assert {uid: skill.body for uid, skill in found.items()} == {"a": "# Body\n", "b": "# Body\n", "c": "mine"}
    assert written.versions == {"c": found["c"].row_version}
    assert found["a"].fields.texts["description"] == "theirs"


@pytest.mark.parametrize(
    "theirs",
    [
        "UPDATE skills SET body = 'theirs' WHERE uid = 'a'",
        "INSERT INTO skill_tags (project_id, uid, value) VALUES ('atlas', 'a', 'theirs')",
    ],
)
def test_a_transaction_that_another_program_has_open_is_waited_for(
    store: SkillStore, database_url: str, theirs: str
) -> None:
    insert(store, stored("a"))
    (read,) = store.read()

    def write() -> Written:
        with Database(database_url) as ours:
            return SkillStore(ours, "atlas").apply((), [replace(read, body="mine")], {}, SOON)

    with transaction_open(database_url, theirs) as commit, ThreadPoolExecutor() as pool:
        running = pool.submit(write)
        with pytest.raises(TimeoutError):
            running.result(0.3)
        commit()
        written = running.result(30)

    assert written.moved == {"a"}
    (found,) = store.read()
    assert found.body != "mine"
    assert found.body == "theirs" or found.fields.lists["tags"] == ("theirs",)


@contextmanager
def transaction_open(url: str, statement: str) -> Iterator[Callable[[], None]]:
    """Another program's transaction in which `statement` ran; gives what commits it."""
    connection: sqlite3.Connection | psycopg.Connection[tuple[object, ...]]
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    else:
        connection = psycopg.connect(url.replace("+psycopg", ""))
    try:
        connection.execute(statement)
        yield connection.commit
    finally:
        connection.close()


def test_an_insert_of_a_uid_that_is_there_changes_nothing(store: SkillStore) -> None:
    versions = insert(store, stored("a"))

    written = store.apply([stored("a", "elsewhere", body="other")], (), {}, SOON)

    assert written == Written({}, frozenset(), frozenset({"a"}), {})
    assert store.versions() == {"a": Version("tools/a", versions["a"])}


def test_skills_swap_paths_and_pass_them_on(store: SkillStore) -> None:
    insert(store, *(stored(uid) for uid in "abcd"))
    read = {skill.uid: skill for skill in store.read()}
    moves = {"a": "tools/b", "b": "tools/c", "c": "tools/a"}

    written = store.apply(
        [stored("new", "tools/d")],
        [replace(read[uid], path=path) for uid, path in moves.items()],
        {"d": read["d"].row_version},
        SOON,
    )

    assert written.moved == frozenset()
    assert {uid: version.path for uid, version in store.versions().items()} == {**moves, "new": "tools/d"}
    assert {skill.uid: skill.fields.texts["name"] for skill in store.read()} == {**{u: u for u in moves}, "new": "new"}


def test_a_path_that_somebody_keeps_is_given_to_nobody_else(store: SkillStore, database_url: str) -> None:
    insert(store, *(stored(uid) for uid in "abcd"))
    read = {skill.uid: skill for skill in store.read()}
    tamper(database_url, "UPDATE skills SET description = 'theirs' WHERE uid = 'c'")

    # c was changed by somebody else and stays, so b cannot have its path, nor a that of b.
    chain = [replace(read[uid], path=path) for uid, path in (("a", "tools/b"), ("b", "tools/c"), ("c", "tools/x"))]
    written = store.apply(
        [stored("new", "tools/d"), stored("twin", "tools/e"), stored("second", "tools/e")], chain, {}, SOON
    )

    assert written.moved == {"a", "b", "c", "new", "second"}
    assert {uid: found.path for uid, found in store.versions().items()} == {
        **{uid: f"tools/{uid}" for uid in "abcd"},
        "twin": "tools/e",
    }


def test_of_the_files_only_what_changed_is_written(store: SkillStore, database_url: str) -> None:
    insert(store, stored("a"))
    tamper(database_url, "UPDATE skill_files SET size = -1")  # shows which rows are written anew
    (read,) = store.read()

    files = {"assets/logo.png": File(bytes(range(256))), "scripts/run.sh": File(b"other"), "new": File(b"")}
    store.apply((), [replace(read, files=files)], {}, SOON)

    assert tamper(database_url, "SELECT path, size, mode FROM skill_files ORDER BY path") == [
        ("assets/logo.png", -1, 0o644),
        ("new", 0, 0o644),
        ("scripts/run.sh", 5, 0o644),
    ]
    assert store.read()[0].files == files


def test_equal_skills_have_one_digest_in_both_databases(sqlite_url: str, postgres_url: str) -> None:
    digests = []
    for url, uids in ((sqlite_url, "ab"), (postgres_url, "xy")):
        with Database(url) as database:
            store = SkillStore(database, "atlas")
            same = [stored(uid, f"p/{n}", fields=Fields({"name": "n"}, {"weight": 1})) for n, uid in enumerate(uids)]
            empty = store.digest()
            insert(store, *same)
            digests.append((empty, store.digest()))
            tamper(url, "UPDATE skill_files SET content = NULL WHERE path = 'scripts/run.sh'")
            assert store.digest() not in digests[-1]

    assert digests[0] == digests[1]
    assert digests[0][0] != digests[0][1]


# What other programs leave in the tables


def test_rows_written_by_hand_are_read_as_values(store: SkillStore, database_url: str) -> None:
    store.database.upgrade(SOON)
    tamper(
        database_url,
        "INSERT INTO skills (project_id, uid, skill_path, weight) VALUES ('atlas', 'a', 'p', 3)",
        "INSERT INTO skill_tags (project_id, uid, value, position) VALUES ('atlas', 'a', 'z', NULL), "
        "('atlas', 'a', 'y', NULL), ('atlas', 'a', 'x', 7)",
        "INSERT INTO skill_files (project_id, uid, path, content) VALUES ('atlas', 'a', 'run', 'text')",
        "INSERT INTO skill_files (project_id, uid, path, content, mode) VALUES ('atlas', 'a', 'x', '', 493)",
    )

    (found,) = store.read()

    fields = Fields({}, {"weight": 3}, {"tags": ("x", "y", "z")})
    files = {"run": File(b"text"), "x": File(b"", executable=True)}
    assert replace(found, row_version=0) == StoredSkill("a", "p", fields, files=files)
    assert isinstance(found.fields.numbers["weight"], int)


BROKEN = [
    ("UPDATE skills SET skill_path = NULL", "skill_path is null"),
    ("UPDATE skills SET skill_path = ''", "skill_path is empty"),
    ("UPDATE skills SET extra = '[1]'", "extra is no JSON object"),
    ("UPDATE skill_keywords SET value = NULL WHERE position = 1", "skill_keywords.value is null"),
    ("UPDATE skill_files SET content = NULL WHERE path = 'scripts/run.sh'", "'scripts/run.sh' is null"),
    ("UPDATE skill_files SET path = 'SKILL.md' WHERE path = 'scripts/run.sh'", "has a SKILL.md"),
    ("UPDATE skill_files SET path = '' WHERE path = 'scripts/run.sh'", "skill_files.path is empty"),
]
BROKEN_IN_SQLITE = [
    ("UPDATE skills SET weight = 'heavy'", "weight is no finite number: 'heavy'"),
    ("UPDATE skills SET weight = 9e999", "weight is no finite number"),
    ("UPDATE skills SET extra = '{broken'", "extra is no JSON object"),
    ("UPDATE skills SET extra = x'ff'", "extra is no JSON object"),
    (f"UPDATE skills SET extra = '{'[' * 100_000}'", "extra is no JSON object"),
    ("UPDATE skills SET body = x'6162'", "body is no text but bytes"),
    ("UPDATE skills SET body = CAST(x'61ff' AS TEXT)", "body holds a lone surrogate"),
    ("UPDATE skills SET skill_path = CAST(x'61ff' AS TEXT)", "skill_path holds a lone surrogate"),
    ("UPDATE skills SET name = 'a' || char(0) || 'b'", "name holds a NUL"),
    ("UPDATE skills SET executable = 'yes'", "executable is no integer: 'yes'"),
    ("UPDATE skills SET front_matter = 5", "front_matter is no text but int"),
    ("UPDATE skills SET uid = x'75'", "uid is no text but bytes"),
    ("UPDATE skill_files SET mode = 'rwx'", "is no integer: 'rwx'"),
    ("UPDATE skill_tags SET value = x'00'", "skill_tags.value is no text"),
]
BROKEN_IN_POSTGRESQL = [
    ("UPDATE skills SET load_priority = 'NaN'", "load_priority is no finite number: nan"),
    (f"UPDATE skills SET extra = '{{\"a\": {'9' * 5000}}}'", "extra is no JSON object"),
]


def test_a_row_that_cannot_be_used_is_a_value_with_a_problem(store: SkillStore, database_url: str) -> None:
    store.database.upgrade(SOON)
    is_sqlite = database_url.startswith("sqlite")
    for statement, problem in BROKEN + (BROKEN_IN_SQLITE if is_sqlite else BROKEN_IN_POSTGRESQL):
        tamper_only_rows_of(database_url, store, statement)
        found = store.read()

        assert [skill.path for skill in found if skill.problem is None] == ["tools/fine"]
        assert any(problem in (skill.problem or "") for skill in found), statement
        assert len(store.versions()) == 2


def tamper_only_rows_of(url: str, store: SkillStore, statement: str) -> None:
    """Two fresh skills, one of which is broken by `statement`."""
    fields = Fields(lists={"tags": ("a",), "keywords": ("a", "b")})
    tamper(url, "DELETE FROM skills")
    insert(store, stored("fine", fields=fields))
    insert(store, stored("u", fields=fields))
    tamper(url, f"{statement} {'AND' if 'WHERE' in statement else 'WHERE'} uid = 'u'")


def test_a_row_with_a_problem_can_be_written_again(store: SkillStore, database_url: str) -> None:
    insert(store, stored("a"))
    tamper(database_url, "UPDATE skills SET skill_path = NULL, extra = '[]'")
    (broken,) = store.read()

    versions = store.apply((), [stored("a", row_version=broken.row_version)], {}, SOON).versions

    assert store.read() == [stored("a", row_version=versions["a"])]


@pytest.fixture
def without_foreign_keys(sqlite_url: str) -> Iterator[sqlite3.Connection]:
    """A program as SQLite has them by default."""
    with Database(sqlite_url) as database:
        database.upgrade(SOON)
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (0,)
    yield connection
    connection.close()


def test_orphans_are_ignored_and_inherited_by_nobody(sqlite_url: str, without_foreign_keys: sqlite3.Connection) -> None:
    without_foreign_keys.execute("INSERT INTO skill_tags (project_id, uid, value) VALUES ('atlas', 'a', 'orphan')")
    without_foreign_keys.execute("INSERT INTO skill_files (project_id, uid, path) VALUES ('atlas', 'a', 'orphan')")
    with Database(sqlite_url) as database:
        store = SkillStore(database, "atlas")
        assert store.read() == []

        versions = insert(store, stored("a"))

        assert store.read() == [stored("a", row_version=versions["a"])]


def test_a_program_without_foreign_keys_deletes_members_as_well(
    sqlite_url: str, without_foreign_keys: sqlite3.Connection
) -> None:
    with Database(sqlite_url) as database:
        insert(SkillStore(database, "atlas"), stored("a"))

    without_foreign_keys.execute("DELETE FROM skills")

    for table in ("skill_keywords", "skill_files"):
        assert without_foreign_keys.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_our_connections_check_foreign_keys(sqlite_url: str) -> None:
    with Database(sqlite_url) as database:
        database.upgrade(SOON)
        with (
            pytest.raises(DatabaseUnavailable, match="refused a statement"),
            database.changing("atlas", SOON) as (engine, _),
        ):
            engine.insert("skill_tags", ("project_id", "uid", "value"), [("atlas", "nobody", "a")])
