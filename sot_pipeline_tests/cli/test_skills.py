"""`sot skills …`, and skills in `sot status` and `verify`, as a person or a program calls them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sot_pipeline.runtime.failpoints import VARIABLE, Failpoint
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.cli.test_sync import sot
from sot_pipeline_tests.cli.workshop import FIRE, GLAZE, RUN, Workshop, make_workshop
from sot_pipeline_tests.targets.vectors.altering import alter

__all__ = ["sot"]

NOTHING = {"created": [], "updated": [], "deleted": [], "renamed": []}
BOTH = ["glaze", "kiln/fire"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """The workspace, with `sot.db` beside `sot.toml`, as current folder; nothing is in the database yet."""
    folder = tmp_path / "shop"
    shop = make_workshop(folder, f"sqlite:///{folder / 'sot.db'}")
    monkeypatch.chdir(folder)
    return shop


@pytest.fixture
def synced(shop: Workshop, sot: Command) -> Workshop:
    assert sot("skills", "sync", "--execute").code == 0
    return shop


@pytest.fixture
def torn(synced: Workshop, sot: Command) -> Workshop:
    """`glaze` has two conflicts, which a sync has stored."""
    synced.edit("glaze", "Glazes a pot", "Glazes pots")
    synced.edit("glaze", "Dip it once.", "Dip it twice.")
    synced.sql(
        "UPDATE skills SET description = 'Glazes jars', body = replace(body, 'once', 'slowly') WHERE name = 'glaze'"
    )
    assert sot("skills", "sync", "--execute").code == 7
    return synced


def second_project(shop: Workshop) -> None:
    other = shop.folder / "other"
    other.mkdir()
    shop.config.write_text(
        shop.config.read_text() + '\n[[project]]\nid = "other"\nroot = "other"\n[project.skills]\npath = "."\n'
    )
    (other / "glaze").mkdir()
    (other / "glaze" / "SKILL.md").write_text(GLAZE)


# The three commands: documents and exit codes


def test_the_document_of_export_has_the_keys_of_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command, database_url: str
) -> None:
    shop = make_workshop(tmp_path / "shop", database_url)
    monkeypatch.chdir(shop.folder)

    planned = sot("skills", "export", "--json").json()
    done = sot("skills", "export", "--execute", "--json").json()
    again = sot("skills", "export", "--execute", "--json").json()

    contract = {"created": BOTH, "updated": [], "deleted": [], "renamed": [], "unchanged": 0}
    assert contract.items() <= planned.items()
    assert (planned["conflicts"], planned["quarantined"], planned["side"]) == ([], [], "database")
    assert (planned["executed"], done["executed"], done["project_id"]) == (False, True, "shop")
    assert {key: value for key, value in done.items() if key not in {"executed", "seconds"}} == {
        key: value for key, value in planned.items() if key not in {"executed", "seconds"}
    }
    assert (again["created"], again["unchanged"]) == ([], 2)
    assert shop.sql("SELECT skill_path FROM skills ORDER BY skill_path") == [("glaze",), ("kiln/fire",)]


def test_import_writes_what_a_program_has_written_to_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command, database_url: str
) -> None:
    shop = make_workshop(tmp_path / "shop", database_url)
    monkeypatch.chdir(shop.folder)
    sot("skills", "export", "--execute")
    shop.sql(
        "UPDATE skills SET description = 'Glazes jars' WHERE name = 'glaze'",
        "INSERT INTO skills (project_id, skill_path, name, description, body) "
        "VALUES ('shop', 'wedge', 'wedge', 'Wedges clay', '# Wedge')",
    )

    planned = sot("skills", "import", "--dry-run", "--json").json()
    done = sot("skills", "import", "--execute", "--json").json()

    for document in (planned, done):
        assert (document["created"], document["updated"], document["side"]) == (["wedge"], ["glaze"], "files")
    assert shop.document("glaze").read_text() == GLAZE.replace("a pot", "jars")
    assert shop.document("wedge").read_text().endswith("# Wedge")


def test_the_document_of_sync_has_lists_for_both_sides(synced: Workshop, sot: Command) -> None:
    synced.edit("glaze", "Dip it once.", "Dip it twice.")
    synced.sql("UPDATE skills SET skill_path = 'fire' WHERE name = 'fire'")

    document = sot("skills", "sync", "--execute", "--json").json()

    assert list(document) == [
        *("executed", "targets", "project_id", "files", "database", "unchanged", "conflicts", "quarantined", "side"),
        *("problems", "seconds", "exit_code"),
    ]
    assert document["files"] == {**NOTHING, "renamed": [["kiln/fire", "fire"]]}
    assert document["database"] == {**NOTHING, "updated": ["glaze"]}
    assert (document["side"], document["exit_code"]) == ("both", 0)
    assert synced.document("fire").read_text() == FIRE


def test_a_dry_run_writes_nothing_and_says_what_would_be_written(shop: Workshop, sot: Command) -> None:
    answer = sot("skills", "sync")

    assert answer.code == 0
    assert "database   2 would be created" in answer.out
    assert "+ kiln/fire" in answer.out
    assert answer.out.endswith("--execute would write 2 skills in the database and 0 in the files.\n")
    assert "sot skills sync --execute" in answer.err
    assert not (shop.folder / "sot.db").exists()


def test_with_nothing_to_do_a_dry_run_says_so(synced: Workshop, sot: Command) -> None:
    answer = sot("skills", "sync", "--dry-run")

    assert answer.out.endswith("--execute would write nothing.\n")
    assert "try:" not in answer.err


def test_every_kind_of_change_is_told_with_its_path(synced: Workshop, sot: Command) -> None:
    synced.edit("glaze", "Dip it once.", "Dip it twice.")
    synced.document("kiln/fire").parent.rename(synced.root / "fire")
    synced.write({"throw/SKILL.md": GLAZE.replace("glaze", "throw"), "old/SKILL.md": FIRE.replace("fire", "old")})
    sot("skills", "sync", "--execute", "--skill-path", "old")
    (synced.document("old")).unlink()

    answer = sot("skills", "sync", "--execute")

    assert "database   1 created, 1 updated, 1 deleted, 1 renamed" in answer.out
    for line in ("+ throw", "~ glaze", "- old", "→ kiln/fire → fire"):
        assert f"    {line}\n" in answer.out
    assert "files      nothing to write" in answer.out


def test_a_long_list_is_cut(shop: Workshop, sot: Command) -> None:
    shop.write({f"made/s{number:02}/SKILL.md": FIRE for number in range(60)})

    answer = sot("skills", "export")

    assert "… and 22 more changes" in answer.out
    assert "… and 55 more warnings" in answer.out


def test_status_and_path_choose_skills(shop: Workshop, sot: Command) -> None:
    assert sot("skills", "export", "--status", "draft", "--json").json()["created"] == ["kiln/fire"]
    assert sot("skills", "export", "--status", "active", "--json").json()["created"] == ["glaze"]
    assert sot("skills", "export", "--skill-path", "kiln", "--json").json()["created"] == ["kiln/fire"]
    for path in ("glaze/", "glaze/SKILL.md", "./glaze"):
        assert sot("skills", "export", "--skill-path", path, "--json").json()["created"] == ["glaze"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--force", "ours"), "--skill-path"),
        (("--execute", "--dry-run"), "exclude each other"),
        (("--status", "nonsense"), "nonsense"),
        (("--force", "both", "--skill-path", "glaze"), "both"),
    ],
)
def test_flags_that_make_no_sense_are_exit_2(shop: Workshop, sot: Command, flags: tuple[str, ...], told: str) -> None:
    answer = sot("skills", "sync", *flags)

    assert answer.code == 2
    assert told in answer.err
    assert not (shop.folder / "sot.db").exists()


def test_a_path_without_a_skill_names_the_nearest(shop: Workshop, sot: Command) -> None:
    answer = sot("skills", "export", "--skill-path", "kiln/fired", "--execute")

    assert answer.code == 1
    assert "Did you mean kiln/fire?" in answer.err
    document = sot("skills", "export", "--skill-path", "zzz", "--json").json()
    assert document["error"] == "No skill of project shop is at zzz, or none with this status."
    assert NOTHING.items() <= document.items()


def test_without_a_section_of_skills_the_remedy_is_named(shop: Workshop, sot: Command) -> None:
    shop.config.write_text(shop.config.read_text().partition("[project.skills]")[0])

    for command in (("sync",), ("conflicts",), ("resolve", "glaze", "--take", "ours")):
        answer = sot("skills", *command)
        assert answer.code == 4
        assert "[project.skills]" in answer.err


def test_a_database_that_is_not_there_is_exit_2_with_a_document(shop: Workshop, sot: Command) -> None:
    answer = sot("skills", "sync", "--json", "--database-url", f"sqlite:///{shop.folder}/absent/sot.db")

    assert answer.code == answer.json()["exit_code"] == 2
    assert answer.json()["projects"] == []
    assert "error" in answer.json()


def test_a_passed_deadline_is_exit_3(shop: Workshop, sot: Command) -> None:
    answer = sot("skills", "sync", "--execute", "--max-seconds", "0.001", "--json")

    assert answer.code == answer.json()["exit_code"] == 3


def test_a_lock_that_somebody_holds_is_exit_5(synced: Workshop, sot: Command) -> None:
    synced.sql("UPDATE sot_locks SET owner = 'somebody', expires_at = expires_at + 100000, host = 'elsewhere'")
    held = synced.sql("SELECT name, owner FROM sot_locks")
    assert held, "the table of leases has its rows"

    answer = sot("skills", "sync", "--execute", "--lock-wait", "0.1", "--json")

    assert answer.code == answer.json()["exit_code"] == 5


def test_many_deletions_are_refused_until_they_are_allowed(synced: Workshop, sot: Command) -> None:
    for path in BOTH:
        synced.document(path).unlink()

    refused = sot("skills", "sync", "--execute")
    planned = sot("skills", "sync")
    allowed = sot("skills", "sync", "--execute", "--allow-mass-delete", "--json")

    assert (refused.code, planned.code, allowed.code) == (1, 1, 0)
    assert "--allow-mass-delete" in refused.out
    assert "--execute would write nothing." in planned.out
    assert allowed.json()["database"]["deleted"] == BOTH


def test_what_cannot_be_read_is_left_alone_and_named(synced: Workshop, sot: Command) -> None:
    synced.document("glaze").write_text("---\nname: [\n---\n")
    synced.edit("kiln/fire", "# Fire", "# Fire slowly")

    answer = sot("skills", "sync", "--execute")
    document = sot("skills", "sync", "--json").json()

    assert answer.code == document["exit_code"] == 1
    assert "? glaze: line" in answer.out
    assert "~ kiln/fire" in answer.out
    assert "mend what was left alone" in answer.err
    assert [each["path"] for each in document["quarantined"]] == ["glaze"]


@pytest.mark.parametrize("path", ["../outside", "/tmp/outside", "a/../../outside", "C:/outside", "a\\outside"])
def test_a_row_whose_path_leads_out_is_left_alone(synced: Workshop, sot: Command, path: str) -> None:
    before = sorted(synced.folder.parent.rglob("*"))
    synced.sql(f"INSERT INTO skills (skill_path, name, body) VALUES ('{path}', 'evil', '# Evil')")

    answer = sot("skills", "import", "--execute", "--json")

    assert answer.code == 1
    assert [each["path"] for each in answer.json()["quarantined"]] == [path]
    assert sorted(synced.folder.parent.rglob("*")) == before


def test_a_yaml_bomb_costs_nothing_and_is_left_alone(synced: Workshop, sot: Command) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 6)]
    bomb = "---\n" + "\n".join(lines) + "\n---\n"
    synced.document("glaze").write_text(bomb)
    started = time.process_time()

    answer = sot("skills", "sync", "--execute", "--json")

    assert answer.code == 1
    assert [each["path"] for each in answer.json()["quarantined"]] == ["glaze"]
    assert time.process_time() - started < 2
    assert synced.document("glaze").read_text() == bomb


@pytest.mark.parametrize("point", [Failpoint.SKILLS_COMMITTED, Failpoint.SKILL_MOVED, Failpoint.SKILL_FILE_WRITTEN])
def test_a_killed_sync_is_finished_by_the_next(synced: Workshop, sot: Command, point: Failpoint) -> None:
    synced.edit("glaze", "Dip it once.", "Dip it twice.")
    synced.sql(
        "UPDATE skills SET description = 'Glazes jars' WHERE name = 'glaze'",
        "UPDATE skills SET skill_path = 'fire' WHERE name = 'fire'",
    )

    died = subprocess.run(
        [Path(sys.executable).with_name("sot"), "skills", "sync", "--execute"],
        cwd=synced.folder,
        env={**os.environ, VARIABLE: point},
        capture_output=True,
        check=False,
    )
    finished = sot("skills", "sync", "--execute")

    assert died.returncode == -signal.SIGKILL
    assert finished.code == 0, finished.out
    assert synced.read() == {
        "glaze/SKILL.md": GLAZE.replace("a pot", "jars").replace("once", "twice").encode(),
        "fire/SKILL.md": FIRE.encode(),
        "fire/scripts/run.sh": RUN,
    }
    assert sot("verify").code == 0
    assert sot("skills", "sync", "--json").json()["unchanged"] == 2


def test_points_follow_the_rows_and_are_verified_where_qdrant_is_configured(
    synced: Workshop, sot: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_HOST", str(synced.folder / ".sot/qdrant"))
    before = sot("verify")
    made = sot("skills", "sync", "--execute", "--json")
    agreed = sot("verify")
    alter(synced.folder, CollectionId("shop", Kind.SKILLS), "shop_skill_glaze#0", "text")
    altered = sot("verify", "--json")
    mended = sot("skills", "sync", "--execute")

    assert (before.code, made.code, agreed.code, altered.code) == (6, 0, 0, 6)
    assert "points of skills: 2 missing" in before.out
    assert made.json()["points"]["inserted"] == 2
    assert altered.json()["projects"][0]["targets"]["skill_points"]["stale"] == ["shop_skill_glaze#0"]
    assert "1 updated, 1 unchanged" in mended.out
    assert sot("verify").code == 0


def test_several_projects_have_a_document_each(shop: Workshop, sot: Command) -> None:
    second_project(shop)

    document = sot("skills", "export", "--execute", "--json").json()
    one = sot("skills", "export", "--project", "other", "--json").json()

    assert list(document) == ["executed", "targets", "projects", "exit_code"]
    assert {each["project_id"]: each["created"] for each in document["projects"]} == {"shop": BOTH, "other": ["glaze"]}
    assert (one["project_id"], one["unchanged"]) == ("other", 1)


def test_warnings_about_the_convention_never_block(shop: Workshop, sot: Command) -> None:
    shop.edit("glaze", "name: glaze", "name: Glaze It")

    answer = sot("skills", "sync", "--execute")
    document = sot("skills", "export", "--json", "--skill-path", "glaze").json()

    assert answer.code == 0
    assert "warning glaze/SKILL.md:2 [skill_conventions]" in answer.out
    assert document["problems"] == []  # only of what is written


# status and verify


def test_status_counts_both_sides_and_what_waits(torn: Workshop, sot: Command) -> None:
    torn.write({"wedge/SKILL.md": GLAZE, "broken/SKILL.md": "---\nname: [\n---\n"})

    project = sot("status", "--json").json()["projects"][0]
    shown = sot("status").out

    assert project["skills"] == {"files": 4, "rows": 2, "lag": 1, "conflicts": 1, "quarantined": 1, "warnings": 1}
    assert project["last"]["skills"]["status"] == "success"
    assert "2 rows, 1 warning" in shown
    assert "1 skill to sync, 1 in conflict, 1 left alone" in shown


def test_status_of_skills_that_agree_is_up_to_date(synced: Workshop, sot: Command) -> None:
    answer = sot("status")

    line = next(line for line in answer.out.splitlines() if line.startswith("  skills "))
    assert "2 folders  up to date" in line
    assert "sot skills sync" not in answer.err


def test_verify_names_where_the_sides_disagree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command, database_url: str
) -> None:
    shop = make_workshop(tmp_path / "shop", database_url)
    monkeypatch.chdir(shop.folder)
    sot("skills", "sync", "--execute")
    agreed = sot("verify", "--json")
    shop.write({"wedge/SKILL.md": GLAZE.replace("glaze", "wedge")})
    shop.sql("UPDATE skills SET description = 'Fires' WHERE name = 'fire'")
    shop.sql("INSERT INTO skills (project_id, skill_path, name, body) VALUES ('shop', 'throw', 'throw', '')")

    answer = sot("verify", "--json")
    shown = sot("verify")

    assert (agreed.code, answer.code) == (0, 6)
    assert agreed.json()["projects"][0]["targets"]["skills"] == {"missing": [], "extra": [], "stale": []}
    assert answer.json()["projects"][0]["targets"]["skills"] == {
        "missing": ["wedge"],
        "extra": ["throw"],
        "stale": ["kiln/fire"],
    }
    assert "skills: 1 agreed on" in shown.out
    assert "sot skills sync" in shown.err
    assert "sot sync" not in shown.err


def test_verify_cannot_say_whether_a_broken_skill_agrees(synced: Workshop, sot: Command) -> None:
    synced.document("glaze").write_text("---\nname: [\n---\n")

    answer = sot("verify", "--json")

    assert answer.code == 1
    project = answer.json()["projects"][0]
    assert project["targets"]["skills"] == {"missing": [], "extra": [], "stale": []}
    assert project["problems"][0]["path"] == "glaze"
