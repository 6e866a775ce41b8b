"""Applies the plans of the two code tables: changed files are analysed and written, a batch at a time.

Each table is written in a transaction of its own; one that cannot be written keeps neither the
other nor later files from being. What the plans say is `code_plan.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from sot_pipeline.code.languages import language_of
from sot_pipeline.errors import DatabaseUnavailable, FileUnusable
from sot_pipeline.plan import Counts, Plan, Problem
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.session import Session
from sot_pipeline.steps.code_apart import Analyst, ReadFile
from sot_pipeline.steps.code_sources import Source, read_content, unreadable
from sot_pipeline.targets.database.code_rows import FileRow
from sot_pipeline.workspace import Project

# What is analysed before it is written: bounds memory, and what a passed deadline loses.
BATCH_BYTES = 4 * 1024 * 1024
BATCH_FILES = 200

_ANALYST = Analyst()


Write = Callable[[Sequence[FileRow], Collection[str]], None]


@dataclass
class TableWriter:
    """One table while it is written: its plan, what of it was committed, and what keeps it from being written."""

    plan: Plan[str, Source]
    write: Write
    done: Counts = field(default=Counts())
    error: DatabaseUnavailable | None = None

    def __post_init__(self) -> None:
        self.done = Counts(unchanged=self.plan.unchanged)
        self._gone = self.plan.deletes
        self._inserts = {source.path for source in self.plan.inserts}
        self.wanted = {source.path: source for source in self.plan.upserts}

    def apply(self, batch: Sequence[FileRow]) -> None:
        """Write those of `batch` that the plan names, in one transaction; in the first one delete what is gone."""
        rows = [each for each in batch if each.file.path in self.wanted]
        if self.error or not (rows or self._gone):
            return
        try:
            self.write(rows, self._gone)
        except DatabaseUnavailable as error:  # the other table may fare better
            self.error = error
            return
        inserted = sum(each.file.path in self._inserts for each in rows)
        self.done = self.done.plus(Counts(inserted, len(rows) - inserted, len(self._gone)))
        self._gone = ()


def write_changed(session: Session, project: Project, tables: Sequence[TableWriter], problems: list[Problem]) -> None:
    """Write what the plans of `tables` say; files that cannot be read any more are added to `problems`.

    Raises DeadlineExceeded, LeaseLost or LockNotAcquired; what was committed is in the tables' `done`.
    """
    changed = {path: source for table in tables for path, source in table.wanted.items()}
    sources = [source for _, source in sorted(changed.items())]
    batch: list[FileRow] = []
    size = 0
    with closing(analysed(session, project, sources, problems)) as rows:
        for number, row in enumerate(rows, start=1):
            batch.append(row)
            size += row.file.size
            if len(batch) == BATCH_FILES or size >= BATCH_BYTES:
                _apply(tables, batch)
                session.progress("code", number, len(changed))
                batch, size = [], 0
    _apply(tables, batch)


def analysed(
    session: Session, project: Project, sources: Iterable[Source], problems: list[Problem]
) -> Generator[FileRow, None, None]:
    """Read and analyse files; those that went meanwhile are left out, those that cannot be read are `problems` too."""
    for read, file in _ANALYST.analyze(_read(session, project, sources, problems)):
        content = read.content
        # Of a file that is too large to be analysed only the head was seen.
        yield FileRow(replace(file, size=content.size, content_hash=content.content_hash), content.modified)


def _read(session: Session, project: Project, sources: Iterable[Source], problems: list[Problem]) -> Iterator[ReadFile]:
    for source in sources:
        session.check(f"before {source.path}")
        try:
            content = read_content(project, source.name, session.deadline)
        except (FileNotFoundError, NotADirectoryError):
            continue  # the next run deletes its row
        except (OSError, FileUnusable) as error:
            problems.append(unreadable(source.path, error))
        else:
            yield ReadFile(source.path, language_of(source.path) or "", content)


def _apply(tables: Sequence[TableWriter], batch: Sequence[FileRow]) -> None:
    for table in tables:
        table.apply(batch)
        reach(Failpoint.CODE_TABLE_WRITTEN)
    reach(Failpoint.CODE_BATCH_WRITTEN)
