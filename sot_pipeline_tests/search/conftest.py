from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline_tests.search.workspaces import Desk


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Desk:
    """A workspace without vectors, on each kind of database; nothing is synced yet."""
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder, database_url)


@pytest.fixture
def vector_desk(tmp_path: Path) -> Desk:
    """A workspace with the embedded engine and the local embedder; nothing is synced yet."""
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder, f"sqlite:///{tmp_path / 'sot.db'}", vectors=True)
