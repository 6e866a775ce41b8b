"""What the UI shows of the code index: counts, changed files, hot spots, and how complexity is spread."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from sot_pipeline.orchestration.histogram import histogram, spread
from sot_pipeline.orchestration.metadata import Metadata, problem_metadata, schema_of, table
from sot_pipeline.outcome import CodeOutcome
from sot_pipeline.plan import Counts, Json
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import CodeTable, StoredMetadata

HOT_SPOTS = 10
_SHOWN = ("hotspot_score", "commits_90d", "cyclomatic_complexity", "code_lines")


def of_table(written: CodeTable, counts: Counts, done: CodeOutcome) -> Metadata:
    """What was written to one of the two tables."""
    rows = ((change.action, change.path) for change in done.changes)
    changes = table(("change", "file"), rows, total=len(done.changes)) if done.changes else "Nothing changed."
    return {
        "changes": changes,
        **problem_metadata(done.problems),
        **counts._asdict(),
        "dagster/row_count": sum(counts) - counts.deleted,
        "dagster/table_name": written.value,
        "dagster/column_schema": dg.MetadataValue.table_schema(schema_of(written.value)),
        **_seconds(done),
    }


def of_graph(index: CodeIndex, done: CodeOutcome) -> Metadata:
    """What a full pass wrote, the hottest files, and how many files are how complex."""
    hot = index.extremes("hotspot_score", lowest=False, limit=HOT_SPOTS)
    picture = histogram("Files by cyclomatic complexity", spread(index.values_of("cyclomatic_complexity")))
    return {
        **(done.relations or Counts())._asdict(),
        **({"hot_spots": hot_spots(hot)} if hot else {}),
        **({"complexity": dg.MetadataValue.md(picture)} if picture else {}),
        **_seconds(done),
    }


def hot_spots(rows: Iterable[StoredMetadata]) -> dg.MetadataValue:
    """Files with what makes them hot, as markdown."""
    lines = [(row.path, *(_cell(row.metrics.values[name]) for name in _SHOWN)) for row in rows]
    return table(("file", *_SHOWN), lines, total=len(lines))


def _cell(value: Json) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _seconds(done: CodeOutcome) -> Metadata:
    return {f"seconds_{phase}": seconds for phase, seconds in done.seconds.items()}
