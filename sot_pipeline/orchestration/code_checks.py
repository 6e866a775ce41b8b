"""The asset checks of group `code`: do tables and points agree with the files, and which files could not be read.

They look at files and tables as they are now. How a disagreement is found out is
`sot_pipeline.verify_code`.
"""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

from collections import Counter

import dagster as dg

from sot_pipeline.code.model import ParseStatus
from sot_pipeline.index_points import embedded
from sot_pipeline.orchestration.checks import project_of
from sot_pipeline.orchestration.code_assets import CODE_POINTS, has_code_points
from sot_pipeline.orchestration.group import Group
from sot_pipeline.orchestration.metadata import disagreement_metadata, problem_table, table
from sot_pipeline.orchestration.steps import errors_in, reading
from sot_pipeline.outcome import Mode
from sot_pipeline.steps.code import code_index
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.verify_code import verify_code, verify_code_points
from sot_pipeline.workspace import Workspace


def code_rows_match_files(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """Both tables hold a row for each source file and no other: same hashes, the text hashed anew."""
    project = project_of(context, workspace)
    with reading(workspace, (project,), Mode.DB_ONLY) as session:
        found = verify_code(session, project)
    metadata = disagreement_metadata((found.files, found.metadata))
    broken = errors_in(found.problems)
    if broken:
        metadata["problems"] = problem_table(broken)
    return dg.AssetCheckResult(passed=found.agree and not broken, metadata=metadata)


def parse_errors(context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    """Every source file could be parsed wholly. A warning: the others are indexed all the same."""
    project = project_of(context, workspace)
    with reading(workspace, (project,), Mode.DB_ONLY) as session:
        found = code_index(session, project).unread()
    counts = Counter(unread.status for unread in found)
    shown = {"files": table(("file", "status", "reason"), found, total=len(found))} if found else {}
    return dg.AssetCheckResult(
        passed=not counts[ParseStatus.PARTIAL],
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"partial": counts[ParseStatus.PARTIAL], "skipped": counts[ParseStatus.SKIPPED], **shown},
    )


def code_points_match_rows(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The collection of code holds one right point for each chunk of a file in `code_files`, and no other."""
    project = project_of(context, workspace)
    if not embedded((project,)):
        return dg.AssetCheckResult(passed=True, metadata={"points": "The code of this project is not embedded."})
    with reading(workspace, (project,), Mode.FULL, Kind.CODE) as session:
        found = verify_code_points(session, project)
    return dg.AssetCheckResult(passed=found.agrees, metadata=disagreement_metadata((found,)))


def code_checks(workspace: Workspace, group: Group) -> list[dg.AssetChecksDefinition]:
    """The checks of the assets that this workspace has."""
    if not group.projects:
        return []
    files = CodeTable.FILES.value
    checks = [
        # The rows of the other table are read as well.
        group.check(asset=files, additional_deps=[CodeTable.METADATA.value])(code_rows_match_files),
        group.check(asset=files)(parse_errors),
    ]
    if has_code_points(workspace):
        checks.append(group.check(asset=CODE_POINTS)(code_points_match_rows))
    return checks
