"""Which skills differ from what was agreed on, and which files there are to be looked at."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.runtime.tree import FileState, ProjectState
from sot_pipeline.skills.files import read_skills
from sot_pipeline.skills.listing import list_skills
from sot_pipeline.skills.model import File, Skill, hash_of_files
from sot_pipeline.steps.skill_changes import differences, has_news, look_at_skills
from sot_pipeline.targets.database.skill_model import Base, Version
from sot_pipeline_tests.skill_workspaces import FILES, Guild, make_guild

AGREED = {"u": Base("a", 3, "h")}
ROWS = {"u": Version("a", 3)}
NOW = 10**18


def test_a_skill_that_is_what_was_agreed_on_does_not_differ() -> None:
    assert differences({"a": "h"}, AGREED, ROWS) == {}


def test_edits_deletions_moves_and_new_skills_of_either_side_differ() -> None:
    assert set(differences({"a": "other"}, AGREED, ROWS)) == {"a"}
    assert set(differences({}, AGREED, ROWS)) == {"a"}
    assert set(differences({"b": "h"}, AGREED, ROWS)) == {"a", "b"}
    assert set(differences({"a": "h"}, AGREED, {"u": Version("a", 4)})) == {"a"}
    assert set(differences({"a": "h"}, AGREED, {"u": Version("b", 5)})) == {"a"}
    assert set(differences({"a": "h"}, AGREED, {})) == {"a"}
    assert set(differences({"a": "h"}, {}, {})) == {"a"}
    assert set(differences({}, {}, ROWS)) == {"a"}


def test_the_same_difference_after_another_agreement_is_another() -> None:
    first = differences({"a": "new"}, AGREED, ROWS)
    later = differences({"a": "new"}, {"u": Base("a", 5, "h")}, {"u": Version("a", 5)})

    assert first["a"] != later["a"]


def state(**texts: str) -> ProjectState:
    return ProjectState(1, {path: FileState(0, 0, text) for path, text in texts.items()})


def test_what_vanished_is_no_news_and_all_else_is() -> None:
    assert has_news(None, state())
    assert not has_news(state(a="1", b="2"), state(a="1"))
    assert has_news(state(a="1"), state(a="2"))
    assert has_news(state(a="1"), state(a="1", b="1"))


def test_the_listing_is_that_of_the_reader(tmp_path: Path) -> None:
    for path in ("SKILL.md", "a/SKILL.md", "a/x/y.txt", "a/x/deep/SKILL.md", "a/.hidden", ".git/SKILL.md", "b/no.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("---\nname: x\n---\n")
    (tmp_path / "a" / ".sot-1.tmp").write_text("ours")

    listed = {skill: set(names) for skill, names in list_skills(tmp_path).skills.items()}

    assert listed == {path: set(skill.files) for path, skill in read_skills(tmp_path).skills.items()}
    assert list_skills(tmp_path / "nowhere").skills == {}


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.builds(File, st.binary(max_size=8), st.booleans())))
def test_hashes_of_files_give_the_hash_of_the_folder(files: dict[str, File]) -> None:
    digests = {name: f"{sha256(file.content).hexdigest()} {file.executable:d}" for name, file in files.items()}

    assert hash_of_files(digests) == Skill("a", files).folder_hash


def test_a_look_reads_only_what_moved_and_a_link_is_not_followed(tmp_path: Path, sqlite_url: str) -> None:
    guild = make_guild(tmp_path / "guild", sqlite_url, files=FILES)
    guild.sync()
    first = look(guild)
    (guild.skills / "pack" / "link").symlink_to("/etc/passwd")

    second = look(guild, first[0])

    assert first[1].files == {}
    assert set(second[1].files) == {"pack"}
    assert "no regular file" in second[0].files["pack/link"].digest
    (guild.skills / "craft/fire/SKILL.md").chmod(0o755)
    assert set(look(guild, second[0])[1].files) == {"pack", "craft/fire"}


def look(guild: Guild, files: ProjectState | None = None) -> tuple[ProjectState, ProjectState]:
    with guild.database() as database:
        found = look_at_skills(guild.workspace().projects[0], database, (files, None), now_ns=NOW)
    return found.files, found.changes
