from __future__ import annotations

from collections.abc import Iterator

import pytest

from sot_pipeline.targets.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database(database_url) as found:
        yield found
