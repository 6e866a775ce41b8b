"""Which sources there are, by the names of `--sources` and `--tables`. A new one is added here."""

from __future__ import annotations

from sot_pipeline.errors import UsageError
from sot_pipeline.watch.ledgers import LedgerSource
from sot_pipeline.watch.source import Source
from sot_pipeline.workspace import Workspace

SOURCES = {LedgerSource.name: LedgerSource}


def open_sources(workspace: Workspace, names: str, tables: str | None) -> tuple[Source, ...]:
    """The sources that `names` lists, commas between; with `tables` those that fill one of these, and only these.

    Raises UsageError, which says what is known, for any other name.
    """
    wanted = _listed(names, tuple(SOURCES), "source", "--sources")
    known = tuple(table for name in wanted for table in SOURCES[name].tables)
    filled = _listed(tables, known, "table", "--tables") if tables is not None else known
    return tuple(
        SOURCES[name](workspace, rows_only=tables is not None)
        for name in wanted
        if not set(filled).isdisjoint(SOURCES[name].tables)
    )


def _listed(text: str, known: tuple[str, ...], what: str, flag: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in found:
        if name not in known:
            raise UsageError(f"Unknown {what} '{name}'.", remedy=f"{flag} knows: {', '.join(known)}.")
    return found
