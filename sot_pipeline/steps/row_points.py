"""Points that follow rows of the database: which lag is told by hashes alone, and only their texts are read.

The texts are cut and embedded (`points.py`) some megabytes at a time. What is to be done is decided
in `row_points_plan.py`; whose rows these are, and how they are cut, in `code_points.py` and
`skill_points.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.outcome import Change, VectorsOutcome
from sot_pipeline.plan import Counts, Plan, Problem, Severity, diff
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session
from sot_pipeline.steps.activity import activity_of
from sot_pipeline.steps.points import Texts, fill_cache, new_version, points_present, update_live_version, would_embed
from sot_pipeline.steps.row_points_plan import PointsPlan, in_groups, plan_points
from sot_pipeline.targets.vectors.kinds import CollectionId
from sot_pipeline.targets.vectors.points import record_of_point
from sot_pipeline.targets.vectors.store import Point

# Text that is cut and compared at a time: some thousand points.
GROUP_BYTES = 4 * 1024 * 1024


class ListedText(Protocol):
    """A text that has points: its hash ("" where nobody knows what it is), and about how large it is."""

    @property
    def content_hash(self) -> str:
        """Hash of the text."""

    @property
    def size(self) -> int:
        """Bytes or characters."""


class FollowedRows(Protocol):
    """Rows of one project, and how their texts become points."""

    @property
    def collection(self) -> CollectionId:
        """Where the points are; the entry id of each is the path of its row."""

    @property
    def activity(self) -> str:
        """What `sync_activity` calls the step."""

    @property
    def verification(self) -> str:
        """What `sync_activity` calls a verification of what the step made."""

    def listed(self) -> Mapping[str, ListedText]:
        """Path → text, of every row that has points."""

    def points(self, paths: Sequence[str], embedder: Embedder) -> list[Point]:
        """The points of some rows, the first of each last: it is there only where all others are."""

    def is_cut_anew(self) -> bool:
        """Whether rows of the same hash may have had other points when they were last all made."""

    def remember_cut(self, deadline: Deadline) -> None:
        """Note that all points are made by the rules of now."""


def sync_points(
    session: Session, rows: FollowedRows, *, execute: bool, rebuild: bool = False, allow_mass_delete: bool = False
) -> VectorsOutcome:
    """Make the collection agree with the rows as they are.

    With `rebuild` a new version is filled and swapped in, unless points must stay that no row
    tells of; then the live version is updated instead. Raises as `steps.vectors.sync_vectors` does.
    """
    started = time.perf_counter()
    found = _read(session, rows, allow_mass_delete=allow_mass_delete, every=rebuild)
    problems = found.plan.problems
    if rebuild and (found.plan.kept or problems):
        rebuild, problems = False, (*problems, _rebuild_put_off(rows.collection))
    counts, texts, changes = Counts(unchanged=found.plan.left_alone), Texts(), list[Change]()
    with _writer(session, rows.collection, execute=execute, rebuild=rebuild) as write:
        for part in _parts(session, found):
            texts = texts.plus(write(part))
            counts = counts.plus(part.plan.counts())
            changes += _changes(part.plan, found)
    if execute:
        if not found.plan.kept and rows.is_cut_anew():
            rows.remember_cut(session.deadline)
        activity = activity_of(rows.activity, len(found.sizes), counts, problems, started)
        session.require_database().record_activity(rows.collection.project_id, activity, session.deadline)
    return VectorsOutcome(counts, texts.embedded, texts.cached, tuple(changes), problems)


def embed_lagging(session: Session, rows: FollowedRows) -> None:
    """Put the vectors into the cache that a sync would ask for. Raises as a sync does."""
    for part in _parts(session, _read(session, rows, allow_mass_delete=True, every=False)):
        fill_cache(session, rows.collection, part.plan.upserts)


def lag_of_points(session: Session, rows: FollowedRows) -> tuple[int, int]:
    """How many points there are, and of how many rows they are not those of now. Raises as a sync does."""
    found = _read(session, rows, allow_mass_delete=True, every=False)
    gone = {record_of_point(key, rows.collection) for key in found.plan.gone}
    return sum(map(len, found.plan.held.values())), len(found.plan.lagging) + len(gone)


def points_of_rows(session: Session, rows: FollowedRows) -> Iterator[Point]:
    """Every point the collection should hold by the rows as they are."""
    _, embedder = session.require_vectors()
    sizes = {path: text.size for path, text in rows.listed().items()}
    for paths in in_groups(tuple(sizes), sizes, GROUP_BYTES):
        session.check(f"before the points of {paths[0]}")
        yield from rows.points(paths, embedder)


@dataclass(frozen=True, slots=True)
class _Found:
    """What rows and collection say before anything is done; `sizes` are those of the rows' texts."""

    rows: FollowedRows
    sizes: Mapping[str, int]
    plan: PointsPlan


class _Part(NamedTuple):
    """All points of some files, and what is to be done to those there are."""

    wanted: Sequence[Point]
    plan: Plan[str, Point]


def _read(session: Session, rows: FollowedRows, *, allow_mass_delete: bool, every: bool) -> _Found:
    session.check(f"before the points of {rows.collection.name}")
    deep = session.require_database().disagreed(rows.collection.project_id, rows.activity, by=rows.verification)
    listed = rows.listed()
    plan = plan_points(
        {path: text.content_hash for path, text in listed.items()},
        points_present(session, rows.collection, deep=deep),
        rows.collection,
        every=every or deep or rows.is_cut_anew(),
        may_delete_many=allow_mass_delete,
    )
    return _Found(rows, {path: text.size for path, text in listed.items()}, plan)


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
        wanted = found.rows.points(paths, embedder)
        present = {key: stored for path in paths for key, stored in found.plan.held.get(path, {}).items()}
        yield _Part(wanted, diff(wanted, present))
    if found.plan.gone:
        yield _Part((), Plan(deletes=found.plan.gone))


def _changes(plan: Plan[str, Point], found: _Found) -> Iterator[Change]:
    """One line a file that gets points, gets others, or loses them."""
    keys = (*(point.key for point in plan.upserts), *plan.deletes)
    for record in dict.fromkeys(record_of_point(key, found.rows.collection) for key in keys):
        path = record.entry_id
        action = "delete" if path not in found.sizes else "update" if path in found.plan.held else "insert"
        yield Change(action, record, "", path, None)


def _rebuild_put_off(collection: CollectionId) -> Problem:
    mend = collection.kind.rebuild.replace(" --rebuild", "")
    return Problem(
        check="full_rebuild",
        severity=Severity.WARNING,
        path=".",
        line=None,
        message=f"{collection.name} was updated in place, not rebuilt: some points must stay as they are. "
        f"Run {mend}, mend what it says, and rebuild again.",
    )
