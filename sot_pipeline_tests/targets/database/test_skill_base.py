"""What a sync keeps: the bytes last agreed on, tombstones, and conflicts until they are decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sot_pipeline.skills.model import DOCUMENT, File, Skill
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.skill_model import Base, Conflict
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline_tests.targets.database.ledger import SOON, tamper
from sot_pipeline_tests.targets.database.skills import document, insert, names, stored

NOW = datetime(2026, 1, 2, 3, 4, 5)
TITLE = Conflict("a", "tools/a", "name", "base", "ours", None, b"---\nname: base\n", b"\xff\0", None)
BODY = replace(TITLE, field="body", theirs="theirs")
FOUND = TITLE, BODY


@pytest.fixture
def store(database_url: str) -> SkillStore:
    with Database(database_url, now=lambda: NOW) as database:
        database.upgrade(SOON)
        yield SkillStore(database, "atlas")


def test_what_was_agreed_on_is_kept_byte_for_byte(store: SkillStore) -> None:
    first, second = document(stored("a")), Skill(".", {DOCUMENT: File(b"\xff\0"), "é.sh": File(b"", executable=True)})

    store.set_base({"a": (first, 3), "b": (second, 4)}, SOON)

    assert store.base() == {"a": Base("tools/a", 3, first.folder_hash), "b": Base(".", 4, second.folder_hash)}
    assert store.base_files() == {"a": first, "b": second}
    assert store.base_files(["b", "absent"]) == {"b": second}
    assert SkillStore(store.database, "borealis").base_files() == {}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    states=st.lists(
        st.dictionaries(names, st.builds(File, st.binary(max_size=3), st.booleans()), max_size=3), max_size=3
    )
)
def test_the_last_state_agreed_on_is_the_one_that_is_kept(store: SkillStore, states: list[dict[str, File]]) -> None:
    for version, files in enumerate(states):
        skill = Skill("p", files)
        store.set_base({"a": (skill, version)}, SOON)

        assert store.base_files() == {"a": skill}
        assert store.base() == {"a": Base("p", version, skill.folder_hash)}


def test_a_base_that_was_lost_is_no_base(store: SkillStore, database_url: str) -> None:
    skill = document(stored("a"))
    store.set_base({"a": (skill, 1)}, SOON)

    tamper(database_url, "DELETE FROM skill_base")

    assert (store.base(), store.base_files()) == ({}, {})
    store.set_base({"a": (skill, 1)}, SOON)
    assert store.base_files() == {"a": skill}


def test_a_folder_hash_is_that_of_names_bytes_and_executable_bits() -> None:
    skill = document(stored("a"))
    others = [
        replace(skill, files={**skill.files, "new": File(b"")}),
        replace(skill, files={**skill.files, DOCUMENT: File(b"other")}),
        replace(skill, files={**skill.files, DOCUMENT: File(skill.document, executable=True)}),
        replace(skill, files={name.upper(): file for name, file in skill.files.items()}),
    ]

    assert len({skill.folder_hash, *(other.folder_hash for other in others)}) == 5
    assert replace(skill, path="elsewhere", files=dict(reversed(skill.files.items()))).folder_hash == skill.folder_hash


def test_agreeing_notes_the_hash_on_rows_of_that_version_and_changes_none(store: SkillStore, database_url: str) -> None:
    versions = insert(store, stored("a"), stored("b"))
    skills = {skill.uid: document(skill) for skill in store.read()}
    tamper(database_url, "UPDATE skills SET name = 'theirs' WHERE uid = 'b'")
    before = store.versions()

    store.set_base({uid: (skill, versions[uid]) for uid, skill in skills.items()}, SOON)

    assert store.versions() == before
    assert tamper(database_url, "SELECT uid, content_hash FROM skills ORDER BY uid") == [
        ("a", skills["a"].folder_hash),
        ("b", None),
    ]


def test_a_skill_that_is_gone_leaves_a_tombstone_until_it_is_agreed_on_again(store: SkillStore) -> None:
    skill = document(stored("a"))
    store.set_base({"a": (skill, 1), "b": (replace(skill, path="b"), 1)}, SOON)

    store.drop_base(["a", "never there"], "files", SOON)
    store.drop_base([], "files", SOON)

    assert store.tombstones() == {"a": ("tools/a", NOW, "files")}
    assert store.base_files().keys() == {"b"}
    store.set_base({"a": (skill, 2)}, SOON)
    store.set_base({}, SOON)
    assert store.tombstones() == {}
    assert store.base_files()["a"] == skill


def test_conflicts_are_kept_with_all_their_versions(store: SkillStore) -> None:
    assert store.record_conflicts(FOUND, SOON) == 2

    found = store.conflicts()

    assert [each.conflict for each in found] == [BODY, TITLE]
    assert {(each.found_at, each.resolved_at, each.resolution, each.chosen) for each in found} == {
        (NOW, None, None, None)
    }
    assert SkillStore(store.database, "borealis").conflicts() == []


def test_the_same_conflict_again_writes_nothing_and_keeps_its_decision(store: SkillStore) -> None:
    store.record_conflicts(FOUND, SOON)
    store.resolve_conflict("tools/a", "ours", SOON)
    before = store.conflicts()

    assert store.record_conflicts(FOUND, SOON) == 0
    assert store.record_conflicts((), SOON) == 0
    assert store.conflicts() == before
    assert {each.resolution for each in before} == {"ours"}


def test_a_decision_about_other_versions_does_not_hold(store: SkillStore) -> None:
    store.record_conflicts(FOUND, SOON)
    store.resolve_conflict("tools/a", "file", SOON, chosen=b"chosen")

    assert store.record_conflicts((replace(TITLE, ours_bytes=b"newer"), BODY), SOON) == 1

    decided = {each.conflict.field: (each.resolution, each.chosen) for each in store.conflicts()}
    assert decided == {"name": (None, None), "body": ("file", b"chosen")}


def test_conflicts_that_are_no_longer_found_end_and_those_of_other_skills_stay(store: SkillStore) -> None:
    other = replace(TITLE, uid="b", path="tools/b")
    unknown, another = replace(TITLE, uid="", path="x"), replace(TITLE, uid="", path="y")
    store.record_conflicts((*FOUND, other, unknown, another), SOON)

    assert store.record_conflicts((BODY, replace(unknown, field="body")), SOON) == 3

    still = {(each.conflict.path, each.conflict.field) for each in store.conflicts()}
    assert still == {("tools/a", "body"), ("tools/b", "name"), ("x", "body"), ("y", "name")}
    ended = [each for each in store.conflicts(open_only=False) if each.resolved_at]
    assert {(each.conflict, each.resolution) for each in ended} == {(TITLE, "agreed"), (unknown, "agreed")}


def test_a_decision_can_be_about_one_field(store: SkillStore) -> None:
    store.record_conflicts(FOUND, SOON)

    assert store.resolve_conflict("tools/a", "theirs", SOON, field="body") == 1
    assert store.resolve_conflict("elsewhere", "ours", SOON) == 0

    assert {each.conflict.field: each.resolution for each in store.conflicts()} == {"body": "theirs", "name": None}


def test_closed_conflicts_stay_as_a_backup_and_may_be_found_again(store: SkillStore) -> None:
    unknown = replace(TITLE, uid="", path="x")
    store.record_conflicts((*FOUND, unknown), SOON)
    store.resolve_conflict("tools/a", "ours", SOON, field="name")

    store.close_conflicts(["a"], SOON, resolution="forced theirs")
    store.close_conflicts([], SOON)

    assert [each.conflict for each in store.conflicts()] == [unknown]
    store.close_conflicts([], SOON, paths=["x", "tools/a"])
    assert store.conflicts() == []
    assert store.record_conflicts(FOUND, SOON) == 2
    kept = [each for each in store.conflicts(open_only=False) if each.resolved_at]
    assert {(each.conflict, each.resolved_at, each.resolution) for each in kept} == {
        (BODY, NOW, "forced theirs"),
        (TITLE, NOW, "ours"),
        (unknown, NOW, "agreed"),
    }


def test_texts_of_conflicts_that_no_database_holds_are_shown_escaped(store: SkillStore) -> None:
    store.record_conflicts((replace(TITLE, ours="a\0b", theirs="\ud800"),), SOON)

    assert store.record_conflicts((replace(TITLE, ours="a\0b", theirs="\ud800"),), SOON) == 0
    ((ours, theirs),) = [(each.conflict.ours, each.conflict.theirs) for each in store.conflicts()]
    assert (ours, theirs) == ("a\\0b", "\\ud800")
