"""`sot code …`, and code in `sot search`, `status` and `verify`, as a person or a program calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline.code.model import FILE_METRICS, PROJECT_METRICS
from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.cli.test_sync import sot
from sot_pipeline_tests.code_workspaces import KILN, Studio, make_studio

__all__ = ["sot"]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The workspace, with `sot.db` beside `sot.toml`, as current folder; nothing is indexed yet."""
    studio = make_studio(tmp_path / "studio", f"sqlite:///{tmp_path / 'studio' / 'sot.db'}")
    monkeypatch.chdir(studio.folder)
    return studio


@pytest.fixture
def indexed(studio: Studio) -> Studio:
    assert studio.index(full=True).error is None
    return studio


# index


def test_without_execute_a_person_sees_what_would_be_written(studio: Studio, sot: Command) -> None:
    answer = sot("code", "index")

    assert answer.code == 0
    assert "files     3 would be inserted" in answer.out
    assert "+ src/kiln.py" in answer.out
    assert "sot code index --execute" in answer.err
    assert not (studio.folder / "sot.db").exists()


def test_the_document_of_index_names_both_tables_and_the_graph(studio: Studio, sot: Command) -> None:
    answer = sot("code", "index", "--execute", "--json")

    document = answer.json()
    assert list(document) == ["executed", "targets", "projects", "exit_code"]
    project = document["projects"][0]
    counts = {"inserted": 3, "updated": 0, "deleted": 0, "unchanged": 0}
    assert (project["code_files"], project["codebase_metadata"]) == (counts, counts)
    assert project["code_graph"] == {"inserted": 0, "updated": 3, "deleted": 0, "unchanged": 0}
    assert set(project["seconds"]) == {"look", "write", "relate"}
    second = sot("code", "index", "--execute", "--json").json()["projects"][0]
    unchanged = {"inserted": 0, "updated": 0, "deleted": 0, "unchanged": 3}
    assert second["code_files"] == second["codebase_metadata"] == second["code_graph"] == unchanged


def test_a_passed_deadline_ends_with_its_exit_code(studio: Studio, sot: Command) -> None:
    answer = sot("code", "index", "--execute", "--max-seconds", "0.001", "--json")

    assert answer.code == answer.json()["exit_code"] == 3


def test_a_coverage_file_that_is_not_there_is_named(studio: Studio, sot: Command) -> None:
    answer = sot("code", "index", "--execute", "--coverage", "absent.info")

    assert answer.code == 2
    assert "absent.info" in answer.err


@pytest.mark.parametrize(
    "command", [("code", "index"), ("code", "show", "a.py"), ("code", "top"), ("search", "x", "--type", "code")]
)
def test_without_a_code_section_the_remedy_is_named(studio: Studio, sot: Command, command: tuple[str, ...]) -> None:
    studio.config.write_text(studio.config.read_text().partition("[project.code]")[0])

    answer = sot(*command)

    assert answer.code == 4
    assert "No project has a code index" in answer.err
    assert "[project.code]" in answer.err


def test_a_long_plan_is_cut_and_errors_are_explained(studio: Studio, sot: Command) -> None:
    studio.write({f"src/part{number:02}.py": "x = 1\n" for number in range(60)})

    planned = sot("code", "index")
    stopped = sot("code", "index", "--execute", "--max-seconds", "0.001")

    assert "… and 23 more files" in planned.out or "… and 23 files more" in planned.out
    assert stopped.code == 3
    assert "deadline" in stopped.err


# show and top


def test_show_names_every_column_and_why_one_is_null(indexed: Studio, sot: Command) -> None:
    document = sot("code", "show", "src/kiln.py", "--json").json()

    assert {*FILE_METRICS, *PROJECT_METRICS} < set(document)
    assert (document["project_id"], document["path"], document["fresh"]) == ("studio", "src/kiln.py", True)
    assert document["cyclomatic_complexity"] == 2
    assert document["test_coverage"] is None
    assert document["metric_status"]["test_coverage"]["reason"]


def test_show_tells_a_person_the_reason(indexed: Studio, sot: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(indexed.folder / "src")
    (indexed.folder / "src/kiln.py").write_text("x = 1\n")

    answer = sot("code", "show", "kiln.py")

    assert "src/kiln.py  stale" in answer.out
    assert "cyclomatic_complexity    2" in answer.out
    assert "test_coverage            - " in answer.out


def test_show_of_an_unknown_file_names_the_nearest(indexed: Studio, sot: Command) -> None:
    answer = sot("code", "show", "src/kilm.py")

    assert answer.code == 1
    assert "Did you mean src/kiln.py" in answer.err


def test_a_scanner_looks_only_at_what_it_has_not_seen(indexed: Studio, sot: Command) -> None:
    first = sot("code", "index", "--execute", "--security", "--json").json()["projects"][0]
    indexed.write({"src/kiln.py": "import pickle\npickle.loads(b'')\n"})
    second = sot("code", "index", "--execute", "--security", "--json").json()["projects"][0]

    assert (first["security"]["updated"], second["security"]["updated"]) == (3, 1)
    assert sot("verify").code == 0
    kiln = sot("code", "show", "src/kiln.py", "--json").json()
    glaze = sot("code", "show", "src/glaze.py", "--json").json()
    assert (glaze["security_score"], glaze["vulnerability_count"]) == (100, 0)
    assert kiln["security_score"] < 100
    assert kiln["metric_status"]["security_score"]["tool"] == "bandit"


def test_a_path_of_two_projects_has_to_be_told_apart(indexed: Studio, sot: Command) -> None:
    other = '[[project]]\nid = "second"\n[project.code]\ninclude = ["src/**"]\n'
    indexed.config.write_text(indexed.config.read_text() + other)
    sot("code", "index", "--execute")

    answer = sot("code", "show", "src/kiln.py")

    assert answer.code == 2
    assert "studio and second" in answer.err
    assert sot("code", "show", "src/kiln.py", "--project", "second", "--json").json()["project_id"] == "second"
    assert "second:src/kiln.py" in sot("code", "top", "--by", "code_lines").out


def test_top_shows_the_worst_files_first(indexed: Studio, sot: Command) -> None:
    document = sot("code", "top", "--by", "cyclomatic_complexity", "--limit", "2", "--json").json()
    lowest = sot("code", "top", "--by", "maintainability_index", "--limit", "1", "--json").json()
    answer = sot("code", "top", "--by", "code_lines")

    assert [file["path"] for file in document["files"]] == ["src/kiln.py", "src/glaze.py"]
    assert document["by"] == "cyclomatic_complexity"
    assert lowest["files"][0]["path"] == "src/kiln.py"
    assert answer.out.splitlines()[1].endswith("src/kiln.py")


def test_top_by_an_unknown_metric_names_the_nearest(indexed: Studio, sot: Command) -> None:
    answer = sot("code", "top", "--by", "cyclomatic")

    assert answer.code == 2
    assert "cyclomatic_complexity" in answer.err


def test_top_without_values_says_what_to_do(studio: Studio, sot: Command) -> None:
    answer = sot("code", "top")

    assert answer.code == 0
    assert "No file of which hotspot_score is known." in answer.out
    assert "sot code index --execute" in answer.err


# search


def test_search_finds_symbols_with_file_and_line(indexed: Studio, sot: Command) -> None:
    answer = sot("search", "fire", "--type", "code", "--json")

    document = answer.json()
    assert list(document) == ["fresh", "behind", "results"]
    first = document["results"][0]
    assert list(first) == [
        *("project_id", "file_type", "entry_id", "title", "path", "line", "score", "snippet", "fresh"),
    ]
    assert (first["file_type"], first["entry_id"], first["path"], first["line"]) == (
        "code",
        "Kiln.fire",
        "src/kiln.py",
        7,
    )
    assert first["snippet"] == "def fire(self, cone: int) -> str:"
    assert document["fresh"] is True
    assert answer.err == ""


def test_search_says_where_a_symbol_stands_now_and_that_the_index_lags(indexed: Studio, sot: Command) -> None:
    indexed.write({"src/kiln.py": f"# moved\n\n{KILN}", "src/new.py": "def unknown(): ...\n"})
    (indexed.folder / "src/glaze.py").unlink()

    document = sot("search", "fire glaze", "--type", "code", "--json").json()

    found = {hit["entry_id"]: (hit["line"], hit["fresh"]) for hit in document["results"]}
    assert found["Kiln.fire"] == (9, True)
    assert found["glaze"] == (None, False)
    assert document["fresh"] is False
    assert document["behind"] == ["src/glaze.py", "src/kiln.py", "src/new.py"]
    answer = sot("search", "fire", "--type", "code")
    assert "sot code index --execute" in answer.err


def test_search_with_refresh_indexes_first(indexed: Studio, sot: Command) -> None:
    indexed.write({"src/new.py": "def unknown(): ...\n"})

    document = sot("search", "unknown", "--type", "code", "--refresh", "--json").json()

    assert [hit["path"] for hit in document["results"]] == ["src/new.py"]
    assert document["fresh"] is True


def test_code_and_ledgers_are_searched_together(indexed: Studio, sot: Command) -> None:
    indexed.write({"docs/BUILD_HISTORY.md": "# Builds\n\n## BUILDS\n\n### BUILD-1 | 2026-01-01 | Fire\n\nFire.\n"})
    sot("sync", "--db-only", "--execute")

    document = sot("search", "fire", "--type", "code", "--type", "build_history", "--json").json()

    assert {hit["file_type"] for hit in document["results"]} == {"code", "build_history"}


def test_code_that_is_not_embedded_has_no_meaning_to_search_by(indexed: Studio, sot: Command) -> None:
    answer = sot("search", "fire", "--type", "code", "--mode", "semantic")
    hybrid = sot("search", "fire", "--type", "code", "--mode", "hybrid")

    assert answer.code == 4
    assert "embed = true" in answer.err
    assert (hybrid.code, hybrid.err) == (0, "")
    assert hybrid.out == sot("search", "fire", "--type", "code", "--mode", "keyword").out


# status and verify


def test_status_counts_files_rows_and_lag(indexed: Studio, sot: Command) -> None:
    indexed.write({"src/broken.py": "def (:\n", "src/new.py": "x = 1\n"})

    before = sot("status", "--json").json()["projects"][0]
    shown = sot("status")
    indexed.index()
    after = sot("status", "--json").json()["projects"][0]

    assert (before["code"]["files"], before["code"]["rows"], before["code"]["lag"]) == (5, 3, 2)
    assert "2 rows behind" in shown.out
    assert (after["code"]["lag"], after["code"]["partial"]) == (0, 1)
    assert after["last"]["code"]["status"] == "success"


def test_verify_compares_code_rows_with_files(indexed: Studio, sot: Command) -> None:
    assert sot("verify").code == 0
    indexed.write({"src/kiln.py": "x = 1\n"})

    answer = sot("verify", "--json")
    shown = sot("verify")

    assert answer.code == 6
    targets = answer.json()["projects"][0]["targets"]
    assert (
        targets["code_files"]
        == targets["codebase_metadata"]
        == {
            "missing": [],
            "extra": [],
            "stale": ["src/kiln.py"],
        }
    )
    assert "sot code index --execute" in shown.err
    assert "sot sync" not in shown.err
