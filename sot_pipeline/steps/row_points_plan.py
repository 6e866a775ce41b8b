"""From hashes of rows and a collection's fingerprints to what is to be done, row by row. Pure.

The same two protections as in `code_plan`: points of a row of which nobody knows what it holds are
not touched, and a plan that would lose the points of a large part of the rows is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sot_pipeline.plan import Problem, RecordKey, Severity, is_mass_delete
from sot_pipeline.steps.code_plan import MASS_DELETE_CHECK
from sot_pipeline.targets.vectors.kinds import CollectionId
from sot_pipeline.targets.vectors.points import point_key, record_of_point


@dataclass(frozen=True, slots=True)
class PointsPlan:
    """`lagging` are the paths whose points are not those of their rows, `gone` the keys of points without a row.

    `held` are the points there are (path → key → fingerprint). Those of `kept` paths stay as they
    are, because nobody knows what their rows hold.
    """

    lagging: tuple[str, ...]
    gone: tuple[str, ...]
    held: Mapping[str, Mapping[str, str]]
    kept: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()

    @property
    def left_alone(self) -> int:
        """Number of points that are neither compared nor deleted."""
        touched = {*self.gone}.union(*(self.held[path] for path in self.lagging if path in self.held))
        return sum(key not in touched for points in self.held.values() for key in points)


def plan_points(
    rows: Mapping[str, str],
    present: Mapping[str, str],
    collection: CollectionId,
    *,
    every: bool = False,
    may_delete_many: bool = False,
) -> PointsPlan:
    """What makes a collection that holds `present` follow `rows` (path → content hash, "" where nobody knows).

    With `every` all are compared point by point. Without `may_delete_many` a plan that loses
    the points of over a fifth of the rows deletes none of them.
    """
    held, foreign = _by_path(present, collection)
    kept = frozenset(path for path, content_hash in rows.items() if not content_hash)
    lagging = tuple(
        path
        for path, content_hash in rows.items()
        if path not in kept and (every or not _is_whole(held.get(path, {}), content_hash, _first(collection, path)))
    )
    extra = [path for path in held if path not in rows]
    arrived = {rows[path] for path in lagging if path not in held}
    lost = [path for path in extra if not _hashes_in(held[path]) & arrived]
    if may_delete_many or not is_mass_delete(len(lost), len(held)):
        return PointsPlan(lagging, (*foreign, *(key for path in extra for key in held[path])), held, kept)
    refused = Problem(
        check=MASS_DELETE_CHECK,
        severity=Severity.ERROR,
        path=".",
        line=None,
        message=f"{len(lost)} of {len(held)} entries that have points have no row any more: refused, no point of "
        "theirs is deleted. If they are meant to be gone, run again with --allow-mass-delete.",
    )
    return PointsPlan(lagging, foreign, held, kept, (refused,))


def in_groups(paths: Sequence[str], sizes: Mapping[str, int], limit: int) -> Iterator[tuple[str, ...]]:
    """`paths` in their order, in groups of at most `limit` bytes, or of one path."""
    group: list[str] = []
    size = 0
    for path in paths:
        if group and size + sizes[path] > limit:
            yield tuple(group)
            group, size = [], 0
        group.append(path)
        size += sizes[path]
    if group:
        yield tuple(group)


def _by_path(present: Mapping[str, str], collection: CollectionId) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """The points by the path of their row, and the keys that are none of ours."""
    held: defaultdict[str, dict[str, str]] = defaultdict(dict)
    foreign = []
    for key, fingerprint in present.items():
        record = record_of_point(key, collection)
        if record.file_type:
            held[record.entry_id][key] = fingerprint
        else:
            foreign.append(key)
    return dict(held), tuple(foreign)


def _first(collection: CollectionId, path: str) -> str:
    return point_key(RecordKey(collection.project_id, collection.kind.file_types, path), 0)


def _is_whole(points: Mapping[str, str], content_hash: str, first: str) -> bool:
    """Whether these are all points of a row with that hash: its first one is written last."""
    return first in points and _hashes_in(points) == {content_hash}


def _hashes_in(points: Mapping[str, str]) -> set[str]:
    return {fingerprint.partition("-")[0] for fingerprint in points.values()}
