"""Whatever is altered behind our back is found by a verification and healed by the next sync."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import qdrant_edge

from sot_pipeline.outcome import Mode
from sot_pipeline_tests.workspaces import Kiln, make_kiln


@pytest.fixture
def kiln(tmp_path: Path, database_url: str) -> Kiln:
    kiln = make_kiln(tmp_path / "kiln", database_url)
    kiln.synced()
    return kiln


def run_sql(kiln: Kiln, statement: str) -> None:
    url = kiln.workspace().database_url
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        with connection:
            connection.execute(statement)
        connection.close()
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute(statement.encode())


def shard(kiln: Kiln) -> qdrant_edge.EdgeShard:
    config = next((kiln.folder / ".sot" / "qdrant").rglob("edge_config.json"))
    return qdrant_edge.EdgeShard.load(str(config.parent))


def points_of(open_shard: qdrant_edge.EdgeShard) -> list[qdrant_edge.Record]:
    points, _ = open_shard.scroll(qdrant_edge.ScrollRequest(limit=100, with_payload=True, with_vector=True))
    return points


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sot_entries WHERE entry_id = 'BUILD-2'",
        "UPDATE sot_entries SET content = 'forged' WHERE entry_id = 'BUILD-2'",
        "UPDATE sot_entries SET title = 'forged' WHERE entry_id = 'BUILD-2'",
        "UPDATE sot_entries SET metadata = '{}' WHERE entry_id = 'BUILD-2'",
        "UPDATE sot_entries SET content = 'forged', content_hash = 'ffffffffffffffff' WHERE entry_id = 'BUILD-2'",
        "DELETE FROM sot_fulltext WHERE entry_id = 'BUILD-2'",
        "UPDATE sot_fulltext SET title = 'forged' WHERE entry_id = 'BUILD-2'",
        "DELETE FROM sot_fulltext",
        "DROP TABLE sot_fulltext",
    ],
)
def test_altered_rows_and_full_text_are_found_and_healed(kiln: Kiln, statement: str) -> None:
    run_sql(kiln, statement)

    found = kiln.verify()
    assert not found.agree
    assert found.exit_code == 6

    kiln.synced(Mode.DB_ONLY)
    assert kiln.verify().agree
    assert kiln.rows()["BUILD-2"] == "Thermocouple filter"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sot_entries SET content = 'forged' WHERE entry_id = 'BUILD-2'",
        "DELETE FROM sot_fulltext WHERE entry_id = 'BUILD-2'",
    ],
)
def test_altered_rows_are_healed_by_a_sync_without_a_verification_before(kiln: Kiln, statement: str) -> None:
    run_sql(kiln, statement)

    kiln.synced(Mode.DB_ONLY)

    assert kiln.verify().agree


def test_row_that_belongs_to_no_entry_is_found_and_removed(kiln: Kiln) -> None:
    run_sql(
        kiln,
        "INSERT INTO sot_entries (project_id, file_type, entry_id, title, content, metadata, created_at, updated_at, "
        "content_hash) VALUES ('kiln', 'build_history', 'BUILD-9', 'x', 'x', '{}', '2026-01-01', '2026-01-01', 'x')",
    )
    assert kiln.verify().database.extra == ("kiln_build_history_BUILD-9",)

    kiln.synced(Mode.DB_ONLY)

    assert kiln.verify().agree


def delete_point(open_shard: qdrant_edge.EdgeShard) -> None:
    first = points_of(open_shard)[0]
    open_shard.update(qdrant_edge.UpdateOperation.delete_points([first.id]))


def alter_payload(open_shard: qdrant_edge.EdgeShard) -> None:
    first = points_of(open_shard)[0]
    payload = {**(first.payload or {}), "text": "forged"}
    point = qdrant_edge.Point(first.id, first.vector, payload)
    open_shard.update(qdrant_edge.UpdateOperation.upsert_points([point]))


def alter_vector(open_shard: qdrant_edge.EdgeShard) -> None:
    first, second = points_of(open_shard)[:2]
    point = qdrant_edge.Point(first.id, second.vector, first.payload)
    open_shard.update(qdrant_edge.UpdateOperation.upsert_points([point]))


@pytest.mark.parametrize("alter", [delete_point, alter_payload, alter_vector])
def test_altered_points_are_found_and_healed(
    tmp_path: Path, sqlite_url: str, alter: Callable[[qdrant_edge.EdgeShard], None]
) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    kiln.synced()
    opened = shard(kiln)
    alter(opened)
    opened.flush()
    opened.close()

    found = kiln.verify()
    assert found.vectors and not found.vectors.agrees
    assert found.exit_code == 6

    kiln.synced(Mode.QDRANT_ONLY)
    assert kiln.verify().agree


def test_altered_points_are_healed_by_a_sync_without_a_verification_before(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    kiln.synced()
    opened = shard(kiln)
    alter_payload(opened)
    opened.flush()
    opened.close()

    kiln.synced(Mode.QDRANT_ONLY)

    assert kiln.verify().agree


def test_edited_summary_in_the_readme_is_found_and_healed(kiln: Kiln) -> None:
    kiln.readme.write_text(kiln.readme.read_text().replace("**Builds**: 3", "**Builds**: 33"))
    assert kiln.verify().readme_stale

    kiln.synced()

    assert kiln.verify().agree


def test_edited_ledger_disagrees_until_it_is_synced(kiln: Kiln) -> None:
    kiln.builds.write_text(kiln.builds.read_text().replace("median of five", "median of seven"))

    found = kiln.verify()

    assert found.database.stale == ("kiln_build_history_BUILD-2",)
    assert found.vectors and found.vectors.stale == ("kiln_build_history_BUILD-2#0",)
    assert found.counts["build_history"] == {"files": 3, "rows": 3, "points": 3}


def test_a_ledger_that_cannot_be_read_is_a_problem_and_no_disagreement(kiln: Kiln) -> None:
    kiln.builds.write_bytes(b"\0")

    found = kiln.verify()

    assert found.agree
    assert found.exit_code == 1
