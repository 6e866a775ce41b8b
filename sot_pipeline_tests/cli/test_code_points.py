"""Points of code as a person or a program sees them: `sot code index`, `verify`, `status`, `search`."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from sot_pipeline.runtime.failpoints import VARIABLE
from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.cli.test_sync import sot
from sot_pipeline_tests.code_workspaces import CODE, EMBEDDED, Studio, make_studio
from sot_pipeline_tests.faults.processes import SOT
from sot_pipeline_tests.targets.vectors.altering import alter

__all__ = ["sot"]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The workspace, with `sot.db` and `.sot/qdrant` beside `sot.toml`, as current folder; nothing is indexed yet."""
    studio = make_studio(tmp_path / "studio", f"sqlite:///{tmp_path / 'studio' / 'sot.db'}", code=EMBEDDED)
    studio.config.write_text(
        studio.config.read_text().replace("[workspace]\n", '[workspace]\nqdrant = ".sot/qdrant"\n')
    )
    monkeypatch.chdir(studio.folder)
    return studio


COUNTS = {"inserted": 0, "updated": 0, "deleted": 0, "unchanged": 0, "embedded": 0, "cached": 0}


def test_index_embeds_after_the_rows_and_says_so(studio: Studio, sot: Command) -> None:
    first = sot("code", "index", "--execute", "--json").json()
    second = sot("code", "index", "--execute")

    assert first["projects"][0]["points"] == COUNTS | {"inserted": 3, "embedded": 3}
    assert set(first["targets"]) == {"database", "qdrant", "embedding"}
    assert "points    3 unchanged; 0 embedded, 0 from the cache" in second.out


def test_where_nothing_is_embedded_points_are_null(studio: Studio, sot: Command) -> None:
    studio.config.write_text(studio.config.read_text().replace("embed = true", "embed = false"))

    document = sot("code", "index", "--execute", "--json").json()

    assert document["projects"][0]["points"] is None
    assert set(document["targets"]) == {"database"}
    assert sot("status", "--json").json()["projects"][0]["code"]["points"] is None


def test_without_qdrant_rows_are_written_and_the_requirement_is_named(studio: Studio, sot: Command) -> None:
    answer = sot("code", "index", "--execute", "--qdrant-host", "disabled", "--json")

    document = answer.json()
    assert (answer.code, document["exit_code"]) == (4, 4)
    assert document["projects"][0]["code_files"]["inserted"] == 3
    assert document["projects"][0]["points"] is None
    assert "QDRANT_HOST" in document["remedy"]


def test_a_refused_deletion_of_points_is_a_problem_of_the_project(studio: Studio, sot: Command) -> None:
    studio.write({f"src/f{number}.py": f"x = {number}\n" for number in range(10)})
    sot("code", "index", "--execute")
    for number in range(10):
        (studio.folder / f"src/f{number}.py").unlink()
    studio.index(allow_mass_delete=True)

    refused = sot("code", "index", "--execute", "--json")
    allowed = sot("code", "index", "--execute", "--allow-mass-delete", "--json")

    assert refused.code == 1
    assert [problem["check"] for problem in refused.json()["projects"][0]["problems"]] == ["mass_delete"]
    assert allowed.code == 0
    assert allowed.json()["projects"][0]["points"]["deleted"] == 10


def test_a_point_that_was_altered_is_found_by_verify_and_healed_by_index(studio: Studio, sot: Command) -> None:
    sot("code", "index", "--execute")
    agrees = sot("verify", "--json")
    alter(studio.folder, CODE, "studio_code_src/kiln.py#0", "text")

    found = sot("verify", "--json")
    shown = sot("verify")
    sot("code", "index", "--execute")

    assert (agrees.code, found.code) == (0, 6)
    assert agrees.json()["projects"][0]["targets"]["code_points"] == {"missing": [], "extra": [], "stale": []}
    assert found.json()["projects"][0]["targets"]["code_points"]["stale"] == ["studio_code_src/kiln.py#0"]
    assert "points of code: 1 stale: studio_code_src/kiln.py#0" in shown.out
    assert "sot code index --execute" in shown.err
    assert sot("verify").code == 0


def test_status_tells_points_and_of_how_many_files_they_lag(studio: Studio, sot: Command) -> None:
    sot("code", "index", "--execute")
    upto = sot("status", "--json").json()["projects"][0]
    studio.write({"src/glaze.py": "x = 2\n", "src/new.py": "y = 1\n"})
    (studio.folder / "src/empty.py").unlink()
    studio.index()

    behind = sot("status", "--json").json()["projects"][0]["code"]
    answer = sot("status")

    assert upto["code"]["points"] == {"points": 3, "lag": 0, "trouble": None}
    assert upto["last"]["code_points"]["status"] == "success"
    assert (behind["lag"], behind["points"]) == (0, {"points": 3, "lag": 3, "trouble": None})
    assert "3 points  3 files behind" in answer.out
    assert "sot code index --execute" in answer.err


def test_status_says_why_points_are_not_known(studio: Studio, sot: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    sot("code", "index", "--execute")
    monkeypatch.setenv("QDRANT_HOST", "disabled")

    answer = sot("status")

    assert answer.code == 0
    assert "not known: Qdrant is not configured" in answer.out


@pytest.mark.parametrize(
    ("failpoint", "option"),
    [("texts-cached", ""), ("points-upserted", ""), ("points-flushed", ""), ("version-filled", "--rebuild")],
)
def test_a_run_that_was_killed_is_made_good_by_the_next(
    studio: Studio, sot: Command, monkeypatch: pytest.MonkeyPatch, failpoint: str, option: str
) -> None:
    sot("code", "index", "--execute")
    studio.write({"src/long.py": "x = 1\n" * 3_000, "src/glaze.py": "y = 2\n"})
    arguments = ["code", "index", "--execute", *([option] if option else [])]

    killed = subprocess.run(
        [SOT, *arguments], env={**os.environ, VARIABLE: failpoint}, capture_output=True, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert sot(*arguments).code == 0
    assert sot("verify").code == 0


# search


@pytest.fixture
def indexed(studio: Studio, sot: Command) -> Studio:
    studio.write({"src/cones.md": "# Cones\n\nWhen the ceramic bends the kiln is hot enough.\n"})
    assert sot("code", "index", "--execute").code == 0
    return studio


def hits(sot: Command, query: str, mode: str, *more: str) -> list[dict[str, object]]:
    answer = sot("search", query, "--type", "code", "--mode", mode, "--json", *more)
    assert answer.code == 0, answer.err
    found: list[dict[str, object]] = answer.json()["results"]
    return found


def test_a_semantic_search_finds_each_file_once_by_its_nearest_chunk(indexed: Studio, sot: Command) -> None:
    found = hits(sot, "temperature of the oven", "semantic")

    assert [hit["path"] for hit in found] == [hit["entry_id"] for hit in found]
    assert {hit["path"] for hit in found} == {"src/kiln.py", "src/glaze.py", "src/empty.py", "src/cones.md"}
    (kiln,) = (hit for hit in found if hit["path"] == "src/kiln.py")
    assert (kiln["file_type"], kiln["line"], kiln["fresh"]) == ("code", 1, True)
    assert kiln["title"] == "Kiln, Kiln.fire"
    assert [hit["score"] for hit in found] == sorted((hit["score"] for hit in found), reverse=True)  # type: ignore[type-var]


def test_the_line_of_a_chunk_is_where_its_text_stands_now(indexed: Studio, sot: Command) -> None:
    function = "def rotate():\n" + "    turn(1)\n" * 149 + "\n"
    indexed.write({"src/long.py": f"{function}# The glaze is mixed with water.\nGLAZE = 1\n"})
    sot("code", "index", "--execute")
    (before,) = (hit for hit in hits(sot, "glaze mixed with water", "semantic") if hit["path"] == "src/long.py")
    indexed.write({"src/long.py": f"import os\n\n{(indexed.folder / 'src/long.py').read_text()}"})
    (moved,) = (hit for hit in hits(sot, "glaze mixed with water", "semantic") if hit["path"] == "src/long.py")
    indexed.write({"src/long.py": "x = 1\n"})
    (gone,) = (hit for hit in hits(sot, "glaze mixed with water", "semantic") if hit["path"] == "src/long.py")

    assert before["line"] == 134, "where the chunk begins"
    assert (moved["line"], moved["fresh"]) == (before["line"] + 2, True)  # type: ignore[operator]
    assert (gone["line"], gone["fresh"]) == (None, False)


def test_a_hybrid_search_answers_with_definitions_and_files_that_fit_by_meaning(indexed: Studio, sot: Command) -> None:
    found = hits(sot, "fire", "hybrid")

    assert found[0]["entry_id"] == "Kiln.fire"
    assert 0.8 <= found[0]["score"] <= 1  # type: ignore[operator]
    assert "src/cones.md" in {hit["entry_id"] for hit in found}
    assert "src/kiln.py" not in {hit["entry_id"] for hit in found}, "its chunk is behind the definition"
    assert all(0 <= hit["score"] <= 1 for hit in found)  # type: ignore[operator]
    assert len(hits(sot, "fire", "hybrid", "--limit", "1")) == 1


def test_files_whose_points_lag_are_behind_until_a_refresh(indexed: Studio, sot: Command) -> None:
    indexed.write({"src/glaze.py": "def dip(pot):\n    return pot\n"})
    indexed.index()

    behind = sot("search", "dip", "--type", "code", "--mode", "semantic", "--json").json()
    by_name = sot("search", "dip", "--type", "code", "--mode", "keyword", "--json").json()
    refreshed = sot("search", "dip", "--type", "code", "--mode", "semantic", "--refresh", "--json").json()

    assert (behind["fresh"], behind["behind"]) == (False, ["src/glaze.py"])
    assert by_name["fresh"] is True
    assert refreshed["fresh"] is True
    assert "dip" in [hit["title"] for hit in refreshed["results"]]


def test_code_and_ledgers_are_searched_together_by_meaning(indexed: Studio, sot: Command) -> None:
    indexed.write({"docs/BUILD_HISTORY.md": "# Builds\n\n## BUILDS\n\n### BUILD-1 | 2026-01-01 | Fire\n\nFire.\n"})
    assert sot("sync", "--full", "--execute").code == 0
    both = ("--type", "code", "--type", "build_history", "--json")

    for mode in ("semantic", "hybrid"):
        document = sot("search", "fire", "--mode", mode, *both).json()
        assert document["fresh"] is True
        assert {hit["file_type"] for hit in document["results"]} == {"code", "build_history"}


def test_without_qdrant_a_hybrid_search_of_code_is_one_by_keyword(indexed: Studio, sot: Command) -> None:
    answer = sot("search", "fire", "--type", "code", "--qdrant-host", "disabled", "--json")

    assert answer.code == 0
    assert [hit["entry_id"] for hit in answer.json()["results"]] == ["Kiln.fire"]
    assert "keyword search" in answer.err
