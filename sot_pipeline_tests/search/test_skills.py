"""Skills in a search: found by words and by meaning, among ledgers or alone, and never silently out of date."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sot_pipeline.errors import ConfigError, UsageError
from sot_pipeline.outcome import Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.search.answer import SearchMode, answer_document
from sot_pipeline.search.catch_up import sync_lagging
from sot_pipeline.search.search import open_search
from sot_pipeline.sync import sync_projects
from sot_pipeline_tests.search.workspaces import behind, ids
from sot_pipeline_tests.skill_workspaces import Guild, make_guild, skill_text
from sot_pipeline_tests.targets.database.ledger import tamper

FIRE = "skills/craft/fire/SKILL.md"


@pytest.fixture
def guild(tmp_path: Path, database_url: str) -> Guild:
    """Skills and a ledger, all synced, on each kind of database."""
    found = make_guild(tmp_path / "guild", database_url, ledger=True)
    found.sync()
    sync_ledgers(found)
    return found


@pytest.fixture
def vectors(tmp_path: Path, sqlite_url: str) -> Guild:
    found = make_guild(tmp_path / "guild", sqlite_url, vectors=True, ledger=True)
    found.sync()
    found.embed()
    sync_ledgers(found, Mode.FULL)
    return found


def sync_ledgers(guild: Guild, mode: Mode = Mode.DB_ONLY) -> None:
    workspace = guild.workspace()
    report = sync_projects(workspace, mode, projects=workspace.projects, execute=True, deadline=Deadline(60))
    assert report.error is None


def test_a_skill_is_found_by_its_name_description_keywords_body_and_path(guild: Guild) -> None:
    for query in ("glaze", "celadon", "oxide", "feldspar", "craft glaze"):
        assert ids(guild.search(query))[0] == "craft/glaze", query


def test_the_document_has_the_keys_of_the_contract(guild: Guild) -> None:
    (hit,) = answer_document(guild.search("feldspar"))["results"]  # type: ignore[misc]

    assert hit == {
        "project_id": "guild",
        "file_type": "skill",
        "entry_id": "craft/glaze",
        "title": "glaze",
        "path": "skills/craft/glaze/SKILL.md",
        "line": 1,
        "score": 1.0,
        "snippet": hit["snippet"],  # type: ignore[index]
        "fresh": True,
    }
    assert "feldspar" in hit["snippet"]  # type: ignore[index]


def test_a_chunk_further_down_is_shown_with_its_line(guild: Guild) -> None:
    paragraphs = "".join(f"## Part {number}\n\n{'Slow ramps. ' * 140}\n\n" for number in range(5))
    text = skill_text("fire", "Fires a kiln", f"{paragraphs}## Cones\n\nWatch the witness cones bend.")
    guild.write({"craft/fire/SKILL.md": text})
    guild.sync()

    (hit,) = guild.search("witness").results

    assert text.split("\n")[(hit.line or 0) - 1] == "## Cones"
    assert hit.fresh


def test_without_a_type_skills_are_ranked_among_the_ledgers(guild: Guild) -> None:
    everything = guild.search("kiln glaze firing ramp", file_types=())

    types = [hit.key.file_type for hit in everything.results]
    assert {"skill", "build_history"} == set(types)
    assert sum(hit.score == 1.0 for hit in everything.results) == 1, "one ranking, not two"
    assert everything.fresh
    assert {hit.key.file_type for hit in guild.search("firing ramp", file_types=("build_history",)).results} == {
        "build_history"
    }
    assert ids(guild.search("kiln", file_types=("build_history", "skill"))) == ["craft/fire"]


def test_a_sync_of_ledgers_leaves_the_full_text_of_skills_alone(guild: Guild) -> None:
    before = guild.indexed()
    (guild.folder / "docs" / "BUILD_HISTORY.md").write_text("# Build History\n\n## BUILDS\n")
    sync_ledgers(guild)

    assert guild.indexed() == before
    assert all(before.values())
    assert ids(guild.search("celadon")) == ["craft/glaze"]


def test_skills_that_nobody_configures_any_more_leave_the_full_text(guild: Guild) -> None:
    guild.config.write_text(guild.config.read_text().replace("[project.skills]\n", ""))
    sync_ledgers(guild)

    assert tamper(guild.workspace().database_url, "SELECT count(*) FROM sot_fulltext WHERE file_type = 'skill'") == [
        (0,)
    ]
    with pytest.raises(UsageError, match="Nothing searched has the type 'skill'"):
        guild.search("glaze")


def test_a_ledger_that_is_called_as_skills_are_is_refused_beside_them(guild: Guild) -> None:
    with guild.config.open("a") as config:
        config.write('\n[[project.ledger]]\nfile_type = "skill"\nprefix = "S"\npath = "S.md"\n')

    with pytest.raises(ConfigError, match="a ledger 'skill'"):
        guild.workspace()


def test_an_edited_file_behind_a_hit_is_told_until_it_is_synced(guild: Guild) -> None:
    guild.edit("craft/fire/SKILL.md", "witness", "pyrometric")
    stale = guild.search("cones")
    other = guild.search("feldspar")
    guild.sync()
    fresh = guild.search("cones")

    assert (stale.fresh, [hit.fresh for hit in stale.results], behind(stale)) == (False, [False], [FIRE])
    assert other.fresh
    assert (fresh.fresh, behind(fresh)) == (True, [])


def test_an_update_by_another_program_is_never_silently_stale(guild: Guild) -> None:
    url = guild.workspace().database_url
    tamper(url, "UPDATE skills SET description = 'Burns wood' WHERE skill_path = 'craft/fire'")
    edited = guild.search("cones")
    guild.sync()
    synced = guild.search("wood")
    tamper(
        url,
        "INSERT INTO skill_keywords (project_id, uid, value) SELECT project_id, uid, 'ember' FROM skills "
        "WHERE skill_path = 'craft/fire'",
    )
    member = guild.search("cones")

    assert (edited.fresh, behind(edited)) == (False, [FIRE])
    assert (ids(synced), synced.fresh) == (["craft/fire"], True)
    assert "Burns wood" in (guild.folder / FIRE).read_text()
    assert not member.fresh


def test_a_deleted_skill_is_stale_and_a_deleted_row_as_well(guild: Guild) -> None:
    shutil.rmtree(guild.skills / "craft" / "fire")
    gone = guild.search("cones")
    tamper(guild.workspace().database_url, "DELETE FROM skills WHERE skill_path = 'pack'")
    row = guild.search("straw")

    assert [(hit.line, hit.fresh) for hit in gone.results] == [(None, False)]
    assert behind(gone) == [FIRE]
    assert [(hit.key.entry_id, hit.fresh) for hit in row.results] == [("pack", False)]
    assert "skills/pack/SKILL.md" in behind(row)


def test_an_empty_answer_is_about_all_skills(guild: Guild) -> None:
    assert guild.search("zeppelin").fresh
    guild.write({"throw/SKILL.md": skill_text("throw", "Throws a zeppelin of clay")})

    missing = guild.search("zeppelin")

    assert (missing.results, behind(missing)) == ((), ["skills/throw/SKILL.md"])


def test_a_conflict_keeps_what_is_searched_from_being_called_fresh(guild: Guild) -> None:
    guild.edit("craft/fire/SKILL.md", "Fires a kiln", "Fires two kilns")
    tamper(
        guild.workspace().database_url,
        "UPDATE skills SET description = 'Fires wood ovens' WHERE skill_path = 'craft/fire'",
    )
    assert guild.sync().conflicts

    answer = guild.search("ovens")

    assert ids(answer) == ["craft/fire"], "the full text is that of the row"
    assert (answer.fresh, behind(answer)) == (False, [FIRE])


def test_a_lost_row_of_full_text_is_told_and_healed_by_the_next_sync(guild: Guild) -> None:
    tamper(guild.workspace().database_url, "DELETE FROM sot_fulltext WHERE entry_id = 'pack'")
    lost = guild.search("kiln")
    guild.sync()

    assert "skills/pack/SKILL.md" in behind(lost)
    assert ids(guild.search("straw")) == ["pack"]


def refresh(guild: Guild, mode: SearchMode) -> None:
    workspace = guild.workspace()
    with open_search(workspace, workspace.projects, mode=mode, file_types=("skill",), deadline=Deadline(60)) as found:
        assert sync_lagging(workspace, found) == ()


def test_refresh_brings_rows_up_to_date_and_writes_no_file(guild: Guild) -> None:
    guild.edit("craft/fire/SKILL.md", "witness", "pyrometric")
    tamper(guild.workspace().database_url, "UPDATE skills SET description = 'Wraps pots' WHERE skill_path = 'pack'")
    refresh(guild, SearchMode.KEYWORD)

    assert guild.search("pyrometric").results[0].fresh
    assert "Wraps pots" not in (guild.skills / "pack/SKILL.md").read_text()
    assert not guild.search("wraps").fresh


def test_by_meaning_skills_and_ledgers_are_one_ranking(vectors: Guild) -> None:
    for mode in (SearchMode.SEMANTIC, SearchMode.HYBRID):
        mixed = vectors.search("wrapping ceramics for the post", mode, file_types=())
        alone = vectors.search("wrapping ceramics for the post", mode)

        assert {"skill", "build_history"} <= {hit.key.file_type for hit in mixed.results}
        assert ids(alone)[0] == "pack"
        assert mixed.fresh
        assert alone.fresh


def test_points_that_lag_are_told_and_refreshed(vectors: Guild) -> None:
    vectors.edit("craft/fire/SKILL.md", "witness", "pyrometric")
    vectors.sync()
    lagging = vectors.search("cones", SearchMode.HYBRID)
    by_words = vectors.search("cones")
    refresh(vectors, SearchMode.HYBRID)

    assert (lagging.fresh, behind(lagging)) == (False, [FIRE])
    assert by_words.fresh, "no point was asked"
    assert vectors.search("cones", SearchMode.HYBRID).fresh


def test_many_queries_are_answered_in_their_order(guild: Guild) -> None:
    workspace = guild.workspace()
    with open_search(
        workspace, workspace.projects, mode=SearchMode.KEYWORD, file_types=("skill",), deadline=Deadline(60)
    ) as searching:
        answers = list(searching.answers(["straw", "celadon", "zeppelin"]))

    assert [ids(answer) for answer in answers] == [["pack"], ["craft/glaze"], []]
