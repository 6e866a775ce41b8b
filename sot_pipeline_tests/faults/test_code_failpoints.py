"""An indexing of code that is killed at any of its steps leaves what the next run completes."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from sot_pipeline.plan import canonical_json
from sot_pipeline.runtime.failpoints import VARIABLE, Failpoint
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import FILES, CodeTable, decoded
from sot_pipeline_tests.code_workspaces import BAD, KILN, Studio, make_studio
from sot_pipeline_tests.faults.processes import run
from sot_pipeline_tests.targets.database.ledger import tamper
from sot_pipeline_tests.workspaces import Kiln

# The first and the last of these a sync reaches as well.
FIRST_RUN = (Failpoint.SCHEMA_UPGRADED,)
POINTS = (
    *FIRST_RUN,
    *(point for point in Failpoint if point.startswith("code-")),
    Failpoint.VECTORS_RECORDED,
)
# One file is gone, one is changed; what comes has a huge file in its middle, which ends a batch.
GONE = "src/glaze.py"
EDITED: Mapping[str, str | bytes] = {**BAD, "src/kiln.py": KILN.replace("cone > 10", "cone > 12 and cone")}
# A digest of every column of each row of a table, but for when it was written.
Tables = dict[str, dict[str, str]]


def studio_at(folder: Path, url: str) -> Studio:
    return settled(make_studio(folder, url))


def settled(studio: Studio) -> Studio:
    """The same times for all files of any copy: they are in a column."""
    for file in (studio.folder / "src").iterdir():
        os.utime(file, (1_700_000_000, 1_700_000_000))
    return studio


def edit(studio: Studio) -> None:
    studio.write(EDITED)
    (studio.folder / GONE).unlink()
    settled(studio)


def tables_of(studio: Studio) -> Tables:
    """Path → digest of its row, of both tables and of the tokens beside them."""
    url = studio.workspace().database_url
    columns = [name for name in FILES.columns if name not in ("parsed_at", "updated_at")]
    rows = tamper(url, f"SELECT {', '.join(columns)} FROM code_files")
    tokens = tamper(url, "SELECT path, content_hash, tokens FROM code_tokens")
    at = columns.index("functions")
    with studio.database() as database:
        index = CodeIndex(database, "studio")
        paths = index.fingerprints(CodeTable.METADATA)
        stored = [found for path in paths if (found := index.metadata(path))]
    return {
        "code_files": {
            str(row[1]): digest([*row[:at], *map(decoded, row[at : at + 5]), *row[at + 5 :]]) for row in rows
        },
        "codebase_metadata": {
            row.path: digest(
                [
                    *(row.size, row.language, str(row.last_modified), row.file_type, row.content_hash),
                    *(dict(row.metrics.values), dict(row.metrics.status)),
                ]
            )
            for row in stored
        },
        "code_tokens": {str(path): digest([stored, bytes(found).hex()]) for path, stored, found in tokens},
    }


def digest(row: list[object]) -> str:
    return hashlib.sha256(canonical_json(row).encode()).hexdigest()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, Tables]:
    """The tables before and after the edit, where nothing was killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    studio = studio_at(folder / "studio", f"sqlite:///{folder}/sot.db")
    studio.index(full=True)
    before = tables_of(studio)
    edit(studio)
    studio.index(full=True)
    return before, tables_of(studio)


def killed(studio: Studio, point: Failpoint) -> None:
    died = run(Kiln(studio.folder, studio.environment), "code", "index", "--execute", environment={VARIABLE: point})
    assert died.code == -signal.SIGKILL, f"{point} was not reached: {died.err}"


@pytest.mark.parametrize("point", POINTS)
def test_indexing_killed_at_any_step_is_completed_by_the_next(
    tmp_path: Path, database_url: str, point: Failpoint, undisturbed: tuple[Tables, Tables]
) -> None:
    before, after = undisturbed
    studio = studio_at(tmp_path / "studio", database_url)
    if point not in FIRST_RUN:
        studio.index(full=True)
        assert tables_of(studio) == before
    edit(studio)

    killed(studio, point)

    left = tables_of(studio)
    for table in ("code_files", "code_tokens"):  # metadata can also be new without its relations
        assert left[table].items() <= before[table].items() | after[table].items(), table
    completed = studio.index(full=True)
    assert (completed.error, completed.exit_code) == (None, 0)
    assert tables_of(studio) == after
    assert studio.verify().agree
    again = studio.index(full=True)
    assert again.changes == ()
    assert again.relations and again.relations.updated == 0


def test_kill_between_the_tables_leaves_one_batch_in_one_of_them(
    tmp_path: Path, database_url: str, undisturbed: tuple[Tables, Tables]
) -> None:
    before, after = undisturbed
    studio = studio_at(tmp_path / "studio", database_url)
    studio.index(full=True)
    edit(studio)

    killed(studio, Failpoint.CODE_TABLE_WRITTEN)

    left = tables_of(studio)
    written = left["code_files"].keys() - before["code_files"].keys()
    assert "src/huge.py" in written < after["code_files"].keys() - before["code_files"].keys()
    assert left["codebase_metadata"] == before["codebase_metadata"]
    assert left["code_tokens"] == before["code_tokens"]


def test_kill_after_an_upgrade_of_the_analysis_costs_only_the_batches_that_were_left(
    tmp_path: Path, database_url: str, undisturbed: tuple[Tables, Tables]
) -> None:
    studio = studio_at(tmp_path / "studio", database_url)
    edit(studio)
    studio.index(full=True)
    tamper(database_url, "UPDATE code_analysis SET version = 'older'")

    killed(studio, Failpoint.CODE_BATCH_WRITTEN)

    stale = sorted(path for path, stored in studio.rows().items() if not stored)
    assert 0 < len(stale) < len(undisturbed[1]["code_files"])
    assert [change.path for change in studio.index(full=True).changes] == stale
    assert tables_of(studio) == undisturbed[1]
