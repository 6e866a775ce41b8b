"""The asset checks of group `ledgers`: what the parser finds, and whether the targets agree.

Every check reads files and targets as they are now, for the project of its run's partition. How
a disagreement is found out is `sot_pipeline.verify`.
"""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

from collections.abc import Iterable, Iterator

import dagster as dg

from sot_pipeline.ledgers.project import read_project
from sot_pipeline.orchestration.assets import has_readme, has_vectors
from sot_pipeline.orchestration.group import Group
from sot_pipeline.orchestration.metadata import cross_counts, disagreement_metadata, problem_table
from sot_pipeline.orchestration.steps import errors_in, reading, verified
from sot_pipeline.outcome import Disagreement, Mode, ProjectAgreement
from sot_pipeline.plan import Problem
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
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
    problems = read_project(project_of(context, workspace)).problems
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
    found = verified(workspace, project_of(context, workspace), Mode.DB_ONLY)
    return _agreement(found, found.database, found.full_text)


def vectors_match_ledgers(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The collection holds one right point for each chunk of an entry, and no other."""
    found = verified(workspace, project_of(context, workspace), Mode.FULL)
    return _agreement(found, found.vectors or Disagreement())


def _agreement(project: ProjectAgreement, *targets: Disagreement) -> dg.AssetCheckResult:
    metadata = disagreement_metadata(targets)
    broken = errors_in(project.problems)
    if broken:
        metadata["problems"] = problem_table(broken)
    return dg.AssetCheckResult(passed=all(target.agrees for target in targets) and not broken, metadata=metadata)


def embedding_dimension(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The collection was built with the model and dimension of the configured embedder."""
    project = project_of(context, workspace)
    with reading(workspace, (), Mode.QDRANT_ONLY) as session:
        store, embedder = session.require_vectors()
        live = store.info(CollectionId(project.id, Kind.DOCS), session.deadline)
    wanted = f"{embedder.model}, {embedder.dimension} dimensions"
    built = f"{live.model}, {live.dimension} dimensions" if live else wanted
    return dg.AssetCheckResult(passed=built == wanted, metadata={"embedder": wanted, "collection": built})


def readme_matches_ledgers(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The README's summary states what the ledgers hold."""
    return dg.AssetCheckResult(
        passed=not verified(workspace, project_of(context, workspace), Mode.DB_ONLY).readme_stale
    )


def all_targets_agree(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """Files, rows, points and README tell the same story; with the number of entries in each."""
    mode = Mode.FULL if has_vectors(workspace) else Mode.DB_ONLY
    found = verified(workspace, project_of(context, workspace), mode)
    return dg.AssetCheckResult(passed=found.agree, metadata=cross_counts(found))


def project_of(context: dg.AssetCheckExecutionContext, workspace: Workspace) -> Project:
    """The project of the run's partition. The UI's "Execute all" names none: Failure says what does."""
    op = context.op_execution_context
    if not op.has_partition_key:
        raise dg.Failure(
            "A check looks at one project, and this run names no partition. Launch the next tick of the schedule "
            "hourly_verify instead ('Preview tick result'), or materialize the asset.",
            allow_retries=False,
        )
    return workspace.project(op.partition_key)


def ledger_checks(workspace: Workspace, group: Group) -> list[dg.AssetChecksDefinition]:
    """The checks of the assets that this workspace has."""
    specs = [
        dg.AssetCheckSpec(
            name,
            asset="parsed_ledgers",
            description=text,
            blocking=name == ENTRIES_PARSE,
            partitions_def=group.partitions,
        )
        for name, text in PARSER_CHECKS.items()
    ]
    checks = [
        dg.multi_asset_check(specs=specs, can_subset=True)(parser_checks),
        group.check(asset="db_rows", blocking=True)(db_matches_ledgers),
    ]
    others: list[str] = []
    if has_vectors(workspace):
        others.append("vector_points")
        checks += [
            group.check(asset="vector_points")(function) for function in (vectors_match_ledgers, embedding_dimension)
        ]
    if has_readme(workspace):
        others.append("readme_summary")
        checks.append(group.check(asset="readme_summary")(readme_matches_ledgers))
    # Last of all, because it waits for every target.
    checks.append(group.check(asset="db_rows", additional_deps=others)(all_targets_agree))
    return checks
