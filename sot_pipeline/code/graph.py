"""The import graph's measures: PageRank, betweenness, and who depends on whom."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import rustworkx

# Brin and Page 1998.
DAMPING = 0.85
# Betweenness of all pairs takes nodes times edges; above this many files it is estimated from some sources.
EXACT_UP_TO = 2_000
SOURCES = 64
MOST_RELATED = 20


@dataclass(frozen=True, slots=True)
class Place:
    """One file in the graph. PageRank sums to 1 over all files; centrality is betweenness from 0 to 1."""

    pagerank: float
    centrality: float
    dependencies: tuple[str, ...]
    dependents: tuple[str, ...]
    related: tuple[str, ...]


def places_of(dependencies: Mapping[str, Sequence[str]]) -> dict[str, Place]:
    """Every file's place; an edge leads from the file that imports to the one imported."""
    paths = sorted(dependencies)
    number = {path: index for index, path in enumerate(paths)}
    targets = [[number[target] for target in dependencies[path]] for path in paths]
    graph = rustworkx.PyDiGraph(multigraph=False)
    graph.add_nodes_from(range(len(paths)))
    graph.add_edges_from_no_data([(source, target) for source, those in enumerate(targets) for target in those])
    ranks = rustworkx.pagerank(graph, alpha=DAMPING) if paths else {}
    between = _betweenness(graph, targets)
    dependents: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for target in dependencies[path]:
            dependents[target].append(path)
    rank = {path: ranks[index] for path, index in number.items()}
    return {
        path: Place(
            rank[path],
            between[index],
            tuple(dependencies[path]),
            tuple(dependents[path]),
            _related(path, {*dependencies[path], *dependents[path]}, rank),
        )
        for path, index in number.items()
    }


def _related(path: str, neighbours: set[str], rank: Mapping[str, float]) -> tuple[str, ...]:
    """What a file imports or is imported by, the most important first."""
    return tuple(sorted(neighbours - {path}, key=lambda each: (-rank[each], each))[:MOST_RELATED])


def _betweenness(graph: rustworkx.PyDiGraph[int, None], targets: Sequence[Sequence[int]]) -> Sequence[float]:
    if len(targets) <= EXACT_UP_TO:
        found = rustworkx.digraph_betweenness_centrality(graph)
        return [found[index] for index in range(len(targets))]
    return sampled_betweenness(targets, SOURCES)


def sampled_betweenness(targets: Sequence[Sequence[int]], sources: int) -> list[float]:
    """Betweenness from shortest paths out of some sources, scaled to all (Brandes and Pich 2007).

    The sources stand at equal distances, so that the same graph gives the same values; with as many
    sources as nodes it is exact (Brandes 2001).
    """
    size = len(targets)
    chosen = sorted({size * each // sources for each in range(sources)}) if size else []
    between = [0.0] * size
    for source in chosen:
        _add_paths(targets, source, between)
    pairs = (size - 1) * (size - 2) * len(chosen) / size if size > 2 else 1.0
    return [value / pairs for value in between]


def _add_paths(targets: Sequence[Sequence[int]], source: int, between: list[float]) -> None:
    """Brandes 2001: a breadth-first search counts shortest paths, the way back sums dependencies."""
    distance, paths = {source: 0}, {source: 1}
    before: dict[int, list[int]] = defaultdict(list)
    order, left = [], deque([source])
    while left:
        here = left.popleft()
        order.append(here)
        for there in targets[here]:
            if there not in distance:
                distance[there] = distance[here] + 1
                paths[there] = 0
                left.append(there)
            if distance[there] == distance[here] + 1:
                paths[there] += paths[here]
                before[there].append(here)
    share = dict.fromkeys(order, 0.0)
    for here in reversed(order):
        for earlier in before[here]:
            share[earlier] += paths[earlier] / paths[here] * (1 + share[here])
        if here != source:
            between[here] += share[here]
