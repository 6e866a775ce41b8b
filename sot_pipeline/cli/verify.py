"""`sot verify`: do rows, full text, points and README agree with the ledgers, code rows and skills with theirs?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sot_pipeline.cli.documents import verify_document
from sot_pipeline.cli.options import (
    DEFAULT_MAX_SECONDS,
    ConfigOption,
    DatabaseOption,
    JsonOption,
    ProjectsOption,
    QdrantOption,
    SecondsOption,
    projects_of,
    workspace_of,
)
from sot_pipeline.cli.output import finish, note, say, say_json, say_problems, say_targets, style
from sot_pipeline.outcome import Disagreement, ProjectAgreement
from sot_pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sot_pipeline.session import Session
    from sot_pipeline.workspace import Project

KEYS_SHOWN = 10


def verify(
    project: ProjectsOption = None,
    database_url: DatabaseOption = None,
    qdrant_host: QdrantOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Read every configured target again and compare it with the files; exit 6 where they disagree."""
    from sot_pipeline.verify import open_verification

    workspace = workspace_of(config, database_url=database_url, qdrant_host=qdrant_host)
    projects = projects_of(workspace, project)
    say_targets({name: target for name, target in workspace.targets.items() if name != "embedding"})
    with open_verification(workspace, projects, Deadline(max_seconds)) as session:
        agreements = [_verified(session, each) for each in projects]
    if json:
        say_json(verify_document(agreements))
    else:
        for agreement in agreements:
            _say_agreement(agreement)
    codes = [agreement.exit_code for agreement in agreements]
    finish(max(codes, default=0))


def _verified(session: Session, project: Project) -> ProjectAgreement:
    """All that is derived from the project's ledgers, and its code index and its skills if it has some."""
    from sot_pipeline.ledgers.project import read_project
    from sot_pipeline.verify import verify_project

    agreement = verify_project(session, read_project(project))
    if project.code:
        from sot_pipeline.verify_code import verify_code, verify_code_points

        code = verify_code(session, project)
        if project.embeds_code and session.store:
            code = replace(code, points=verify_code_points(session, project))
        agreement = replace(agreement, code=code, problems=(*agreement.problems, *code.problems))
    if project.skills:
        from sot_pipeline.verify_skills import verify_skills

        skills = verify_skills(session, project)
        agreement = replace(agreement, skills=skills, problems=(*agreement.problems, *skills.problems))
    return agreement


def _say_agreement(agreement: ProjectAgreement) -> None:
    say()
    verdict = style("agrees", fg="green") if agreement.agree else style("disagrees", fg="red")
    say(f"{style(agreement.project_id, bold=True)}  {verdict}")
    for kind, counts in agreement.counts.items():
        numbers = ", ".join(f"{count:,} in {target}" for target, count in counts.items())
        say(f"  {kind}: {numbers}")
    _say_keys("rows", agreement.database)
    _say_keys("full text", agreement.full_text)
    if agreement.vectors:
        _say_keys("points", agreement.vectors)
    if agreement.code:
        say(f"  code: {agreement.code.sources:,} files")
        _say_keys("code_files", agreement.code.files)
        _say_keys("codebase_metadata", agreement.code.metadata)
        if agreement.code.points:
            _say_keys("points of code", agreement.code.points)
    if agreement.skills:
        say(f"  skills: {agreement.skills.agreed:,} agreed on")
        _say_keys("skills", agreement.skills.skills)
        if agreement.skills.points:
            _say_keys("points of skills", agreement.skills.points)
    if agreement.readme_stale:
        say("  readme: the summary is stale")
    say_problems(agreement.problems)
    _say_remedies(agreement)


def _say_remedies(agreement: ProjectAgreement) -> None:
    if agreement.code and not agreement.code.agree:
        note(style("  try: ", fg="yellow") + "sot code index --execute")
    if agreement.skills and not agreement.skills.agree:
        note(style("  try: ", fg="yellow") + "sot skills sync, then sot skills sync --execute")
    if not agreement.ledgers_agree:
        note(style("  try: ", fg="yellow") + "sot sync --full --execute (or --db-only without Qdrant)")


def _say_keys(target: str, found: Disagreement) -> None:
    for word, keys in (("missing", found.missing), ("extra", found.extra), ("stale", found.stale)):
        if keys:
            more = f" … and {len(keys) - KEYS_SHOWN} more" if len(keys) > KEYS_SHOWN else ""
            say(f"  {target}: {len(keys):,} {word}: {', '.join(keys[:KEYS_SHOWN])}{more}")
