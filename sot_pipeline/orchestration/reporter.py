"""Reports what `sot watch` did: a process that reads its batches from stdin, one JSON document a line.

Each becomes runless materializations. Checks are none of them: whether targets agree was not
verified, and of what the parser said Dagster 1.13 can store one evaluation without a run for each
check and partition, never a second. The run that the sensor starts makes them all.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import dagster as dg

from sot_pipeline.ledgers.files import digest_ledger, stat_ledgers
from sot_pipeline.ledgers.project import ParsedProject, read_project
from sot_pipeline.ledgers.summary import summarize
from sot_pipeline.orchestration.assets import LEDGER_FILES, has_readme, has_vectors
from sot_pipeline.orchestration.code_assets import CODE_POINTS, SOURCE_FILES, has_code_points
from sot_pipeline.orchestration.escape import escape_markdown
from sot_pipeline.orchestration.group import SKILLS
from sot_pipeline.orchestration.metadata import Metadata, problem_table
from sot_pipeline.orchestration.sensors import DATA_VERSION_TAG
from sot_pipeline.orchestration.skill_assets import SKILL_FILES, SKILL_POINTS, SKILLS_IN_SYNC
from sot_pipeline.orchestration.snapshots import entries_hash
from sot_pipeline.plan import Problem, Severity, hash_text
from sot_pipeline.runtime.tree import tree_hash
from sot_pipeline.workspace import Project, Workspace, load_workspace

# The source of a batch → the asset of its files.
FILES = {"ledgers": LEDGER_FILES, "code": SOURCE_FILES, SKILLS: SKILL_FILES}
# The target in a batch's document → the asset that stands for it.
ASSETS = {
    "database": "db_rows",
    "vectors": "vector_points",
    "readme": "readme_summary",
    "code_files": "code_files",
    "codebase_metadata": "codebase_metadata",
    "points": CODE_POINTS,
    "skills": SKILLS_IN_SYNC,
    "skill_points": SKILL_POINTS,
}
PATHS_SHOWN = 50


def main() -> None:
    """Answer every line of stdin with one on stdout, once its events are stored; end with stdin."""
    workspace = load_workspace(require_roots=False)
    with dg.DagsterInstance.get() as instance:
        for line in sys.stdin:
            for event in events_of(workspace, json.loads(line)):
                instance.report_runless_asset_event(event)
            sys.stdout.write("reported\n")
            sys.stdout.flush()


def events_of(workspace: Workspace, batch: dict[str, object]) -> Iterator[dg.AssetMaterialization]:
    """The events of one batch; none where nothing was written.

    Data versions are of the ledgers that were applied: where they moved on meanwhile, they are left
    to the batch that follows. Tables of code get theirs from the next run, which reads them.
    """
    written = list(_targets_of(workspace, batch))
    if not written:
        return
    source, files_hash = str(batch["source"]), str(batch["files_hash"])
    project = workspace.project(str(batch["project_id"]))
    metadata = _metadata_of(batch)
    # A batch of skills says what differed: the hash of all their files comes from the sensor.
    of_files = None if source == SKILLS else {DATA_VERSION_TAG: files_hash}
    yield dg.AssetMaterialization(FILES[source], partition=project.id, tags=of_files, metadata=metadata)
    parsed = _read_if_still(project, files_hash) if source == "ledgers" else None
    versions = versions_of(workspace, parsed) if parsed else {}
    for target, counts in written:
        tags = {DATA_VERSION_TAG: versions[target]} if target in versions else None
        yield dg.AssetMaterialization(ASSETS[target], partition=project.id, tags=tags, metadata={**metadata, **counts})


def _read_if_still(project: Project, files_hash: str) -> ParsedProject | None:
    """The ledgers, where they are still those of the batch."""
    try:
        digests = {path: digest_ledger(project, path) for path in stat_ledgers(project)}
    except OSError:
        return None
    return read_project(project) if tree_hash(digests) == files_hash else None


def versions_of(workspace: Workspace, parsed: ParsedProject) -> dict[str, str]:
    """Target → data version, as the assets of a run have it."""
    entries = entries_hash(parsed)
    versions = {"database": entries, "vectors": hash_text(f"{entries} {workspace.embedding.model}")}
    if parsed.project.readme and not parsed.quarantined:
        versions["readme"] = hash_text(summarize(parsed.ledgers))
    return versions


def _targets_of(workspace: Workspace, batch: dict[str, object]) -> Iterator[tuple[str, dict[str, int]]]:
    """The targets that were written and have an asset, with their counts."""
    present = dict.fromkeys(ASSETS, True) | {
        "vectors": has_vectors(workspace),
        "readme": has_readme(workspace),
        "points": has_code_points(workspace),
        "skill_points": has_vectors(workspace),
    }
    targets = batch["targets"]
    if isinstance(targets, dict):
        yield from ((name, counts) for name, counts in targets.items() if counts is not None and present.get(name))


def _metadata_of(batch: dict[str, object]) -> Metadata:
    paths, problems, milliseconds = batch["paths"], batch["problems"], batch["milliseconds"]
    if not isinstance(paths, list) or not isinstance(problems, list) or not isinstance(milliseconds, int):
        raise TypeError("not a batch")
    lines = [f"- {escape_markdown(path)}" for path in paths[:PATHS_SHOWN]]
    lines += [f"- and {len(paths) - PATHS_SHOWN} more"] if len(paths) > PATHS_SHOWN else []
    found = tuple(Problem(**{**problem, "severity": Severity(problem["severity"])}) for problem in problems)
    return {
        "reported_by": "sot watch",
        "changed_files": dg.MetadataValue.md("\n".join(lines)),
        "milliseconds": milliseconds,
        **({"problems": problem_table(found)} if found else {}),
    }


if __name__ == "__main__":
    main()
