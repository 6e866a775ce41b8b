"""Skills as a source, in this process: what is a change, what is left of one, and where it is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline.errors import RequirementMissing
from sot_pipeline.runtime.tree import ProjectState
from sot_pipeline.watch.skills import SkillSource
from sot_pipeline.watch.source import Change, Result
from sot_pipeline.watch.sources import open_sources
from sot_pipeline_tests.skill_workspaces import Guild, make_guild
from sot_pipeline_tests.targets.database.ledger import SOON, tamper


class Looking:
    """A source of one project and what it applied last, as a watcher remembers it."""

    def __init__(self, guild: Guild) -> None:
        self.guild = guild
        workspace = guild.workspace()
        self.source, self.project = SkillSource(workspace), workspace.projects[0]
        self.applied: ProjectState | None = None

    def changed(self) -> list[str] | None:
        """The skills that differ; None where nothing is to be applied."""
        state = self.source.look(self.project, self.applied, ())
        return None if self.applied and self.applied.hash == state.hash else sorted(state.files)

    def apply(self) -> Result:
        state = self.source.look(self.project, self.applied, ())
        result = self.source.apply({"guild": Change(self.applied, state)}, SOON)["guild"]
        self.applied = result.after
        return result


@pytest.fixture
def looking(tmp_path: Path, sqlite_url: str) -> Looking:
    found = Looking(make_guild(tmp_path / "guild", sqlite_url))
    found.apply()
    return found


def test_what_was_applied_is_no_change_and_what_comes_after_is(looking: Looking) -> None:
    guild = looking.guild
    assert looking.changed() is None
    guild.edit("pack/SKILL.md", "Straw", "Wool")
    assert looking.changed() == ["pack"]
    looking.apply()
    assert looking.changed() is None

    tamper(guild.workspace().database_url, "UPDATE skills SET description = 'x' WHERE skill_path = 'pack'")
    result = looking.apply()
    assert result.targets["skill_files"] == {"inserted": 0, "updated": 1, "deleted": 0, "unchanged": 2}
    assert looking.changed() is None
    guild.edit("pack/SKILL.md", "description: x", "description: Packs pots for shipping")
    assert looking.changed() == ["pack"], "the file as it was before the row changed is a change as well"


def test_a_conflict_stays_and_is_news_only_when_it_changes(looking: Looking) -> None:
    guild = looking.guild
    guild.edit("pack/SKILL.md", "Packs pots", "Ours")
    tamper(guild.workspace().database_url, "UPDATE skills SET description = 'Theirs' WHERE skill_path = 'pack'")

    result = looking.apply()

    assert [problem.check for problem in result.problems] == ["skill_conflicts"]
    assert looking.changed() is None
    guild.edit("pack/SKILL.md", "Ours", "Theirs")
    assert looking.changed() == ["pack"]


def test_an_edit_while_another_is_applied_is_not_taken_for_applied(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    guild, real = looking.guild, looking.source.look
    guild.edit("pack/SKILL.md", "Straw", "Wool")
    state = real(looking.project, looking.applied, ())

    def edited_meanwhile(*arguments: object) -> ProjectState:
        if "Wool" in (guild.skills / "pack/SKILL.md").read_text():
            guild.edit("pack/SKILL.md", "Wool", "Felt")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(looking.source, "look", edited_meanwhile)
    looking.applied = looking.source.apply({"guild": Change(looking.applied, state)}, SOON)["guild"].after

    assert looking.changed() == ["pack"]


def test_folders_on_the_way_and_names_of_our_own(looking: Looking) -> None:
    source, project, skills = looking.source, looking.project, looking.guild.skills
    scope = source.scope(project)

    assert {str(skills), str(skills / "craft" / "glaze" / "scripts")} <= scope.folders.keys()
    assert str(skills / "craft" / "new") in scope.paths
    assert str(skills / "craft" / ".sot-1.tmp") not in scope.paths
    assert str(looking.guild.folder / "README.md") not in scope.paths
    skills.rename(skills.with_name("elsewhere"))
    missing = source.scope(project)
    assert (list(missing.folders), str(skills) in missing.paths) == ([str(looking.guild.folder)], True)


def test_points_follow_and_go_with_rows_that_were_deleted(tmp_path: Path, sqlite_url: str) -> None:
    looking = Looking(make_guild(tmp_path / "guild", sqlite_url, vectors=True))
    assert looking.apply().unfinished
    first = finished(looking)
    (looking.guild.skills / "pack/SKILL.md").unlink()
    looking.apply()

    assert first.targets["skill_points"]["inserted"] == 3  # type: ignore[index, call-overload]
    assert finished(looking).targets["skill_points"]["deleted"] == 1  # type: ignore[index, call-overload]


def finished(looking: Looking) -> Result:
    result = looking.source.finish("guild", SOON)
    while result.unfinished:
        result = looking.source.finish("guild", SOON)
    return result


def test_a_database_that_cannot_be_used_is_a_change_whose_application_says_why(looking: Looking) -> None:
    database = Path(looking.guild.environment["DATABASE_URL"].removeprefix("sqlite:///"))
    database.write_bytes(b"no database" * 100)

    assert looking.changed() == [""]
    assert looking.apply().error is not None


def test_skills_that_nobody_has_cannot_be_watched(looking: Looking) -> None:
    guild = looking.guild
    guild.config.write_text(guild.config.read_text().replace("[project.skills]\n", ""))
    workspace = guild.workspace()

    with pytest.raises(RequirementMissing, match="No project has skills to watch") as found:
        open_sources(workspace, workspace.projects, "skills")
    assert "[project.skills]" in str(found.value)
