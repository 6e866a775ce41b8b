"""`sot skills …`: skill folders and rows brought to agree, and what is in the way of it."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from sot_pipeline.cli.documents import open_conflict_json, skills_document
from sot_pipeline.cli.options import (
    DEFAULT_MAX_SECONDS,
    ConfigOption,
    DatabaseOption,
    ExecuteOption,
    JsonOption,
    LockWaitOption,
    ProjectsOption,
    QdrantOption,
    RebuildOption,
    SecondsOption,
    projects_of,
    workspace_of,
)
from sot_pipeline.cli.output import finish, progress_bar, say_json, say_targets
from sot_pipeline.cli.skills_text import say_conflicts, say_decided, say_report
from sot_pipeline.errors import UsageError
from sot_pipeline.runtime.deadline import Deadline

app = typer.Typer(no_args_is_help=True, help="Skills: folders with a SKILL.md, and their rows.")


class Status(StrEnum):
    """Which skills by the status in their front matter; one that says none is active."""

    ACTIVE = "active"
    DRAFT = "draft"
    DEPRECATED = "deprecated"
    ARCHIVED = "archived"
    ALL = "all"


class Force(StrEnum):
    """Whose side holds in the conflicts of one skill."""

    OURS = "ours"
    THEIRS = "theirs"


DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only look, as without --execute; said aloud.")]
StatusOption = Annotated[Status, typer.Option("--status", help="Only skills with this status on either side.")]
PathOption = Annotated[
    str | None, typer.Option("--skill-path", metavar="P", help="Only the skill in this folder, and those below it.")
]
ForceOption = Annotated[
    Force | None,
    typer.Option("--force", help="With --skill-path: let the files (ours) or the database (theirs) win conflicts."),
]
AllowMassDelete = Annotated[
    bool, typer.Option("--allow-mass-delete", help="Delete skills even if over half of them are gone on a side.")
]
PathArgument = Annotated[str, typer.Argument(metavar="PATH", help="The skill's path, as 'sot skills conflicts' says.")]
TakeOption = Annotated[
    str,
    typer.Option("--take", metavar="ours|theirs|FILE", help="The files, the database, or a SKILL.md made of both."),
]


def _bring_together(
    context: typer.Context,
    execute: ExecuteOption = False,
    dry_run: DryRunOption = False,
    status: StatusOption = Status.ALL,
    skill_path: PathOption = None,
    force: ForceOption = None,
    allow_mass_delete: AllowMassDelete = False,
    rebuild: RebuildOption = False,
    project: ProjectsOption = None,
    database_url: DatabaseOption = None,
    qdrant_host: QdrantOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    lock_wait: LockWaitOption = 30.0,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    if execute and dry_run:
        raise UsageError("--execute and --dry-run exclude each other.", remedy="Leave one of them out.")
    if force and skill_path is None:
        raise UsageError(
            f"--force {force} is for the conflicts of one skill; nothing was written.",
            remedy="Name it with --skill-path; 'sot skills conflicts' lists those that have some.",
        )
    from sot_pipeline.index_points import with_points
    from sot_pipeline.skills.merge import Take
    from sot_pipeline.skills.reconcile import Direction
    from sot_pipeline.steps.skills import Choice
    from sot_pipeline.sync_skills import path_of, skilled, sync_skills_of
    from sot_pipeline.targets.vectors.kinds import Kind

    deadline = Deadline(max_seconds)
    workspace = workspace_of(config, database_url=database_url, qdrant_host=qdrant_host)
    projects = skilled(projects_of(workspace, project))
    direction = Direction(context.command.name or "")
    has_points = execute and workspace.qdrant is not None
    targets = workspace.targets if has_points else {"database": workspace.targets["database"]}
    say_targets(targets)
    with progress_bar(quiet=json) as progress:
        report = sync_skills_of(
            workspace,
            projects,
            direction,
            execute=execute,
            deadline=deadline,
            choice=Choice(
                path=None if skill_path is None else path_of(skill_path),
                status=None if status is Status.ALL else status.value,
                force=Take(force.value) if force else None,
            ),
            allow_mass_delete=allow_mass_delete,
            lock_wait=lock_wait,
            progress=progress,
        )
        if has_points:
            report = with_points(
                report,
                workspace,
                Kind.SKILLS,
                deadline=deadline,
                rebuild=rebuild,
                allow_mass_delete=allow_mass_delete,
                lock_wait=lock_wait,
                progress=progress,
            )
    report = replace(report, targets=targets)
    if json:
        say_json(skills_document(report))
    else:
        say_report(report, direction)
    finish(report.exit_code)


# One function for the three: they differ in nothing but the side that they write.
app.command("export", help="Bring the database up to date with the files; without --execute only look.")(
    _bring_together
)
app.command("import", help="Bring the files up to date with the database; without --execute only look.")(
    _bring_together
)
app.command("sync", help="Bring both sides up to date with each other; without --execute only look.")(_bring_together)


@app.command()
def conflicts(
    project: ProjectsOption = None,
    database_url: DatabaseOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what both sides changed differently since they last agreed. Reads only."""
    from sot_pipeline.skill_decisions import open_conflicts
    from sot_pipeline.sync_skills import skilled

    workspace = workspace_of(config, database_url=database_url)
    projects = skilled(projects_of(workspace, project))
    found = open_conflicts(workspace, projects, Deadline(max_seconds))
    if json:
        say_json({"conflicts": [open_conflict_json(each) for each in found]})
    else:
        say_targets({"database": workspace.targets["database"]})
        say_conflicts(found, several=len(projects) > 1)


@app.command()
def resolve(
    path: PathArgument,
    take: TakeOption,
    project: ProjectsOption = None,
    database_url: DatabaseOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    lock_wait: LockWaitOption = 30.0,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Decide the conflicts of one skill; the next sync applies it."""
    from sot_pipeline.skill_decisions import decide, decision_of
    from sot_pipeline.sync_skills import skilled

    deadline = Deadline(max_seconds)
    decision = decision_of(take)
    workspace = workspace_of(config, database_url=database_url)
    projects = skilled(projects_of(workspace, project))
    say_targets({"database": workspace.targets["database"]})
    decided = decide(workspace, projects, path, decision, deadline=deadline, lock_wait=lock_wait)
    if json:
        say_json({"conflicts": [open_conflict_json(each) for each in decided]})
    else:
        say_decided(decided, take)
