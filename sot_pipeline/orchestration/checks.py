"""The asset checks of group `ledgers`: what the parser found, and whether the targets agree.

Checks of `parsed_ledgers` judge its snapshot; the others read target and files again. Each runs
for one project, the partition of its run.
"""

# No postponed annotations: Dagster reads those of its functions while it decorates them.

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import dagster as dg

from sot_pipeline.orchestration.assets import has_readme, has_vectors
from sot_pipeline.orchestration.metadata import count_table, disagreement_metadata, problem_table
from sot_pipeline.orchestration.snapshots import LedgerSnapshot
from sot_pipeline.orchestration.steps import RETRIES, reading, verified
from sot_pipeline.outcome import Disagreement, Mode
from sot_pipeline.plan import Problem, Severity
from sot_pipeline.workspace import Workspace

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
    context: dg.AssetCheckExecutionContext, parsed_ledgers: LedgerSnapshot
) -> Iterator[dg.AssetCheckResult]:
    """What the parser said of the ledgers that were read last."""
    for key in sorted(context.op_execution_context.selected_asset_check_keys, key=str):
        found = [problem for problem in parsed_ledgers.problems if _check_of(problem) == key.name]
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
    worst = any(problem.severity is Severity.ERROR for problem in problems)
    return dg.AssetCheckSeverity.ERROR if worst else dg.AssetCheckSeverity.WARN


def db_matches_ledgers(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """Rows and full-text index hold the ledgers' entries: same keys, same hashes, hashed anew."""
    found = verified(workspace, project_of(context), Mode.DB_ONLY)
    both = Disagreement(
        missing=found.database.missing + found.full_text.missing,
        extra=found.database.extra + found.full_text.extra,
        stale=found.database.stale + found.full_text.stale,
    )
    return _agreement(both, found.problems)


def vectors_match_ledgers(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The collection holds one right point for each chunk of an entry, and no other."""
    found = verified(workspace, project_of(context), Mode.FULL)
    return _agreement(found.vectors or Disagreement(), found.problems)


def embedding_dimension(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The collection was built with the model and dimension of the configured embedder."""
    with reading(workspace, (), Mode.QDRANT_ONLY) as session:
        store, embedder = session.require_vectors()
        live = store.info(project_of(context), session.deadline)
    configured = (embedder.model, embedder.dimension)
    built = (live.model, live.dimension) if live else None
    return dg.AssetCheckResult(
        passed=built in {None, configured},
        metadata={"model": embedder.model, "dimension": embedder.dimension, "collection_built_with": str(built)},
    )


def readme_matches_ledgers(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """The README's summary states what the ledgers hold."""
    found = verified(workspace, project_of(context), Mode.DB_ONLY)
    return dg.AssetCheckResult(passed=not found.readme_stale)


def all_targets_agree(
    context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.AssetCheckResult:
    """Files, rows, points and README tell the same story; with the number of entries in each."""
    mode = Mode.FULL if has_vectors(workspace) else Mode.DB_ONLY
    found = verified(workspace, project_of(context), mode)
    return dg.AssetCheckResult(passed=found.agree, metadata={"entries": count_table(found.counts)})


def _agreement(found: Disagreement, problems: Sequence[Problem]) -> dg.AssetCheckResult:
    metadata = disagreement_metadata(found)
    broken = [problem for problem in problems if problem.severity is Severity.ERROR]
    if broken:
        metadata["problems"] = problem_table(broken)
    return dg.AssetCheckResult(passed=found.agrees and not broken, metadata=metadata)


def project_of(context: dg.AssetCheckExecutionContext) -> str:
    """The project a check runs for. Raises dagster.Failure where its run has no partition."""
    if not context.op_execution_context.has_partition_key:
        raise dg.Failure("A check looks at one project: launch it for a partition.", allow_retries=False)
    return context.op_execution_context.partition_key


def ledger_checks(workspace: Workspace, partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetChecksDefinition]:
    """The checks of the assets that this workspace has."""
    specs = [
        dg.AssetCheckSpec(
            name, asset="parsed_ledgers", description=text, blocking=name == ENTRIES_PARSE, partitions_def=partitions
        )
        for name, text in PARSER_CHECKS.items()
    ]
    parser = dg.multi_asset_check(specs=specs, can_subset=True, ins={"parsed_ledgers": dg.AssetIn("parsed_ledgers")})
    check = partial(dg.asset_check, partitions_def=partitions, retry_policy=RETRIES)
    checks = [parser(parser_checks), check(asset="db_rows", blocking=True)(db_matches_ledgers)]
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
