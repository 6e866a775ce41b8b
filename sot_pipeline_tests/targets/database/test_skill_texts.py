"""What is searched of skills: kept with the rows in one transaction, and never taken for another version's."""

from __future__ import annotations

import pytest

from sot_pipeline.skills.model import Fields
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.skill_store import SkillStore
from sot_pipeline.targets.database.skill_texts import SkillTexts
from sot_pipeline_tests.targets.database.ledger import SOON, tamper
from sot_pipeline_tests.targets.database.skills import HOSTILE, insert, stored


@pytest.fixture
def texts(database_url: str) -> SkillTexts:
    database = Database(database_url)
    return SkillTexts(database, "shop")


def store(texts: SkillTexts) -> SkillStore:
    return SkillStore(texts.database, texts.project_id)


def found(texts: SkillTexts, query: str) -> list[str]:
    matches = texts.database.search(query, project_ids=("shop",), file_types=("skill",), limit=10, deadline=SOON)
    return [match.key.entry_id for match in matches]


def test_a_skill_is_indexed_in_the_transaction_that_writes_it(texts: SkillTexts) -> None:
    insert(store(texts), stored("kiln"), stored("wheel"))

    assert set(texts.listed()) == {"tools/kiln", "tools/wheel"}
    assert all(text.content_hash and text.size for text in texts.listed().values())
    assert found(texts, "what kiln does") == ["tools/kiln", "tools/wheel"]
    (record,) = texts.read(["tools/kiln"])
    assert (record.title, record.content) == ("kiln", "What kiln does\n\nb, a\n\n# Body")


def test_nothing_is_found_in_a_database_without_tables(texts: SkillTexts) -> None:
    assert (texts.listed(), texts.hashes(), texts.unagreed(), texts.documents(["x"])) == ({}, {}, frozenset(), {})
    texts.refresh(SOON)
    assert texts.database.revision() is None


def test_any_change_behind_our_back_makes_the_text_unknown_until_it_is_refreshed(
    texts: SkillTexts, database_url: str
) -> None:
    insert(store(texts), stored("kiln"), stored("wheel"))
    for statement in (
        "UPDATE skills SET body = 'Zirconia' WHERE uid = 'kiln'",
        "INSERT INTO skill_keywords (project_id, uid, value) VALUES ('shop', 'kiln', 'Zirconia')",
        "UPDATE skills SET skill_path = 'tools/oven' WHERE uid = 'kiln'",
        "DELETE FROM sot_fulltext WHERE entry_id = 'tools/wheel'",
        "UPDATE sot_fulltext SET body = 'x' WHERE entry_id = 'tools/wheel'",
    ):
        tamper(database_url, statement)
        assert not all(texts.hashes().values()), statement
        texts.refresh(SOON)
        assert all(texts.hashes().values()), statement

    assert found(texts, "zirconia") == ["tools/oven"]
    tamper(database_url, "DELETE FROM skills WHERE uid = 'kiln'")
    texts.refresh(SOON)
    assert found(texts, "zirconia") == []


def test_refreshing_what_is_indexed_writes_nothing(texts: SkillTexts, database_url: str) -> None:
    insert(store(texts), stored("kiln"))
    before = tamper(database_url, "SELECT * FROM sot_fulltext ORDER BY id")

    texts.refresh(SOON)

    assert tamper(database_url, "SELECT * FROM sot_fulltext ORDER BY id") == before


def test_both_databases_hash_the_same_text_alike(texts: SkillTexts) -> None:
    insert(store(texts), stored("kiln", fields=Fields({"name": HOSTILE}), body=HOSTILE))

    (text,) = texts.listed().values()

    assert text.content_hash == "60486ada32f21f3e"


def test_the_name_of_a_folder_stands_for_a_missing_name_and_the_root_has_none_to_lose(texts: SkillTexts) -> None:
    insert(store(texts), stored("a", "tools/kiln", fields=Fields(), body=""), stored("b", ".", fields=Fields()))

    assert {record.key.entry_id: record.title for record in texts.read(["tools/kiln", "."])} == {
        "tools/kiln": "kiln",
        ".": ".",
    }


def test_rows_of_odd_types_are_searched_as_far_as_they_are_texts(sqlite_url: str) -> None:
    texts = SkillTexts(Database(sqlite_url), "shop")
    insert(store(texts), stored("kiln"), stored("wheel"))
    tamper(
        sqlite_url,
        "UPDATE skills SET body = CAST(x'ff6b00696c6e' AS TEXT), description = x'7769646520ff', name = 7 "
        "WHERE uid = 'kiln'",
        "UPDATE skills SET skill_path = NULL WHERE uid = 'wheel'",
    )

    texts.refresh(SOON)

    assert found(texts, "wide") == ["tools/kiln"]
    assert set(texts.hashes()) == {"tools/kiln"}


def test_a_word_is_no_name_of_a_skill_and_a_path_is(texts: SkillTexts) -> None:
    body = "zirconia porcelain crucible"
    insert(store(texts), stored("testing", "testing", body="testing"), stored("kiln", "kiln", body=body))
    insert(store(texts), stored("other", "craft/kiln", fields=Fields(), body=""))

    assert found(texts, f"testing {body}")[0] == "kiln"
    assert found(texts, f"craft/kiln {body}")[0] == "craft/kiln"
