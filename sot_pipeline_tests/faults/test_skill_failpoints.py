"""A sync of skills whose process is killed at any of its steps leaves what the next run completes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sot_pipeline.runtime.failpoints import VARIABLE, Failpoint
from sot_pipeline.skills.files import TEMPORARY
from sot_pipeline_tests.skills.project import SkillProject, make_project, paths_and_files, skill_md

POINTS = [point for point in Failpoint if point.startswith("skill")]
REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from sot_pipeline_tests.skills.project import open_project
open_project(Path(sys.argv[1]), sys.argv[2]).sync(allow_mass_delete=True)
"""

State = tuple[object, object]


def begin(folder: Path, url: str) -> SkillProject:
    """Both sides agree, and then each has something that the other is to follow."""
    project = make_project(folder, url)
    for name in ("ramps", "glaze", "cone", "tools/saw", "tools/knife"):
        project.write(f"{name}/SKILL.md", skill_md(name.replace("/", "-"), f"What {name} does."))
        project.write(f"{name}/scripts/run.sh", f"# {name}\n", executable=True)
        project.write(f"{name}/assets/data.bin", bytes(range(256)))
    project.synced()
    project.sql(
        "UPDATE skills SET description = 'Of the row.' WHERE skill_path = 'ramps'",
        "UPDATE skills SET skill_path = 'between' WHERE skill_path = 'glaze'",
        "UPDATE skills SET skill_path = 'glaze' WHERE skill_path = 'cone'",
        "UPDATE skills SET skill_path = 'cone', body = 'Moved and edited.' WHERE skill_path = 'between'",
        "DELETE FROM skills WHERE skill_path = 'tools/saw'",
        "INSERT INTO skills (project_id, skill_path, name, body) VALUES ('kiln', 'new', 'new', 'By hand.')",
    )
    document = project.root / "ramps/SKILL.md"
    document.write_text(document.read_text() + "A line of the file.\n")
    (project.root / "tools/knife").rename(project.root / "knife")
    return project


def state_of(project: SkillProject) -> State:
    return paths_and_files(project.files()), paths_and_files(project.rows())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> State:
    folder = tmp_path_factory.mktemp("undisturbed")
    project = begin(folder / "kiln", f"sqlite:///{folder / 'sot.db'}")
    project.synced()
    found = state_of(project)
    assert found[0] == found[1]
    return found


def run_until(project: SkillProject, point: Failpoint) -> int:
    """The exit code of a process that syncs and dies at `point`."""
    arguments = (str(project.workspace.folder), project.workspace.database_url)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=REPOSITORY, env={**os.environ, VARIABLE: point}, check=False
    ).returncode


@pytest.mark.parametrize("point", POINTS)
def test_a_sync_of_skills_killed_at_any_step_is_completed_by_the_next(
    tmp_path: Path, database_url: str, point: Failpoint, undisturbed: State
) -> None:
    project = begin(tmp_path / "kiln", database_url)

    assert run_until(project, point) == -signal.SIGKILL
    project.synced()

    assert state_of(project) == undisturbed
    assert [path for path in project.root.rglob("*") if TEMPORARY.fullmatch(path.name)] == []
    before = project.everything()
    project.synced()
    assert project.everything() == before


@pytest.mark.parametrize("point", [Failpoint.SKILL_FILE_MOVED, Failpoint.SKILL_COLLECTED, Failpoint.SKILL_MOVED])
def test_a_plan_after_a_kill_is_what_the_next_run_does(tmp_path: Path, sqlite_url: str, point: Failpoint) -> None:
    project = begin(tmp_path / "kiln", sqlite_url)
    run_until(project, point)
    before = project.everything()

    plan = project.sync(execute=False)
    assert project.everything() == before
    done = project.sync()

    assert (plan.files, plan.database, plan.unchanged) == (done.files, done.database, done.unchanged)
