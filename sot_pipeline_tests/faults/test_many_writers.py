"""Several processes that sync one workspace at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline_tests.faults.processes import start
from sot_pipeline_tests.faults.states import State, edit, leftovers, require_agreement, state_of
from sot_pipeline_tests.workspaces import Kiln, make_kiln


@pytest.fixture
def kiln(tmp_path: Path, database_url: str) -> Kiln:
    kiln = make_kiln(tmp_path / "kiln", database_url)
    kiln.synced()
    edit(kiln)
    return kiln


def codes_of(kiln: Kiln, processes: int, lock_wait: float) -> list[int]:
    running = [start(kiln, "sync", "--full", "--execute", "--lock-wait", str(lock_wait)) for _ in range(processes)]
    return sorted(each.end().code for each in running)


def require_one_result(kiln: Kiln, expected: State) -> None:
    assert state_of(kiln) == expected
    require_agreement(kiln)
    assert leftovers(kiln) == []
    with kiln.database() as database:
        synced = [row for row in database.activities("kiln", limit=100) if row.activity.sync_type == "database"]
    changes = [row.activity.counts.inserted for row in synced]
    assert sum(changes) == 4 + 1  # the first sync and the edit: nobody did the same work again


def test_two_processes_take_turns(kiln: Kiln, undisturbed: State) -> None:
    codes = codes_of(kiln, 2, lock_wait=30)

    assert codes == [0, 0]
    require_one_result(kiln, undisturbed)


def test_of_eight_processes_that_do_not_wait_some_are_refused_and_none_does_harm(
    kiln: Kiln, undisturbed: State
) -> None:
    codes = codes_of(kiln, 8, lock_wait=0)

    assert codes[0] == 0
    assert set(codes) <= {0, 5}
    require_one_result(kiln, undisturbed)
