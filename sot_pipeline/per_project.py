"""A run over several projects: a session, a step on each, and what stopped it. What a step does is not known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from sot_pipeline.errors import EXIT_OK, SotError
from sot_pipeline.workspace import Project

if TYPE_CHECKING:
    from sot_pipeline.session import Session


class HasExitCode(Protocol):
    """What a step answers, where it says itself how it ended."""

    @property
    def exit_code(self) -> int:
        """0 where all went well."""


OutcomeT = TypeVar("OutcomeT")
EndedT = TypeVar("EndedT", bound=HasExitCode)


@dataclass(frozen=True, slots=True)
class ProjectsRun(Generic[OutcomeT]):
    """What became of each project that was reached, what stopped the run, and the session's notes."""

    outcomes: tuple[OutcomeT, ...]
    error: SotError | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report(Generic[EndedT]):
    """A whole run over projects. `error` is what stopped it, if anything did; what was done before stays."""

    executed: bool
    targets: Mapping[str, str | None]
    projects: tuple[EndedT, ...]
    error: SotError | None = None

    @property
    def exit_code(self) -> int:
        """That of what stopped the run, else the first of a project that is not 0."""
        if self.error:
            return self.error.exit_code
        return next((project.exit_code for project in self.projects if project.exit_code), EXIT_OK)


def run_projects(
    opening: AbstractContextManager[Session],
    projects: tuple[Project, ...],
    step: Callable[[Session, Project], tuple[OutcomeT, SotError | None]],
) -> ProjectsRun[OutcomeT]:
    """Open the session and take `step`, which answers what it did and what stopped it, with each project.

    Never raises SotError. A problem of one project does not keep the next from its turn; a passed
    deadline, a lost database or a lost lease does.
    """
    outcomes: list[OutcomeT] = []
    first: SotError | None = None
    notes: tuple[str, ...] = ()
    try:
        with opening as session:
            notes = session.notes
            for project in projects:
                outcome, error = step(session, project)
                outcomes.append(outcome)
                first = first or error
                if error and error.ends_run:
                    break
    except SotError as error:
        first = first or error
    return ProjectsRun(tuple(outcomes), first, notes)
