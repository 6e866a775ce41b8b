"""`sot watch` on skills: edits of either side reach the other, and what it writes itself is no change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sot_pipeline_tests.skill_workspaces import FILES, Guild, make_guild, skill_text
from sot_pipeline_tests.targets.database.ledger import tamper
from sot_pipeline_tests.watch.watching import Watching, wait_until, watching

FAST = ("--sources", "skills", "--reconcile-seconds", "0.3")


@pytest.fixture
def guild(tmp_path: Path, database_url: str) -> Guild:
    return make_guild(tmp_path / "guild", database_url)


def paths(guild: Guild) -> list[str]:
    rows = tamper(guild.workspace().database_url, "SELECT skill_path FROM skills ORDER BY skill_path")
    return [str(path) for (path,) in rows]


def description(guild: Guild, path: str) -> object:
    sql = f"SELECT description FROM skills WHERE skill_path = '{path}'"
    return [found for (found,) in tamper(guild.workspace().database_url, sql)]


def syncs(guild: Guild) -> object:
    """How often skills were synced."""
    return tamper(guild.workspace().database_url, "SELECT count(*) FROM sync_activity WHERE sync_type = 'skills'")


def update(guild: Guild, path: str, text: str) -> None:
    tamper(guild.workspace().database_url, f"UPDATE skills SET description = '{text}' WHERE skill_path = '{path}'")


def test_edits_of_either_side_reach_the_other_and_what_it_writes_is_no_change(guild: Guild) -> None:
    with watching(guild, *FAST) as watcher:
        assert paths(guild) == ["craft/fire", "craft/glaze", "pack"]

        guild.edit("pack/SKILL.md", "Packs pots", "Wraps pots")
        line = watcher.next()
        assert (line["source"], line["paths"]) == ("skills", ["pack"])
        assert line["targets"]["skills"] == {"inserted": 0, "updated": 1, "deleted": 0, "unchanged": 2}
        assert description(guild, "pack") == ["Wraps pots for shipping"]

        update(guild, "craft/fire", "Burns wood")
        line = watcher.next()
        assert line["paths"] == ["craft/fire"]
        assert line["targets"]["skill_files"]["updated"] == 1
        assert "description: Burns wood" in (guild.skills / "craft/fire/SKILL.md").read_text()

        before = syncs(guild)
        assert watcher.quiet(1.2), "its own writes are no change"
        assert syncs(guild) == before

        guild.edit("craft/fire/SKILL.md", "Burns wood", "Fires a kiln")
        assert watcher.next()["paths"] == ["craft/fire"]
        assert description(guild, "craft/fire") == ["Fires a kiln"]
        assert watcher.end()[0] == 0


def test_folders_files_and_modes_that_come_go_and_move_are_followed(guild: Guild) -> None:
    with watching(guild, "--sources", "skills") as watcher:
        guild.write({"deep/er/throw/SKILL.md": skill_text("throw", "Throws clay"), "deep/er/throw/a.txt": "1"})
        wait_until(lambda: "deep/er/throw" in paths(guild))
        (guild.skills / "deep").rename(guild.skills / "low")
        wait_until(lambda: paths(guild) == ["craft/fire", "craft/glaze", "low/er/throw", "pack"])
        (guild.skills / "low/er/throw/a.txt").write_text("2")
        (guild.skills / "craft/glaze/scripts/weigh.py").chmod(0o755)
        url = guild.workspace().database_url
        sql = "SELECT path FROM skill_files WHERE mode = 493 OR size = 1 AND sha256 LIKE 'd4735e%' ORDER BY path"
        wait_until(lambda: tamper(url, sql) == [("a.txt",), ("scripts/weigh.py",)])
        shutil.rmtree(guild.skills / "low")
        wait_until(lambda: paths(guild) == ["craft/fire", "craft/glaze", "pack"])
        assert watcher.end()[0] == 0


def test_a_conflict_is_told_once_and_keeps_nothing_else_waiting(guild: Guild) -> None:
    guild.sync()
    guild.edit("pack/SKILL.md", "Packs pots", "Ours")
    update(guild, "pack", "Theirs")
    guild.write({"Bad/SKILL.md": "---\nname: [\n"})
    with watching(guild, *FAST, caught_up=False) as watcher:
        assert problems(watcher.next()) == {"skill_conflicts", "skills_readable"}
        assert watcher.quiet(1.0)

        guild.edit("craft/fire/SKILL.md", "Fires a kiln", "Burns")
        assert watcher.next()["paths"] == ["craft/fire"]
        assert description(guild, "craft/fire") == ["Burns"]

        update(guild, "pack", "Ours for shipping")
        assert "skill_conflicts" not in problems(watcher.next())
        assert watcher.end()[0] == 0


def problems(line: dict[str, object]) -> set[str]:
    found = line["problems"]
    assert isinstance(found, list)
    return {problem["check"] for problem in found if problem["severity"] == "error"}


def test_losing_most_skills_is_refused_until_they_are_back(guild: Guild) -> None:
    with watching(guild, *FAST) as watcher:
        guild.skills.rename(guild.folder / "elsewhere")
        assert problems(watcher.next_where(lambda line: bool(line["problems"]))) == {"skill_loss"}
        assert len(paths(guild)) == 3
        (guild.folder / "elsewhere").rename(guild.skills)
        guild.edit("pack/SKILL.md", "Packs pots", "Wraps pots")
        wait_until(lambda: description(guild, "pack") == ["Wraps pots for shipping"])
        assert watcher.end()[0] == 0


def test_points_come_after_the_rows_and_with_tables_not_at_all(tmp_path: Path, sqlite_url: str) -> None:
    guild = make_guild(tmp_path / "guild", sqlite_url, vectors=True, files=dict(FILES))
    with watching(guild, "--sources", "skills", "--tables", "skills", caught_up=False) as watcher:
        assert set(watcher.next()["targets"]) == {"skills", "skill_files"}
    with watching(guild, "--sources", "skills", caught_up=False) as watcher:
        assert points(watcher)["inserted"] == 3
        guild.edit("pack/SKILL.md", "Packs pots", "Wraps pots")
        assert points(watcher)["updated"] == 1
        shutil.rmtree(guild.skills / "pack")
        assert points(watcher)["deleted"] == 1
        assert watcher.end()[0] == 0


def points(watcher: Watching) -> dict[str, int]:
    found: dict[str, int] = watcher.next_where(lambda line: bool(line["targets"].get("skill_points")))["targets"][
        "skill_points"
    ]
    return found


def test_while_the_database_is_away_it_goes_on_and_catches_up(tmp_path: Path, sqlite_url: str) -> None:
    guild = make_guild(tmp_path / "guild", sqlite_url)
    with watching(guild, *FAST) as watcher:
        database = tmp_path / "sot.db"
        kept = database.read_bytes()
        database.write_bytes(b"no database" * 100)
        guild.edit("pack/SKILL.md", "Packs pots", "Wraps pots")
        assert watcher.next_where(lambda line: bool(line.get("error")))["exit_code"] == 2
        database.write_bytes(kept)
        wait_until(lambda: description(guild, "pack") == ["Wraps pots for shipping"])
        assert watcher.end()[0] == 0
