"""The asset checks of group `ledgers`: what the parser finds, and whether the targets agree.

Every check reads files and targets as they are now, for the project of its run's partition. How
a disagreement is found out is `sot_pipeline.verify`.
"""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import dagster as dg

from sot_pipeline.ledgers.project import read_project
from sot_pipeline.orchestration.assets import has_readme, has_vectors
from sot_pipeline.orchestration.metadata import cross_counts, disagreement_metadata, problem_table
from sot_pipeline.orchestration.steps import RETRIES, errors_in, reading, verified
from sot_pipeline.outcome import Disagreement, Mode, ProjectAgreement
from sot_pipeline.plan import Problem
from sot_pipeline.workspace import Project, Workspace

ENTRIES_PARSE = "entries_parse"
PARSER_CHECKS = {
    ENTRIES_PARSE: "Every ledger could be read. Blocks the project's targets: what is derived stays as it was.",
    "ids_unique": "No id is used by more than one section.",
    "index_matches_sections": "Every row of the INDEX has an id, and index and sections name the same entries.",
    "stray_index_rows": "No row of an index stands outside the INDEX.",
    "fences_balanced": "Every code fence is closed.",
    "meta_matches_content": "META and summary state what the file holds.",
}


def parser_checks(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> Iterator[dg.AssetCheckResult]:
    """What the parser says of the ledgers."""
    problems = [problem for project in _projects(context, workspace) for problem in read_project(project).problems]
    for key in sorted(context.op_execution_context.selected_asset_check_keys, key=str):
        found = [problem for problem in problems if _check_of(problem) == key.name]
        yield dg.AssetCheckResult(
            passed=not found,
            asset_key=key.asset_key,
            check_name=key.name,
            severity=_severity(found),
            metadata={"problems": problem_table(found)} if found else {},
        )


def _check_of(problem: Problem) -> str:
    return problem.check if problem.check in PARSER_CHECKS else ENTRIES_PARSE


def _severity(problems: Iterable[Problem]) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if errors_in(problems) else dg.AssetCheckSeverity.WARN


def db_matches_ledgers(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """Rows and full-text index hold the ledgers' entries: same keys, same hashes, hashed anew."""
    found = verified(workspace, _projects(context, workspace), Mode.DB_ONLY)
    return _agreement(found, [target for project in found for target in (project.database, project.full_text)])


def vectors_match_ledgers(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The collection holds one right point for each chunk of an entry, and no other."""
    found = verified(workspace, _projects(context, workspace), Mode.FULL)
    return _agreement(found, [project.vectors for project in found if project.vectors])


def _agreement(projects: Iterable[ProjectAgreement], targets: Sequence[Disagreement]) -> dg.AssetCheckResult:
    metadata = disagreement_metadata(targets)
    broken = errors_in(problem for project in projects for problem in project.problems)
    if broken:
        metadata["problems"] = problem_table(broken)
    return dg.AssetCheckResult(passed=all(target.agrees for target in targets) and not broken, metadata=metadata)


def embedding_dimension(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The collection was built with the model and dimension of the configured embedder."""
    with reading(workspace, (), Mode.QDRANT_ONLY) as session:
        store, embedder = session.require_vectors()
        live = [store.info(project.id, session.deadline) for project in _projects(context, workspace)]
    configured = (embedder.model, embedder.dimension)
    others = [info for info in live if info and (info.model, info.dimension) != configured]
    return dg.AssetCheckResult(
        passed=not others,
        metadata={
            "model": embedder.model,
            "dimension": embedder.dimension,
            **{info.name: f"built with {info.model}, {info.dimension} dimensions" for info in others},
        },
    )


def readme_matches_ledgers(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The README's summary states what the ledgers hold."""
    found = verified(workspace, _projects(context, workspace), Mode.DB_ONLY)
    stale = [project.project_id for project in found if project.readme_stale]
    return dg.AssetCheckResult(passed=not stale, metadata={"stale": ", ".join(stale)} if stale else {})


def all_targets_agree(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """Files, rows, points and README tell the same story; with the number of entries in each."""
    mode = Mode.FULL if has_vectors(workspace) else Mode.DB_ONLY
    found = verified(workspace, _projects(context, workspace), mode)
    return dg.AssetCheckResult(passed=all(project.agree for project in found), metadata=cross_counts(found))


def _projects(context: dg.AssetCheckExecutionContext, workspace: Workspace) -> tuple[Project, ...]:
    """The project of the run's partition; all of them where the UI's "Execute all" names none."""
    op = context.op_execution_context
    return workspace.select((op.partition_key,) if op.has_partition_key else ())


def ledger_checks(workspace: Workspace, partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetChecksDefinition]:
    """The checks of the assets that this workspace has."""
    specs = [
        dg.AssetCheckSpec(
            name, asset="parsed_ledgers", description=text, blocking=name == ENTRIES_PARSE, partitions_def=partitions
        )
        for name, text in PARSER_CHECKS.items()
    ]
    check = partial(dg.asset_check, partitions_def=partitions, retry_policy=RETRIES)
    checks = [
        dg.multi_asset_check(specs=specs, can_subset=True)(parser_checks),
        check(asset="db_rows", blocking=True)(db_matches_ledgers),
    ]
    others: list[str] = []
    if has_vectors(workspace):
        others.append("vector_points")
        checks += [check(asset="vector_points")(function) for function in (vectors_match_ledgers, embedding_dimension)]
    if has_readme(workspace):
        others.append("readme_summary")
        checks.append(check(asset="readme_summary")(readme_matches_ledgers))
    # Last of all, because it waits for every target.
    checks.append(check(asset="db_rows", additional_deps=others)(all_targets_agree))
    return checks
