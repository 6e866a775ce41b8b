"""The loop over projects: what ends it, what does not, and what is known of it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sot_pipeline.errors import DeadlineExceeded, FileUnusable, LockNotAcquired, SotError
from sot_pipeline.outcome import CodeOutcome, Mode
from sot_pipeline.per_project import ProjectsRun, Report, run_projects
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session, open_session
from sot_pipeline.workspace import Project, Workspace, load_workspace

PROJECTS = "".join(f'[[project]]\nid = "{name}"\n' for name in ("first", "second", "third"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "sot.toml").write_text(PROJECTS)
    return load_workspace(tmp_path / "sot.toml", env={})


def run(workspace: Workspace, errors: dict[str, SotError]) -> ProjectsRun[str]:
    def step(session: Session, project: Project) -> tuple[str, SotError | None]:
        assert session.database
        return project.id, errors.get(project.id)

    opening = open_session(workspace, Mode.DB_ONLY, projects=workspace.projects, execute=False, deadline=Deadline(30))
    return run_projects(opening, workspace.projects, step)


def test_a_problem_of_one_project_leaves_the_others_their_turn(workspace: Workspace) -> None:
    first, later = FileUnusable("first"), FileUnusable("later")

    found = run(workspace, {"first": first, "third": later})

    assert (found.outcomes, found.error) == (("first", "second", "third"), first)


def test_what_no_later_project_would_fare_better_with_ends_the_run(workspace: Workspace) -> None:
    error = DeadlineExceeded("over")

    found = run(workspace, {"second": error})

    assert (found.outcomes, found.error) == (("first", "second"), error)


def test_a_session_that_does_not_open_is_the_error(workspace: Workspace) -> None:
    error = LockNotAcquired("held")

    @contextmanager
    def refused() -> Iterator[Session]:
        raise error
        yield

    found: ProjectsRun[str] = run_projects(refused(), workspace.projects, lambda _, project: (project.id, None))

    assert (found.outcomes, found.error, found.notes) == ((), error, ())


def test_the_exit_code_is_that_of_what_stopped_the_run_else_of_the_first_bad_project() -> None:
    good, bad = CodeOutcome("good"), CodeOutcome("bad", error=FileUnusable("bad"))

    assert Report(True, {}, (good, good)).exit_code == 0
    assert Report(True, {}, (good, bad)).exit_code == 1
    assert Report(True, {}, (bad,), DeadlineExceeded("over")).exit_code == 3
