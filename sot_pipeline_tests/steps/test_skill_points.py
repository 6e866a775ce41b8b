"""Points of skills: they follow the rows, and nobody else's rows or points are touched by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline.errors import RequirementMissing
from sot_pipeline.index_points import rows_of
from sot_pipeline.plan import Counts, RecordKey
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.targets.vectors.points import record_of_point
from sot_pipeline.verify_points import verify_points
from sot_pipeline_tests.skill_workspaces import SKILLS, Guild, make_guild, opened
from sot_pipeline_tests.targets.database.ledger import tamper


@pytest.fixture
def guild(tmp_path: Path, database_url: str) -> Guild:
    found = make_guild(tmp_path / "guild", database_url, vectors=True)
    found.sync()
    return found


def counts(guild: Guild, **options: bool) -> Counts:
    report = guild.embed(**options)
    assert report.error is None
    return report.projects["guild"].counts


def paths(guild: Guild) -> set[str]:
    return {record_of_point(key, SKILLS).entry_id for key in guild.points()}


def test_every_skill_has_points_under_its_path_and_a_second_run_writes_none(guild: Guild) -> None:
    first, second = counts(guild), counts(guild)

    assert (first, second) == (Counts(inserted=3), Counts(unchanged=3))
    assert {record_of_point(key, SKILLS) for key in guild.points()} == {
        RecordKey("guild", "skill", path) for path in ("craft/glaze", "craft/fire", "pack")
    }


def test_edits_moves_and_deletions_of_either_side_reach_the_points(guild: Guild) -> None:
    counts(guild)
    guild.edit("pack/SKILL.md", "Straw", "Wool")
    (guild.skills / "craft" / "fire").rename(guild.skills / "burn")
    tamper(guild.workspace().database_url, "DELETE FROM skills WHERE skill_path = 'craft/glaze'")
    guild.sync()

    assert counts(guild, allow_mass_delete=True) == Counts(inserted=1, updated=1, deleted=2)
    assert paths(guild) == {"burn", "pack"}


def test_what_is_no_text_of_a_skill_moves_no_point(guild: Guild) -> None:
    counts(guild)
    guild.write({"craft/glaze/scripts/weigh.py": "print(2)\n"})
    assert guild.sync().database.updated == ("craft/glaze",)  # type: ignore[union-attr]

    assert counts(guild) == Counts(unchanged=3)


def test_an_edit_in_the_database_waits_for_the_sync_and_then_reaches_the_points(guild: Guild) -> None:
    counts(guild)
    tamper(guild.workspace().database_url, "UPDATE skills SET description = 'Wraps pots' WHERE skill_path = 'pack'")
    waiting = counts(guild)
    guild.sync(Direction.IMPORT)

    assert waiting == Counts(unchanged=3), "nobody knows yet what the row says"
    assert counts(guild) == Counts(updated=1, unchanged=2)


def test_a_lost_or_altered_point_is_found_and_the_next_run_heals_it(guild: Guild) -> None:
    counts(guild)
    workspace = guild.workspace()
    with opened(workspace) as session:
        before = verify_skills(guild)
        assert session.database
    tamper(workspace.database_url, "UPDATE skills SET body = 'other' WHERE skill_path = 'pack'")
    guild.sync()

    assert before == ((), (), ())
    assert verify_skills(guild) == ((), (), ("guild_skill_pack#0",))
    assert counts(guild).updated == 1
    assert verify_skills(guild) == ((), (), ())


def verify_skills(guild: Guild) -> tuple[tuple[str, ...], ...]:
    from sot_pipeline.outcome import Mode

    workspace = guild.workspace()
    with opened(workspace, Mode.FULL, execute=False) as session:
        found = verify_points(session, rows_of(session, workspace.projects[0], Kind.SKILLS))
    return found.missing, found.extra, found.stale


def test_many_deletions_at_once_are_refused_until_they_are_meant(guild: Guild) -> None:
    guild.write({f"many/s{number}/SKILL.md": f"---\nname: s{number}\n---\nx\n" for number in range(10)})
    guild.sync()
    counts(guild)
    for number in range(10):
        (guild.skills / f"many/s{number}/SKILL.md").unlink()
    guild.sync(allow_mass_delete=True)

    refused = guild.embed()

    assert [problem.check for problem in refused.projects["guild"].problems] == ["mass_delete"]
    assert counts(guild, allow_mass_delete=True).deleted == 10


def test_a_plan_writes_nothing_and_a_rebuild_asks_for_no_vector_again(guild: Guild) -> None:
    assert counts(guild, execute=False) == Counts(inserted=3)
    assert guild.points() == {}
    counts(guild)

    rebuilt = guild.embed(rebuild=True).projects["guild"]

    assert (rebuilt.embedded, rebuilt.cached) == (0, 3)
    assert len(guild.points()) == 3


def test_a_project_without_skills_has_no_points_of_them(tmp_path: Path, sqlite_url: str) -> None:
    guild = make_guild(tmp_path / "guild", sqlite_url, vectors=True)
    guild.config.write_text(guild.config.read_text().replace("[project.skills]\n", ""))

    assert guild.embed().projects == {}
    with opened(guild.workspace()) as session, pytest.raises(RequirementMissing, match="no skills"):
        rows_of(session, guild.workspace().projects[0], Kind.SKILLS)


def test_without_qdrant_the_requirement_is_named(tmp_path: Path, sqlite_url: str) -> None:
    guild = make_guild(tmp_path / "guild", sqlite_url)
    guild.sync()

    error = guild.embed().error

    assert error and "Qdrant is not configured, but embedding skills needs it" in str(error)
