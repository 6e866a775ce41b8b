"""Dagster's own storage in PostgreSQL, by the settings under `deploy/postgres`."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

from sot_pipeline_tests.conftest import PostgresServer

SETTINGS = Path(__file__).parents[2] / "deploy" / "postgres" / "dagster.yaml"


@dg.asset
def firing() -> None:
    """Something to materialize."""


def test_runs_and_events_are_kept_in_postgresql(
    tmp_path: Path, postgres_server: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_PG_URL", postgres_url.replace("postgresql+psycopg", "postgresql+psycopg2"))
    shutil.copyfile(SETTINGS, tmp_path / "dagster.yaml")
    name = postgres_url.rpartition("/sot_")[2].partition("?")[0]

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        result = dg.materialize([firing], instance=instance)
        events = instance.get_latest_materialization_event(dg.AssetKey("firing"))

    assert result.success and events is not None
    with postgres_server.connect(f"sot_{name}") as connection:
        assert connection.execute("SELECT run_id FROM runs").fetchall() == [(result.run_id,)]
