"""`sot init` and `sot demo`: from nothing to a workspace that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sot_pipeline.cli.output import finish, progress_bar, say, say_targets, style

ProjectId = Annotated[str | None, typer.Option("--project", metavar="ID", help="Its id; default: the folder's name.")]
Root = Annotated[str, typer.Option("--root", metavar="DIR", help="The project's folder, relative to this one.")]
Folder = Annotated[Path, typer.Argument(metavar="[DIR]", help="A new or empty folder.")]

DEMO_QUESTION = "why did we choose LoRaWAN"
DEMO_SECONDS = 120.0


def init(project: ProjectId = None, root: Root = ".") -> None:
    """Write a commented sot.toml, workspace.yaml and dagster.yaml here; never overwrites."""
    from sot_pipeline.scaffold import init_workspace

    made = init_workspace(Path.cwd(), project_id=project, root=root)
    for name in made.written:
        say(f"wrote  {name}")
    for name in made.kept:
        say(f"kept   {name} (it was there)")
    say("Next: sot sync            what the ledgers hold and what is wrong in them")
    say("      sot sync --full --execute    fill database, collection and README")


def demo(folder: Folder = Path("sot-demo")) -> None:
    """Make a small workspace of example sources, sync it in full and say what to try next."""
    from sot_pipeline.cli.skills_text import say_report as say_skills
    from sot_pipeline.cli.sync import say_report
    from sot_pipeline.index_points import with_points
    from sot_pipeline.outcome import Mode
    from sot_pipeline.runtime.deadline import Deadline
    from sot_pipeline.scaffold import make_demo
    from sot_pipeline.skills.reconcile import Direction
    from sot_pipeline.sync import sync_projects
    from sot_pipeline.sync_skills import sync_skills_of
    from sot_pipeline.targets.vectors.kinds import Kind
    from sot_pipeline.workspace import CONFIG_NAME, load_workspace

    made = make_demo(folder)
    say(f"{len(made.written)} files written to {folder}/, {len(made.kept)} were there.")
    # No environment: the demo shows the embedded defaults, whatever this shell is set up for.
    workspace = load_workspace(folder / CONFIG_NAME, env={})
    say_targets(workspace.targets)
    with progress_bar(quiet=False) as progress:
        report = sync_projects(
            workspace,
            Mode.FULL,
            projects=workspace.projects,
            execute=True,
            deadline=Deadline(DEMO_SECONDS),
            progress=progress,
        )
        # A demo that was made before there were skills has none in its sot.toml.
        skilled = tuple(project for project in workspace.projects if project.skills)
        skills = sync_skills_of(workspace, skilled, Direction.EXPORT, execute=True, deadline=Deadline(DEMO_SECONDS))
        skills = with_points(skills, workspace, Kind.SKILLS, deadline=Deadline(DEMO_SECONDS), progress=progress)
    say_report(report)
    say_skills(skills, Direction.EXPORT)
    exit_code = report.exit_code or skills.exit_code
    if not exit_code:
        _say_next(folder)
    finish(exit_code)


def _say_next(folder: Path) -> None:
    say()
    say(style("Try next", bold=True) + f" (cd {folder} first)")
    say(f'  sot search "{DEMO_QUESTION}"')
    say("  sot verify                   files, rows, points, skills and README agree")
    say("  edit docs/BUILD_HISTORY.md, then: sot plan, sot sync --full --execute")
    say("  edit skills/, or their rows with SQL, then: sot skills sync")
    say("  sot ui                       the Dagster UI on http://127.0.0.1:3000")
