"""A sync that is killed at any of its steps leaves what the next run completes."""

from __future__ import annotations

import signal
import timeit
from pathlib import Path

import pytest

from sot_pipeline.errors import ConfigError
from sot_pipeline.outcome import Mode
from sot_pipeline.runtime import failpoints
from sot_pipeline.runtime.failpoints import VARIABLE, Failpoint, armed_by
from sot_pipeline.targets.database.rows import digest_of
from sot_pipeline_tests.faults.processes import run
from sot_pipeline_tests.faults.states import CHANGED_TEXTS, State, edit, leftovers, require_agreement, state_of
from sot_pipeline_tests.workspaces import README, Kiln, make_kiln, many_builds

FIRST_SYNC = {Failpoint.SCHEMA_UPGRADED, Failpoint.VERSION_STARTED}
REBUILD = {point for point in Failpoint if point.startswith("version-")} - FIRST_SYNC
# Those of the code index and of skills are reached in `test_code_failpoints.py` and `test_skill_failpoints.py`.
POINTS = [point for point in Failpoint if not point.startswith(("code-", "skill"))]
# Where the vectors of the changed texts are not yet in the cache.
UNCACHED = {*POINTS[: POINTS.index(Failpoint.TEXTS_CACHED)], Failpoint.VERSION_CREATED}


NOTHING = State(digest_of({}), {}, README.encode())


def require_old_or_new(left: State, before: State, after: State) -> None:
    """Rows and README are wholly one or the other, and so is each point, or it is seen to be neither ("")."""
    assert left.rows in {before.rows, after.rows}
    assert left.readme in {before.readme, after.readme}
    for key, fingerprint in left.points.items():
        assert fingerprint in {before.points.get(key), after.points.get(key), ""}, key


@pytest.fixture
def kiln(tmp_path: Path, database_url: str) -> Kiln:
    return make_kiln(tmp_path / "kiln", database_url)


@pytest.mark.parametrize("point", POINTS)
def test_sync_killed_at_any_step_is_completed_by_the_next(kiln: Kiln, point: Failpoint, undisturbed: State) -> None:
    before = NOTHING
    if point not in FIRST_SYNC:
        kiln.synced()
        before = state_of(kiln)
    edit(kiln)
    rebuild = ["--rebuild"] if point in REBUILD else []

    died = run(kiln, "sync", "--full", "--execute", *rebuild, environment={VARIABLE: point})

    assert died.code == -signal.SIGKILL, f"{point} was not reached: {died.err}"
    require_old_or_new(state_of(kiln), before, undisturbed)
    after = kiln.synced(rebuild=bool(rebuild))
    assert state_of(kiln) == undisturbed
    require_agreement(kiln)
    assert leftovers(kiln) == []
    if point not in FIRST_SYNC:
        assert after.vectors and after.vectors.embedded == (CHANGED_TEXTS if point in UNCACHED else 0)


def test_kill_costs_at_most_the_batch_of_texts_under_way(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    kiln.builds.write_text(many_builds(600))

    died = run(kiln, "sync", "--full", "--execute", environment={VARIABLE: Failpoint.TEXTS_CACHED})

    assert died.code == -signal.SIGKILL
    after = kiln.synced()
    # 512 texts are one batch of the local model.
    assert after.vectors and (after.vectors.embedded, after.vectors.cached) == (601 - 512, 512)


def test_rows_are_all_old_before_the_commit_and_all_new_after_it(kiln: Kiln) -> None:
    kiln.synced()
    with kiln.database() as database:
        old = database.digest("kiln")
    edit(kiln)

    run(kiln, "sync", "--full", "--execute", environment={VARIABLE: Failpoint.ROWS_BEFORE_COMMIT})
    with kiln.database() as database:
        before = database.digest("kiln")
    run(kiln, "sync", "--full", "--execute", environment={VARIABLE: Failpoint.ROWS_COMMITTED})
    with kiln.database() as database:
        after = database.digest("kiln")

    assert before == old
    kiln.synced(Mode.DB_ONLY)
    with kiln.database() as database:
        assert after == database.digest("kiln") != old


def test_points_of_a_killed_rebuild_are_the_old_ones_until_the_swap(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    kiln.synced()
    old = state_of(kiln).points
    edit(kiln)

    run(kiln, "sync", "--full", "--rebuild", "--execute", environment={VARIABLE: Failpoint.VERSION_BEFORE_SWAP})

    assert state_of(kiln).points == old


def test_unknown_name_is_an_error_that_lists_the_known_ones(tmp_path: Path, sqlite_url: str) -> None:
    with pytest.raises(ConfigError, match="names no failpoint"):
        armed_by("rows-upsertde")

    ended = run(make_kiln(tmp_path / "kiln", sqlite_url), "sync", environment={VARIABLE: "rows-upsertde"})

    assert (ended.code, "rows-upserted" in ended.err) == (2, True)


def test_points_cost_nothing_where_none_is_armed() -> None:
    assert failpoints.reach is armed_by(None) is armed_by("")

    seconds = min(timeit.repeat(lambda: failpoints.reach(Failpoint.LOCKED), number=10_000, repeat=5)) / 10_000

    assert seconds < 2e-6  # some thirty are reached in a sync
