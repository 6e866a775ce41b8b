"""What the UI shows of an outcome: counts, tables and seconds as Dagster metadata.

Every text that comes from a ledger goes through `escape_markdown`; tables are bounded, so that a
first sync of 100,000 entries does not put them all into the event log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import dagster as dg

from sot_pipeline.ledgers.project import ParsedProject
from sot_pipeline.orchestration.escape import escape_markdown
from sot_pipeline.orchestration.plot import growth, growth_plot
from sot_pipeline.outcome import (
    Change,
    Disagreement,
    ProjectAgreement,
    ReadmeOutcome,
    RowsOutcome,
    VectorsOutcome,
)
from sot_pipeline.plan import Problem
from sot_pipeline.runtime import stopwatch
from sot_pipeline.targets.database import tables
from sot_pipeline.targets.database.tables import sot_entries
from sot_pipeline.targets.vectors.kinds import CollectionId

Metadata: TypeAlias = "dict[str, dg.MetadataValue | str | int | float]"

ROWS_SHOWN = 50
KEYS_SHOWN = 20


class Stopwatch(stopwatch.Stopwatch):
    """Seconds of each phase of a step, as metadata `seconds_<phase>`."""

    @property
    def metadata(self) -> Metadata:
        """What was timed so far."""
        return {f"seconds_{phase}": seconds for phase, seconds in self.seconds.items()}


def of_ledgers(parsed: ParsedProject) -> Metadata:
    """What was read: entries by ledger, and what is wrong with them."""
    return {
        "dagster/row_count": len(parsed.records),
        "files_hash": parsed.hash[:16],
        **{f"entries_{file_type}": count for file_type, count in parsed.parsed.items()},
        **problem_metadata(parsed.problems),
    }


def of_rows(parsed: ParsedProject, rows: RowsOutcome) -> Metadata:
    """What was written to `sot_entries`, and how the ledgers grew."""
    plot = growth_plot(growth(parsed.records))
    return {
        "changes": change_table(rows.changes),
        **problem_metadata(rows.problems),
        **rows.counts._asdict(),
        **({"growth": dg.MetadataValue.md(plot)} if plot else {}),
        "dagster/row_count": len(parsed.records),
        "dagster/table_name": sot_entries.name,
        "dagster/column_schema": dg.MetadataValue.table_schema(schema_of(sot_entries.name)),
    }


def of_points(collection: CollectionId, points: VectorsOutcome) -> Metadata:
    """What was written to the collection, and how many texts that took."""
    return {
        "changes": change_table(points.changes),
        **problem_metadata(points.problems),
        **points.counts._asdict(),
        "embedded": points.embedded,
        "cached": points.cached,
        "dagster/row_count": points.counts.inserted + points.counts.updated + points.counts.unchanged,
        "dagster/table_name": collection.name,
    }


def of_readme(readme: ReadmeOutcome) -> Metadata:
    """Whether the README changed, and the summary it holds."""
    return {
        "changed": readme.changed,
        "summary": dg.MetadataValue.md(f"```\n{readme.summary.replace('```', '')}\n```"),
        **problem_metadata(readme.problems),
    }


def problem_metadata(problems: Sequence[Problem]) -> Metadata:
    """Problems as metadata, nothing where there are none."""
    return {"problems": problem_table(problems)} if problems else {}


def change_table(changes: Sequence[Change]) -> dg.MetadataValue:
    """What was inserted, updated and deleted, with file and line, as markdown."""
    if not changes:
        return dg.MetadataValue.md("Nothing changed.")
    rows = (
        (change.action, change.record.entry_id, change.title, _place(change.path, change.line)) for change in changes
    )
    return table(("change", "entry", "title", "where"), rows, total=len(changes))


def problem_table(problems: Sequence[Problem]) -> dg.MetadataValue:
    """Problems with file and line, as markdown."""
    rows = ((p.severity.value, p.check, _place(p.path, p.line), p.message) for p in problems)
    return table(("severity", "check", "where", "what"), rows, total=len(problems))


def cross_counts(project: ProjectAgreement) -> Metadata:
    """Entries in files, rows and points as numbers, and the cross-count table by ledger."""
    counts = sorted(project.counts.items())
    targets = list(dict.fromkeys(target for _, found in counts for target in found))
    rows = ((file_type, *(str(found.get(target, "")) for target in targets)) for file_type, found in counts)
    return {
        **{target: sum(found.get(target, 0) for _, found in counts) for target in targets},
        "entries": table(("ledger", *targets), rows, total=len(counts)),
    }


def disagreement_metadata(targets: Sequence[Disagreement]) -> Metadata:
    """How many keys are missing, extra or stale, and the first of each by name."""
    named = {
        "missing": [key for target in targets for key in target.missing],
        "extra": [key for target in targets for key in target.extra],
        "stale": [key for target in targets for key in target.stale],
    }
    metadata: Metadata = {name: len(keys) for name, keys in named.items()}
    rows = [(name, key) for name, keys in named.items() for key in keys[:KEYS_SHOWN]]
    if rows:
        metadata["keys"] = table(("", "key"), rows, total=sum(map(len, named.values())))
    return metadata


def schema_of(name: str) -> dg.TableSchema:
    """The columns of a table, as the database has them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name, str(column.type), constraints=dg.TableColumnConstraints(nullable=bool(column.nullable))
            )
            for column in tables.metadata.tables[name].columns
        ]
    )


def _place(path: str, line: int | None) -> str:
    return path if line is None else f"{path}:{line}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, total: int) -> dg.MetadataValue:
    """`rows` as a markdown table, escaped, the first of them where there are many of the `total`."""
    lines = [_row(head), _row(["---"] * len(head))]
    shown = 0
    for row in rows:
        if shown == ROWS_SHOWN:
            break
        lines.append(_row([escape_markdown(cell) for cell in row]))
        shown += 1
    if total > shown:
        lines.append(f"\n… and {total - shown} more.")
    return dg.MetadataValue.md("\n".join(lines))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
