"""Points of code as a person or a program sees them: `sot code index`, `verify`, `status`."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.cli.test_sync import sot
from sot_pipeline_tests.code_workspaces import EMBEDDED, Studio, make_studio
from sot_pipeline_tests.steps.test_code_points import alter

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
    alter(studio, "studio_code_src/kiln.py#0", "text")

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
