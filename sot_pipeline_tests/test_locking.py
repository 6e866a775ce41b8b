"""A session under its locks: what a lease that is lost on the way keeps from being written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sot_pipeline.errors import LeaseLost, LockNotAcquired
from sot_pipeline.locking import READ_LOCKS, WRITE_LOCKS, lock_folder, locked
from sot_pipeline.outcome import Mode, SyncReport
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.locks import MultiLock
from sot_pipeline.sync import sync_projects
from sot_pipeline_tests.holders import SOON, held_elsewhere, lock, states
from sot_pipeline_tests.targets.database.ledger import tamper
from sot_pipeline_tests.workspaces import SECONDS, Kiln, make_kiln, many_builds


@pytest.fixture
def kiln(tmp_path: Path, database_url: str) -> Kiln:
    return make_kiln(tmp_path / "kiln", database_url)


def sync_and_meanwhile(kiln: Kiln, meanwhile: Callable[[], None], *, rebuild: bool = False) -> SyncReport:
    """A full sync that is disturbed once, when the rows are written and the first points are not."""
    workspace, calls = kiln.workspace(), list[str]()

    def disturb(phase: str, done: int, total: int) -> None:
        if not calls:
            meanwhile()
        calls.append(phase)

    return sync_projects(
        workspace,
        Mode.FULL,
        projects=workspace.projects,
        execute=True,
        deadline=Deadline(SECONDS),
        rebuild=rebuild,
        progress=disturb,
    )


def take_over(kiln: Kiln) -> None:
    with kiln.database() as other:
        tamper(kiln.environment["DATABASE_URL"], "UPDATE sot_locks SET heartbeat_at = 1, expires_at = 2")
        held_elsewhere(other, owner="next")


def test_lease_lost_on_the_way_ends_the_run_with_5_and_keeps_what_was_committed(kiln: Kiln) -> None:
    report = sync_and_meanwhile(kiln, lambda: take_over(kiln))

    assert isinstance(report.error, LeaseLost)
    assert report.exit_code == 5
    assert "on elsewhere" in str(report.error)
    assert report.projects[0].database and report.projects[0].database.counts.inserted == 4
    assert report.projects[0].vectors is None
    assert len(kiln.rows()) == 4
    assert "BUILD-3" not in kiln.readme.read_text()
    with kiln.database() as database:
        assert lock(database, "docs").owner == "next"
        assert database.last_activity("kiln", "vectors") is None


def test_run_after_a_lost_lease_goes_on_from_there(kiln: Kiln) -> None:
    sync_and_meanwhile(kiln, lambda: take_over(kiln))
    tamper(kiln.environment["DATABASE_URL"], "UPDATE sot_locks SET heartbeat_at = 1, expires_at = 2")

    outcome = kiln.synced()

    assert outcome.database and outcome.database.counts.unchanged == 4
    assert outcome.vectors and outcome.vectors.counts.inserted == 4
    assert kiln.verify().agree


def test_lost_lease_keeps_the_next_project_from_being_begun(kiln: Kiln) -> None:
    other = kiln.folder / "other"
    (other / "docs").mkdir(parents=True)
    (other / "docs" / "BUILD_HISTORY.md").write_text(many_builds(2))
    kiln.config.write_text(kiln.config.read_text() + '\n[[project]]\nid = "other"\nroot = "other"\n')

    report = sync_and_meanwhile(kiln, lambda: take_over(kiln))

    assert [project.project_id for project in report.projects] == ["kiln"]


@pytest.mark.parametrize("rebuild", [False, True])
def test_holder_that_stopped_itself_writes_no_points(
    kiln: Kiln, monkeypatch: pytest.MonkeyPatch, rebuild: bool
) -> None:
    """All texts come from the cache, so that no write to the database could refuse it."""
    kiln.synced()
    kiln.builds.write_text(kiln.builds.read_text().replace("Ramp limits", "Limits of the ramp"))
    kiln.synced()
    kiln.builds.write_text(kiln.builds.read_text().replace("Limits of the ramp", "Ramp limits"))

    def sleep_too_long() -> None:
        monkeypatch.setattr("sot_pipeline.runtime.held.HeldLeases.check", _lost)

    report = sync_and_meanwhile(kiln, sleep_too_long, rebuild=rebuild)
    monkeypatch.undo()

    assert isinstance(report.error, LeaseLost)
    outcome = kiln.synced(execute=False)
    assert outcome.vectors and outcome.vectors.counts.updated == 1
    assert outcome.database and outcome.database.counts.unchanged == 4


def _lost(self: object) -> None:
    raise LeaseLost("The lease was lost.")


def test_locks_are_taken_in_files_and_database_and_given_back(kiln: Kiln) -> None:
    with kiln.database() as database, kiln.database() as other:
        workspace = kiln.workspace()
        with locked(workspace, WRITE_LOCKS, database, SOON, wait_seconds=1):
            files = sorted(path.name for path in lock_folder(workspace).glob("*.json"))
            during = states(other.locks(SOON))

        assert files == ["archive.json", "docs.json"]
        assert during == {"archive": "held", "docs": "held"}
        assert states(other.locks(SOON)) == {"archive": "free", "docs": "free"}
        with MultiLock(lock_folder(workspace), WRITE_LOCKS, wait_seconds=0):
            pass


def test_held_lease_gives_the_lock_files_back(kiln: Kiln) -> None:
    with kiln.database() as database, kiln.database() as other:
        held_elsewhere(other, "docs")
        with (
            pytest.raises(LockNotAcquired, match="'docs'"),
            locked(kiln.workspace(), READ_LOCKS, database, SOON, wait_seconds=0.1),
        ):
            pass

        with MultiLock(lock_folder(kiln.workspace()), READ_LOCKS, wait_seconds=0):
            pass
