"""`sot sync`, `plan`, `verify` and `status` as a person or a program calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.workspaces import Kiln, make_kiln


@pytest.fixture
def sot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    for name in ("DATABASE_URL", "QDRANT_HOST", "OPENAI_API_KEY", "OPENAI_BASE_URL", "EMBEDDING_MODEL", "SOT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return Command(monkeypatch, capsys)


@pytest.fixture
def kiln(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kiln:
    """The workspace, with `sot.db` beside `sot.toml`, as current folder."""
    kiln = make_kiln(tmp_path / "kiln", f"sqlite:///{tmp_path / 'kiln' / 'sot.db'}")
    monkeypatch.chdir(kiln.folder)
    return kiln


def test_sync_without_a_mode_parses_and_writes_nothing(kiln: Kiln, sot: Command) -> None:
    answer = sot("sync")

    assert answer.code == 0
    assert "3 build_history" in answer.out
    assert not (kiln.folder / "sot.db").exists()
    assert not (kiln.folder / ".sot").exists()


def test_sync_document_has_the_keys_of_the_contract(kiln: Kiln, sot: Command) -> None:
    document = sot("sync", "--full", "--execute", "--json").json()

    assert list(document) == ["mode", "executed", "targets", "projects", "exit_code"]
    assert (document["mode"], document["executed"], document["exit_code"]) == ("full", True, 0)
    assert set(document["targets"]) == {"database", "qdrant", "embedding"}
    project = document["projects"][0]
    assert project["project_id"] == "kiln"
    assert project["parsed"] == {"build_history": 3, "architecture_decisions": 1}
    assert project["database"] == {"inserted": 4, "updated": 0, "deleted": 0, "unchanged": 0}
    assert project["vectors"] == {
        "inserted": 4,
        "updated": 0,
        "deleted": 0,
        "unchanged": 0,
        "embedded": 4,
        "cached": 0,
    }
    assert project["readme"] == {"changed": True}
    assert set(project["problems"][0]) == {"check", "severity", "path", "line", "message"}
    assert set(project["seconds"]) == {"parse", "database", "vectors", "readme"}


def test_targets_outside_the_mode_are_null(kiln: Kiln, sot: Command) -> None:
    project = sot("sync", "--db-only", "--execute", "--json").json()["projects"][0]

    assert project["database"]["inserted"] == 4
    assert project["vectors"] is None
    assert project["readme"] is None


@pytest.mark.parametrize("mode", ["--db-only", "--qdrant-only", "--full"])
def test_writing_mode_without_execute_is_exit_2_and_points_to_plan(kiln: Kiln, sot: Command, mode: str) -> None:
    answer = sot("sync", mode)

    assert answer.code == 2
    assert f"sot plan {mode}" in answer.err
    assert not (kiln.folder / "sot.db").exists()


def test_two_modes_exclude_each_other(kiln: Kiln, sot: Command) -> None:
    answer = sot("sync", "--db-only", "--full", "--execute")

    assert answer.code == 2
    assert "--db-only and --full" in answer.err


def test_plan_prints_the_same_document_unexecuted(kiln: Kiln, sot: Command) -> None:
    document = sot("plan", "--json").json()

    assert (document["mode"], document["executed"]) == ("full", False)
    assert document["projects"][0]["database"]["inserted"] == 4
    assert document["projects"][0]["vectors"]["embedded"] == 4
    assert not (kiln.folder / "sot.db").exists()


def test_plan_names_entries_with_file_and_line(kiln: Kiln, sot: Command) -> None:
    answer = sot("plan", "--db-only")

    assert answer.code == 0
    assert "+ BUILD-3  Ramp limits for the glaze firing  docs/BUILD_HISTORY.md:13" in answer.out


def test_unknown_project_is_exit_2_and_names_the_known(kiln: Kiln, sot: Command) -> None:
    answer = sot("sync", "--project", "oven")

    assert answer.code == 2
    assert "kiln" in answer.err


def test_unknown_flag_and_command_are_exit_2(kiln: Kiln, sot: Command) -> None:
    assert sot("sync", "--nonsense").code == 2
    assert sot("nonsense").code == 2


def test_missing_config_is_exit_2_and_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command
) -> None:
    monkeypatch.chdir(tmp_path)

    answer = sot("sync")

    assert answer.code == 2
    assert "sot init" in answer.err


def test_error_as_json_is_one_document(kiln: Kiln, sot: Command) -> None:
    kiln.config.write_text("[workspace]\ndatabase_ur = 'x'\n")

    answer = sot("sync", "--json")

    assert answer.code == 2
    assert "database_url" in answer.json()["remedy"]
    assert answer.json()["exit_code"] == 2


def test_unreachable_database_is_exit_2_without_its_password(kiln: Kiln, sot: Command) -> None:
    url = "postgresql://somebody:hunter2@127.0.0.1:9/nothing"

    answer = sot("sync", "--db-only", "--execute", "--database-url", url, "--json")

    assert answer.code == 2
    assert answer.json()["projects"] == []
    assert "hunter2" not in answer.out + answer.err


def test_full_without_qdrant_is_exit_4(kiln: Kiln, sot: Command) -> None:
    answer = sot("sync", "--full", "--execute", "--qdrant-host", "disabled")

    assert answer.code == 4
    assert not (kiln.folder / "sot.db").exists()


def test_passed_deadline_is_exit_3(kiln: Kiln, sot: Command) -> None:
    assert sot("sync", "--full", "--execute", "--max-seconds", "0.001").code in {3, 5}
    assert kiln.rows() == {}


def test_problem_of_severity_error_is_exit_1_and_named_with_its_file(kiln: Kiln, sot: Command) -> None:
    kiln.builds.write_bytes(b"# Builds\n\xff")

    answer = sot("sync")

    assert answer.code == 1
    assert "docs/BUILD_HISTORY.md" in answer.out
    assert "byte 9" in answer.out


def test_verify_agrees_after_a_sync_and_is_exit_6_after_an_edit(kiln: Kiln, sot: Command) -> None:
    sot("sync", "--full", "--execute")
    assert sot("verify").code == 0

    kiln.builds.write_text(kiln.builds.read_text().replace("median of five", "median of seven"))
    answer = sot("verify", "--json")

    assert answer.code == 6
    document = answer.json()
    assert document["agree"] is False
    targets = document["projects"][0]["targets"]
    assert targets["database"] == {"missing": [], "extra": [], "stale": ["kiln_build_history_BUILD-2"]}
    assert targets["vectors"]["stale"] == ["kiln_build_history_BUILD-2#0"]
    assert targets["readme"] == {"stale": False}


def test_verify_names_what_disagrees(kiln: Kiln, sot: Command) -> None:
    answer = sot("verify")

    assert answer.code == 6
    assert "4 missing: kiln_architecture_decisions_DEC-1" in answer.out
    assert "sot sync --full --execute" in answer.err


def test_status_tells_entries_lag_and_last_sync(kiln: Kiln, sot: Command) -> None:
    before = sot("status", "--json").json()["projects"][0]
    assert (before["lag"], before["last"]["database"]) == (4, None)

    sot("sync", "--full", "--execute")
    after = sot("status", "--json").json()["projects"][0]

    assert after["lag"] == 0
    assert after["last"]["database"]["status"] == "success"
    assert after["last"]["vectors"]["inserted"] == 4
    assert {source["file_type"]: source["entries"] for source in after["sources"]} == {
        "build_history": 3,
        "architecture_decisions": 1,
    }


def test_status_says_why_a_ledger_is_skipped(kiln: Kiln, sot: Command) -> None:
    sot("sync", "--db-only", "--execute")
    kiln.builds.unlink()

    answer = sot("status")

    assert answer.code == 0
    assert "skipped: The ledger is gone" in answer.out


def test_json_leaves_nothing_else_on_stdout(kiln: Kiln, sot: Command) -> None:
    for command in (("sync", "--json"), ("plan", "--json"), ("verify", "--json"), ("status", "--json")):
        assert sot(*command).json()
