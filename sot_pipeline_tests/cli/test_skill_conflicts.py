"""Conflicts of skills as a person or a program meets them: shown, listed, decided, forced."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline.skills.files import MAX_FILE_BYTES
from sot_pipeline_tests.cli.command import Answer, Command
from sot_pipeline_tests.cli.test_skills import second_project, shop, synced, torn
from sot_pipeline_tests.cli.test_sync import sot
from sot_pipeline_tests.cli.workshop import FIRE, GLAZE, Workshop, make_workshop
from sot_pipeline_tests.security.hostile import OBEYED

__all__ = ["shop", "sot", "synced", "torn"]


def test_a_conflict_is_exit_7_and_both_sides_are_shown(torn: Workshop, sot: Command) -> None:
    before = torn.read()

    answer = sot("skills", "sync", "--execute")

    assert answer.code == 7
    assert "conflicts  2 in 1 skill" in answer.out
    assert "! glaze  description\n      base               Glazes a pot\n" in answer.out
    assert "      ours (files)       Glazes pots\n      theirs (database)  Glazes jars\n" in answer.out
    assert "        -Dip it once.\n        +Dip it twice.\n" in answer.out
    assert "        -Dip it once.\n        +Dip it slowly.\n" in answer.out
    assert "sot skills resolve PATH --take ours|theirs|FILE" in answer.err
    assert torn.read() == before


def test_conflicts_are_listed_with_their_three_values(torn: Workshop, sot: Command) -> None:
    document = sot("skills", "conflicts", "--json").json()
    shown = sot("skills", "conflicts")

    body, description = document["conflicts"]
    assert (body["path"], body["field"]) == ("glaze", "body")
    assert {"path": "glaze", "field": "description", "base": "Glazes a pot"}.items() <= description.items()
    assert (description["ours"], description["theirs"]) == ("Glazes pots", "Glazes jars")
    assert (description["project_id"], description["resolution"]) == ("shop", None)
    assert (shown.code, "! glaze  body" in shown.out) == (0, True)


def test_without_conflicts_the_list_is_empty(shop: Workshop, sot: Command) -> None:
    assert sot("skills", "conflicts").out == "No conflicts.\n"
    assert sot("skills", "conflicts", "--json").json() == {"conflicts": []}


@pytest.mark.parametrize(("take", "wanted"), [("ours", "Glazes pots"), ("theirs", "Glazes jars")])
def test_a_decision_is_applied_by_the_next_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command, database_url: str, take: str, wanted: str
) -> None:
    shop = make_workshop(tmp_path / "shop", database_url)
    monkeypatch.chdir(shop.folder)
    sot("skills", "sync", "--execute")
    shop.edit("glaze", "Glazes a pot", "Glazes pots")
    shop.sql("UPDATE skills SET description = 'Glazes jars' WHERE name = 'glaze'")
    sot("skills", "sync", "--execute")

    decided = sot("skills", "resolve", "glaze", "--take", take)
    waiting = sot("skills", "conflicts")
    synced = sot("skills", "sync", "--execute")

    assert (decided.code, synced.code) == (0, 0)
    assert f"glaze: {take} (" in decided.out
    assert f"decided: {take}" in waiting.out
    assert shop.sql("SELECT description FROM skills WHERE name = 'glaze'") == [(wanted,)]
    assert wanted in shop.document("glaze").read_text()
    assert sot("skills", "conflicts").out == "No conflicts.\n"
    assert sot("skills", "sync", "--execute", "--json").json()["unchanged"] == 2


def test_a_merged_file_can_be_taken(torn: Workshop, sot: Command) -> None:
    merged = torn.folder / "merged.md"
    merged.write_text(GLAZE.replace("Glazes a pot", "Glazes pots and jars").replace("once", "twice, slowly"))

    answer = sot("skills", "resolve", "glaze/SKILL.md", "--take", "merged.md", "--json")

    assert [each["resolution"] for each in answer.json()["conflicts"]] == ["file", "file"]
    assert sot("skills", "sync", "--execute").code == 0
    assert torn.document("glaze").read_text() == merged.read_text()
    assert torn.sql("SELECT description FROM skills WHERE name = 'glaze'") == [("Glazes pots and jars",)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"---\nname: [\n---\n", "merged.md:3: The front matter is no valid YAML"),
        (b"\xff\xfe", "merged.md:1: The file is not UTF-8."),
        (None, "merged.md is no file."),
    ],
)
def test_a_file_that_is_no_skill_is_refused_unstored(
    torn: Workshop, sot: Command, content: bytes | None, told: str
) -> None:
    if content is not None:
        (torn.folder / "merged.md").write_bytes(content)

    answer = sot("skills", "resolve", "glaze", "--take", "merged.md")

    assert answer.code == 1
    assert told in answer.err
    assert [each["resolution"] for each in sot("skills", "conflicts", "--json").json()["conflicts"]] == [None, None]


def test_a_file_too_large_or_not_to_be_named_is_refused(torn: Workshop, sot: Command) -> None:
    with (torn.folder / "large.md").open("wb") as large:
        large.truncate(MAX_FILE_BYTES + 1)

    assert "large.md is larger than 64 MiB." in sot("skills", "resolve", "glaze", "--take", "large.md").err
    assert "cannot be read" in sot("skills", "resolve", "glaze", "--take", "m" * 300).err


def test_a_file_deleted_here_and_edited_there_is_told_as_not_there(synced: Workshop, sot: Command) -> None:
    (synced.root / "kiln/fire/scripts/run.sh").unlink()
    synced.sql("UPDATE skill_files SET content = CAST('#!/bin/sh\nexec slow\n' AS BLOB)")

    answer = sot("skills", "sync")

    assert "! kiln/fire  scripts/run.sh\n      ours (files)\n        not there\n" in answer.out
    assert "        -exec fire\n        +exec slow\n" in answer.out


@pytest.mark.parametrize("content", [(b"a\n", b"b\n"), (b"\xff", b"\xfe")])
def test_a_file_decides_nothing_about_attachments(synced: Workshop, sot: Command, content: tuple[bytes, bytes]) -> None:
    ours, theirs = content
    synced.write({"kiln/fire/scripts/run.sh": ours})
    hexed = f"x'{theirs.hex()}'"
    synced.sql(f"UPDATE skill_files SET content = {hexed} WHERE path = 'scripts/run.sh'")
    assert sot("skills", "sync", "--execute").code == 7
    (synced.folder / "merged.md").write_text(FIRE)

    answer = sot("skills", "resolve", "kiln/fire", "--take", "merged.md")

    assert answer.code == 2
    assert "scripts/run.sh" in answer.err
    assert sot("skills", "resolve", "kiln/fire", "--take", "theirs").code == 0
    assert sot("skills", "sync", "--execute").code == 0
    assert (synced.root / "kiln/fire/scripts/run.sh").read_bytes() == theirs


def test_an_edit_that_no_file_can_hold_is_told_and_only_ours_can_be_taken(shop: Workshop, sot: Command) -> None:
    shop.edit("glaze", "description: Glazes a pot", "description: &it Glazes a pot\nlicense: *it")
    sot("skills", "sync", "--execute")
    shop.sql("UPDATE skills SET description = 'Glazes jars' WHERE name = 'glaze'")
    before = shop.read()

    shown = sot("skills", "sync", "--execute")
    refused = sot("skills", "resolve", "glaze", "--take", "theirs")

    assert (shown.code, refused.code) == (7, 2)
    assert "! glaze  description\n      'description' has an anchor or an alias" in shown.out
    assert "Change the row, or use --take ours." in refused.err
    assert sot("skills", "resolve", "glaze", "--take", "ours").code == 0
    assert sot("skills", "sync", "--execute").code == 0
    assert shop.sql("SELECT description FROM skills WHERE name = 'glaze'") == [("Glazes a pot",)]
    assert shop.read() == before


def test_a_new_row_that_no_file_can_hold_waits_until_it_is_changed(synced: Workshop, sot: Command) -> None:
    synced.sql("INSERT INTO skills (project_id, skill_path, name, body) VALUES ('shop', 'throw', NULL, '---')")
    before = synced.read()

    shown = sot("skills", "sync", "--execute")
    forced = sot("skills", "sync", "--execute", "--skill-path", "throw", "--force", "ours")
    refused = sot("skills", "resolve", "throw", "--take", "ours")
    synced.sql("UPDATE skills SET body = '# Throw' WHERE skill_path = 'throw'")

    assert (shown.code, forced.code, refused.code) == (7, 7, 2)
    assert synced.read() == before
    assert sot("skills", "sync", "--execute").code == 0
    assert synced.document("throw").read_text() == "# Throw"


def test_a_skill_deleted_here_and_edited_there_is_decided_as_a_whole(synced: Workshop, sot: Command) -> None:
    synced.document("glaze").unlink()
    synced.sql("UPDATE skills SET description = 'Glazes jars' WHERE name = 'glaze'")
    shown = sot("skills", "sync", "--execute")
    (synced.folder / "merged.md").write_text(GLAZE)

    assert shown.code == 7
    assert "! glaze  skill" in shown.out
    assert "not there" in shown.out
    assert sot("skills", "resolve", "glaze", "--take", "merged.md").code == 2
    assert sot("skills", "resolve", "glaze", "--take", "ours").code == 0
    assert sot("skills", "sync", "--execute", "--json").json()["database"]["deleted"] == ["glaze"]


def test_a_path_without_a_conflict_names_the_nearest(torn: Workshop, sot: Command) -> None:
    near = sot("skills", "resolve", "glace", "--take", "ours")
    far = sot("skills", "resolve", "kiln/fire", "--take", "ours")

    assert (near.code, far.code) == (1, 1)
    assert "Did you mean glaze?" in near.err
    assert "sot skills conflicts" in far.err


def test_a_path_with_conflicts_in_two_projects_has_to_be_told_apart(shop: Workshop, sot: Command) -> None:
    second_project(shop)
    sot("skills", "sync", "--execute")
    shop.sql("UPDATE skills SET description = 'Glazes jars' WHERE name = 'glaze'")
    shop.edit("glaze", "Glazes a pot", "Glazes pots")
    other = shop.folder / "other" / "glaze" / "SKILL.md"
    other.write_text(GLAZE.replace("Glazes a pot", "Glazes pots"))
    assert sot("skills", "sync", "--execute").code == 7

    answer = sot("skills", "resolve", "glaze", "--take", "ours")
    shown = sot("skills", "conflicts")

    assert answer.code == 2
    assert "other and shop" in answer.err
    assert "\nother\n" in shown.out
    assert sot("skills", "resolve", "glaze", "--take", "ours", "--project", "other").code == 0


def test_force_lets_one_side_win_and_keeps_what_it_overwrote(torn: Workshop, sot: Command) -> None:
    answer = sot("skills", "sync", "--execute", "--skill-path", "glaze", "--force", "theirs")

    assert answer.code == 0
    assert "Glazes jars" in torn.document("glaze").read_text()
    kept = torn.sql("SELECT field, ours, resolution FROM skill_conflicts ORDER BY field")
    assert kept[1] == ("description", "Glazes pots", "theirs")


@pytest.mark.parametrize(("count", "told"), [(100, "… and 90 lines more"), (2_500, "2,503 lines instead of 4")])
def test_a_long_difference_is_cut(synced: Workshop, sot: Command, count: int, told: str) -> None:
    synced.edit("glaze", "Dip it once.\n", "".join(f"Line {number}.\n" for number in range(count)))
    synced.sql("UPDATE skills SET body = '# Other' WHERE name = 'glaze'")

    answer = sot("skills", "sync")

    assert told in answer.out


def test_many_conflicts_and_long_values_are_cut(synced: Workshop, sot: Command) -> None:
    synced.edit("kiln/fire", "status: draft\n", "".join(f"key{number}: {'o' * 300}\n" for number in range(15)))
    extra = ", ".join(f'"key{number}": "theirs"' for number in range(15))
    synced.sql(f"UPDATE skills SET extra = '{{{extra}}}' WHERE name = 'fire'")

    answer = sot("skills", "sync")

    assert "… and 5 more conflicts" in answer.out
    assert max(map(len, answer.out.splitlines())) < 200


def test_text_of_a_conflict_cannot_command_a_terminal(synced: Workshop, sot: Command) -> None:
    evil = "Glaze\x1b[2J\x9b31m\u202e\rX"
    synced.sql(f"UPDATE skills SET description = '{evil}' WHERE name = 'glaze'")
    synced.edit("glaze", "Glazes a pot", "Glazes pots")

    answers: list[Answer] = [sot("skills", "sync", "--execute"), sot("skills", "conflicts")]

    for answer in answers:
        assert "\\u001b[2J" in answer.out
        assert [mark for mark in OBEYED if mark in answer.out and mark != "\n"] == []
    document = sot("skills", "conflicts", "--json").json()
    assert document["conflicts"][0]["theirs"] == evil
