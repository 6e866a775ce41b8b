"""Which sources there are, by the names of `--sources` and `--tables`. A new one is added here."""

from __future__ import annotations

from collections.abc import Collection

from sot_pipeline.errors import RequirementMissing, UsageError
from sot_pipeline.watch.code import CodeSource
from sot_pipeline.watch.ledgers import LedgerSource
from sot_pipeline.watch.skills import SkillSource
from sot_pipeline.watch.source import Source
from sot_pipeline.workspace import Project, Workspace

SOURCES: dict[str, type[LedgerSource] | type[CodeSource] | type[SkillSource]] = {
    LedgerSource.name: LedgerSource,
    CodeSource.name: CodeSource,
    SkillSource.name: SkillSource,
}


def open_sources(
    workspace: Workspace, projects: Collection[Project], names: str | None = None, tables: str | None = None
) -> tuple[Source, ...]:
    """The sources that `names` lists, commas between (None: all that one of `projects` has).

    With `tables` those that fill one of these, and only these. Raises UsageError, which says what
    is known, for any other name, and RequirementMissing for a source that no project has.
    """
    wanted = tuple(SOURCES) if names is None else _listed(names, tuple(SOURCES), "source", "--sources")
    known = tuple(table for name in wanted for table in SOURCES[name].tables)
    filled = None if tables is None else frozenset(_listed(tables, known, "table", "--tables"))
    opened = [
        SOURCES[name](workspace, filled)
        for name in wanted
        if filled is None or not filled.isdisjoint(SOURCES[name].tables)
    ]
    had = [source for source in opened if any(map(source.has, projects))]
    missing = [source.name for source in opened if source not in had]
    if missing and names is not None:
        raise RequirementMissing(
            f"No project has {' or '.join(missing)} to watch.",
            remedy="A project has them where sot.toml has "
            + " or ".join(f"[project.{name}]" for name in missing)
            + " below its [[project]].",
        )
    return tuple(had)


def _listed(text: str, known: tuple[str, ...], what: str, flag: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in found:
        if name not in known:
            raise UsageError(f"Unknown {what} '{name}'.", remedy=f"{flag} knows: {', '.join(known)}.")
    return found
