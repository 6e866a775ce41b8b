"""`CodeTexts`: what one project's `code_files` hold to be embedded, and by which rules that was last done.

Who writes the rows is `code_index.py`.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, cast

from sot_pipeline.code.model import ParseStatus
from sot_pipeline.plan import Json
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.code_chunks import FileText
from sot_pipeline.targets.database.code_index import REMEMBER_VERSION
from sot_pipeline.targets.database.code_rows import CodeTable, decoded
from sot_pipeline.targets.database.database import Database
from sot_pipeline.targets.database.engine import Engine, Row

# How `code_analysis` calls the points, beside the two tables.
_POINTS = "code_points"
# A file that was not read has no text.
_READ = "project_id = ? AND content IS NOT NULL AND parse_status <> ?"


class ListedText(NamedTuple):
    """A file that was read: its hash ("" where somebody changed the row, so that nobody knows) and size in bytes."""

    content_hash: str
    size: int


@dataclass(frozen=True, slots=True)
class CodeTexts:
    """The texts of one project. Reads find nothing in a database without our tables; errors are those of `Database`."""

    database: Database
    project_id: str

    def listed(self) -> dict[str, ListedText]:
        """Path → hash and size, of every file that was read, in the order of the paths."""
        sql = f"SELECT path, content_hash, size FROM {CodeTable.FILES} WHERE {_READ} ORDER BY path"

        def read(engine: Engine) -> dict[str, ListedText]:
            rows = engine.query(sql, (self.project_id, ParseStatus.SKIPPED.value))
            return {path: ListedText(content_hash, size) for path, content_hash, size in cast("list[_Listed]", rows)}

        return self.database.read(read, {})

    def read(self, paths: Collection[str]) -> list[FileText]:
        """The texts of those of `paths` that were read, in the order of the paths."""

        def read(engine: Engine) -> list[FileText]:
            chosen, values = engine.among("path", tuple(paths))
            sql = (
                f"SELECT path, content, content_hash, symbols FROM {CodeTable.FILES} WHERE {_READ} AND {chosen} "
                "ORDER BY path"
            )
            rows = cast("list[_Stored]", engine.query(sql, (self.project_id, ParseStatus.SKIPPED.value, values)))
            return [
                FileText(path, content, content_hash, tuple(cast("list[dict[str, Json]]", decoded(symbols))))
                for path, content, content_hash, symbols in rows
            ]

        return self.database.read(read, [])

    def points_version(self) -> str | None:
        """By which rules the points were last made from all files; None where they never were."""
        sql = "SELECT version FROM code_analysis WHERE project_id = ? AND table_name = ?"
        found = self.database.read(lambda engine: engine.query(sql, (self.project_id, _POINTS)), list[Row]())
        return cast("str", found[0][0]) if found else None

    def remember_points(self, version: str, deadline: Deadline) -> None:
        """Note that all points are made by the rules of `version`."""
        with self.database.changing(self.project_id, deadline) as (engine, _):
            engine.execute(REMEMBER_VERSION, (self.project_id, _POINTS, version))


_Listed = tuple[str, str, int]
_Stored = tuple[str, str, str, object]
