"""The step on the points of source files: they are made to follow the rows of `code_files`.

Which files lag is told by hashes alone (`code_points_plan.py`); only their texts are read from the
database, cut and embedded (`points.py`), some megabytes at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from sot_pipeline.code.model import ANALYSIS_VERSION
from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.errors import RequirementMissing
from sot_pipeline.outcome import Change, VectorsOutcome
from sot_pipeline.plan import Counts, Plan, Problem, Severity, diff
from sot_pipeline.session import Session
from sot_pipeline.steps.activity import activity_of
from sot_pipeline.steps.code_points_plan import FilesPlan, in_groups, plan_files
from sot_pipeline.steps.points import Texts, fill_cache, new_version, points_present, update_live_version, would_embed
from sot_pipeline.targets.database.code_texts import CodeTexts
from sot_pipeline.targets.vectors.code_points import CUT_VERSION, code_points_of
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.points import record_of_point
from sot_pipeline.targets.vectors.store import Point
from sot_pipeline.workspace import Project

# What `sync_activity` calls this step, and a verification of what it made.
ACTIVITY = "code_points"
VERIFICATION = "verify_code_points"

# Source text that is cut and compared at a time: some thousand points.
GROUP_BYTES = 4 * 1024 * 1024
# Symbols, which say where a file is cut, come from the analysis.
_VERSION = f"{ANALYSIS_VERSION}.{CUT_VERSION}"


def require_embed(project: Project) -> None:
    """Raises RequirementMissing where the project's code is not embedded."""
    if not project.embeds_code:
        raise RequirementMissing(
            f"The code of project '{project.id}' is not embedded.",
            remedy="Write embed = true under its [project.code] in sot.toml, then run sot code index --execute.",
        )


def sync_code_points(
    session: Session,
    project: Project,
    *,
    execute: bool,
    rebuild: bool = False,
    allow_mass_delete: bool = False,
) -> VectorsOutcome:
    """Make the project's collection of code agree with the rows of `code_files`, as they are.

    With `rebuild` a new version is filled and swapped in, unless points must stay that no row
    tells of; then the live version is updated instead. Raises RequirementMissing where the code is
    not embedded, and as `steps.vectors.sync_vectors` does.
    """
    require_embed(project)
    started = time.perf_counter()
    found = _read(session, project, allow_mass_delete=allow_mass_delete, every=rebuild)
    problems = found.plan.problems
    if rebuild and (found.plan.kept or problems):
        rebuild, problems = False, (*problems, _REBUILD_PUT_OFF)
    counts, texts, changes = Counts(unchanged=found.plan.left_alone), Texts(), list[Change]()
    with _writer(session, found.collection, execute=execute, rebuild=rebuild) as write:
        for part in _parts(session, found):
            texts = texts.plus(write(part))
            counts = counts.plus(part.plan.counts())
            changes += _changes(part.plan, found)
    if execute:
        if not found.plan.kept and found.texts.points_version() != _VERSION:
            found.texts.remember_points(_VERSION, session.deadline)
        activity = activity_of(ACTIVITY, len(found.sizes), counts, problems, started)
        found.texts.database.record_activity(project.id, activity, session.deadline)
    return VectorsOutcome(counts, texts.embedded, texts.cached, tuple(changes), problems)


def embed_lagging(session: Session, project: Project) -> None:
    """Put the vectors into the cache that a sync would ask for. Raises as a sync does."""
    require_embed(project)
    found = _read(session, project, allow_mass_delete=True, every=False)
    for part in _parts(session, found):
        fill_cache(session, found.collection, part.plan.upserts)


def lag_of_points(session: Session, project: Project) -> tuple[int, int]:
    """How many points there are, and of how many files they are not those of the rows. Raises as a sync does."""
    require_embed(project)
    found = _read(session, project, allow_mass_delete=True, every=False)
    gone = {record_of_point(key, found.collection) for key in found.plan.gone}
    return sum(map(len, found.plan.held.values())), len(found.plan.lagging) + len(gone)


def points_of_rows(session: Session, project: Project) -> Iterator[Point]:
    """Every point the collection should hold by the rows as they are."""
    _, embedder = session.require_vectors()
    texts = CodeTexts(session.require_database(), project.id)
    sizes = {path: text.size for path, text in texts.listed().items()}
    for paths in in_groups(tuple(sizes), sizes, GROUP_BYTES):
        session.check(f"before the points of {paths[0]}")
        yield from _points(texts, paths, embedder)


@dataclass(frozen=True, slots=True)
class _Found:
    """What rows and collection say before anything is done; `sizes` are those of the rows' files, in bytes."""

    collection: CollectionId
    texts: CodeTexts
    sizes: Mapping[str, int]
    plan: FilesPlan


class _Part(NamedTuple):
    """All points of some files, and what is to be done to those there are."""

    wanted: Sequence[Point]
    plan: Plan[str, Point]


def _read(session: Session, project: Project, *, allow_mass_delete: bool, every: bool) -> _Found:
    session.check(f"before the points of the code of {project.id}")
    database, collection = session.require_database(), CollectionId(project.id, Kind.CODE)
    texts = CodeTexts(database, project.id)
    deep = database.disagreed(project.id, ACTIVITY, by=VERIFICATION)
    listed = texts.listed()
    plan = plan_files(
        {path: text.content_hash for path, text in listed.items()},
        points_present(session, collection, deep=deep),
        collection,
        every=every or deep or texts.points_version() != _VERSION,
        may_delete_many=allow_mass_delete,
    )
    return _Found(collection, texts, {path: text.size for path, text in listed.items()}, plan)


@contextmanager
def _writer(
    session: Session, collection: CollectionId, *, execute: bool, rebuild: bool
) -> Iterator[Callable[[_Part], Texts]]:
    """What is done with each part: its texts are counted, a new version is filled, or the live one updated."""
    if not execute:
        yield lambda part: would_embed(session, part.plan.upserts)
    elif rebuild:
        with new_version(session, collection) as fill:
            yield lambda part: fill(part.wanted)
    else:
        yield lambda part: update_live_version(session, collection, part.plan)


def _parts(session: Session, found: _Found) -> Iterator[_Part]:
    """What is to be done, some files at a time; what is to go comes last."""
    _, embedder = session.require_vectors()
    for paths in in_groups(found.plan.lagging, found.sizes, GROUP_BYTES):
        session.check(f"before the points of {paths[0]}")
        wanted = _points(found.texts, paths, embedder)
        present = {key: stored for path in paths for key, stored in found.plan.held.get(path, {}).items()}
        yield _Part(wanted, diff(wanted, present))
    if found.plan.gone:
        yield _Part((), Plan(deletes=found.plan.gone))


def _points(texts: CodeTexts, paths: Sequence[str], embedder: Embedder) -> list[Point]:
    """The points of some files. The first of each file is the last: it is there only where all others are."""
    cut = partial(code_points_of, texts.project_id, chunk_tokens=embedder.chunk_tokens, max_tokens=embedder.max_tokens)
    return [point for file in texts.read(paths) for point in reversed(cut(file))]


def _changes(plan: Plan[str, Point], found: _Found) -> Iterator[Change]:
    """One line a file that gets points, gets others, or loses them."""
    keys = (*(point.key for point in plan.upserts), *plan.deletes)
    for record in dict.fromkeys(record_of_point(key, found.collection) for key in keys):
        path = record.entry_id
        action = "delete" if path not in found.sizes else "update" if path in found.plan.held else "insert"
        yield Change(action, record, "", path, None)


_REBUILD_PUT_OFF = Problem(
    check="full_rebuild",
    severity=Severity.WARNING,
    path=".",
    line=None,
    message="The collection of code was updated in place, not rebuilt: some points must stay as they are. "
    "Run sot code index --execute, mend what it says, and rebuild again.",
)
