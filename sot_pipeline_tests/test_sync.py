"""A workspace is synced: what changes, what must not, and what is never lost."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sot_pipeline.errors import (
    DatabaseUnavailable,
    DeadlineExceeded,
    EmbeddingMismatch,
    LockNotAcquired,
    VectorStoreUnavailable,
)
from sot_pipeline.locking import lock_folder
from sot_pipeline.outcome import Mode
from sot_pipeline.plan import Counts
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.locks import MultiLock
from sot_pipeline.sync import sync_projects
from sot_pipeline_tests.workspaces import BUILDS, SECONDS, Kiln, make_kiln, many_builds


@pytest.fixture
def kiln(tmp_path: Path, database_url: str) -> Kiln:
    return make_kiln(tmp_path / "kiln", database_url)


def test_first_sync_fills_rows_points_and_readme(kiln: Kiln) -> None:
    outcome = kiln.synced()

    assert outcome.parsed == {"build_history": 3, "architecture_decisions": 1}
    assert outcome.database and outcome.database.counts == Counts(inserted=4)
    assert outcome.vectors and outcome.vectors.counts == Counts(inserted=4)
    assert (outcome.vectors.embedded, outcome.vectors.cached) == (4, 0)
    assert outcome.readme and outcome.readme.changed
    assert "BUILD-3" in kiln.readme.read_text()
    assert kiln.rows()["BUILD-3"] == "Ramp limits for the glaze firing"
    assert kiln.verify().agree


def test_second_sync_changes_nothing(kiln: Kiln) -> None:
    kiln.synced()
    before = kiln.readme.stat().st_mtime_ns

    outcome = kiln.synced()

    assert outcome.database and outcome.database.counts == Counts(unchanged=4)
    assert outcome.vectors and outcome.vectors.counts == Counts(unchanged=4)
    assert (outcome.vectors.embedded, outcome.vectors.cached) == (0, 0)
    assert outcome.readme and not outcome.readme.changed
    assert kiln.readme.stat().st_mtime_ns == before


def test_line_ends_change_nothing(kiln: Kiln) -> None:
    kiln.synced()
    for path in (kiln.builds, kiln.decisions):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    outcome = kiln.synced()

    assert outcome.database and outcome.database.counts == Counts(unchanged=4)
    assert outcome.vectors and outcome.vectors.counts == Counts(unchanged=4)


def test_edit_of_an_index_only_row_updates_one_row(kiln: Kiln) -> None:
    kiln.synced()
    kiln.builds.write_text(BUILDS.replace("First firing curve", "First biscuit curve"))

    outcome = kiln.synced()

    assert outcome.database and outcome.database.counts == Counts(updated=1, unchanged=3)
    assert outcome.vectors and outcome.vectors.counts == Counts(updated=1, unchanged=3)
    assert outcome.vectors.embedded == 1
    assert [change.record.entry_id for change in outcome.database.changes] == ["BUILD-1"]
    assert kiln.rows()["BUILD-1"] == "First biscuit curve"


def test_swapped_sections_change_nothing(kiln: Kiln) -> None:
    kiln.synced()
    head, third, second = BUILDS.partition("### BUILD-3")[0], *BUILDS.split("### BUILD-")[1:]
    kiln.builds.write_text(f"{head}### BUILD-{second}\n### BUILD-{third}")

    outcome = kiln.synced()

    assert outcome.database and outcome.database.counts == Counts(unchanged=4)


def test_removed_entry_loses_its_row_and_points(kiln: Kiln) -> None:
    kiln.synced()
    text = BUILDS.replace("| 2026-02-02 | BUILD-2 | Hotfix | Thermocouple filter | 1 |\n", "")
    kiln.builds.write_text(text.partition("### BUILD-2")[0])

    outcome = kiln.synced()

    assert outcome.database and outcome.database.counts == Counts(deleted=1, unchanged=3)
    assert outcome.vectors and outcome.vectors.counts == Counts(deleted=1, unchanged=3)
    assert "BUILD-2" not in kiln.rows()
    assert kiln.verify().agree


def test_plan_writes_nothing_and_says_what_sync_then_does(kiln: Kiln) -> None:
    planned = kiln.synced(execute=False)
    assert kiln.rows() == {}

    done = kiln.synced()

    assert planned.database and done.database and planned.database.counts == done.database.counts
    assert planned.vectors and done.vectors and planned.vectors.counts == done.vectors.counts
    assert (planned.vectors.embedded, planned.vectors.cached) == (done.vectors.embedded, done.vectors.cached)
    assert planned.readme and planned.readme.changed


def test_text_seen_before_comes_from_the_cache(kiln: Kiln) -> None:
    kiln.synced()

    outcome = kiln.synced(rebuild=True)

    assert outcome.vectors and (outcome.vectors.embedded, outcome.vectors.cached) == (0, 4)
    assert kiln.verify().agree


def test_mass_deletion_of_one_file_is_refused_and_the_others_go_on(kiln: Kiln) -> None:
    kiln.builds.write_text(many_builds(20))
    kiln.synced()
    kiln.builds.write_text(many_builds(10))
    kiln.decisions.write_text(kiln.decisions.read_text().replace("never fire", "seldom fire"))

    report = kiln.sync()

    assert report.exit_code == 1
    assert {problem.check for problem in report.projects[0].problems if problem.severity == "error"} == {"mass_delete"}
    assert report.projects[0].database and report.projects[0].database.counts.deleted == 0
    assert report.projects[0].database.counts.updated == 1
    assert len(kiln.rows()) == 21


def test_mass_deletion_that_is_allowed_is_applied(kiln: Kiln) -> None:
    kiln.builds.write_text(many_builds(20))
    kiln.synced()
    kiln.builds.write_text(many_builds(10))

    outcome = kiln.synced(allow_mass_delete=True)

    assert outcome.database and outcome.database.counts.deleted == 10
    assert outcome.vectors and outcome.vectors.counts.deleted == 10
    assert kiln.verify().agree


@pytest.mark.parametrize("damage", [b"\xff\xfe broken", b"nul \0 byte", None], ids=["not-utf8", "binary", "gone"])
def test_ledger_that_cannot_be_read_keeps_its_rows_and_points(kiln: Kiln, damage: bytes | None) -> None:
    kiln.synced()
    if damage is None:
        kiln.builds.unlink()
    else:
        kiln.builds.write_bytes(kiln.builds.read_bytes() + damage)
    kiln.decisions.write_text(kiln.decisions.read_text().replace("never fire", "seldom fire"))

    report = kiln.sync()

    outcome = report.projects[0]
    assert report.exit_code == 1
    assert outcome.database and outcome.database.counts == Counts(updated=1)
    assert outcome.vectors and outcome.vectors.counts == Counts(updated=1)
    assert "docs/BUILD_HISTORY.md" in {problem.path for problem in outcome.problems if problem.severity == "error"}
    assert len(kiln.rows()) == 4


def test_rebuild_is_put_off_while_a_ledger_cannot_be_read(kiln: Kiln) -> None:
    kiln.synced()
    kiln.builds.write_bytes(b"\0")

    report = kiln.sync(rebuild=True)

    assert "full_rebuild" in {problem.check for problem in report.projects[0].problems}
    kiln.builds.write_text(BUILDS)
    assert kiln.verify().agree


def test_readme_without_markers_is_a_problem_and_the_rest_is_synced(kiln: Kiln) -> None:
    kiln.readme.write_text("# Kiln\n")

    report = kiln.sync()

    assert report.exit_code == 1
    assert kiln.readme.read_text() == "# Kiln\n"
    assert len(kiln.rows()) == 4


def test_full_without_qdrant_ends_before_the_first_write(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url, qdrant=None)

    report = kiln.sync()

    assert isinstance(report.error, VectorStoreUnavailable)
    assert report.exit_code == 4
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_full_with_an_unreachable_server_ends_before_the_first_write(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url, qdrant="http://127.0.0.1:9")

    report = kiln.sync()

    assert report.exit_code == 4
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_qdrant_only_goes_on_without_a_database(tmp_path: Path) -> None:
    kiln = make_kiln(tmp_path / "kiln", "postgresql://nobody@127.0.0.1:9/nothing")

    report = kiln.sync(Mode.QDRANT_ONLY)

    assert report.error is None
    assert report.projects[0].vectors and report.projects[0].vectors.embedded == 4
    assert any("cache" in line for line in report.notes)


def test_unreachable_database_is_exit_2(tmp_path: Path) -> None:
    kiln = make_kiln(tmp_path / "kiln", "postgresql://nobody:secret@127.0.0.1:9/nothing")

    report = kiln.sync(Mode.DB_ONLY)

    assert isinstance(report.error, DatabaseUnavailable)
    assert report.exit_code == 2
    assert "secret" not in str(report.error)


def test_missing_key_of_an_openai_model_is_exit_4_before_the_first_write(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    kiln.environment["EMBEDDING_MODEL"] = "text-embedding-3-small"

    report = kiln.sync()

    assert report.exit_code == 4
    assert report.error and "OPENAI_API_KEY" in str(report.error)
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_passed_deadline_is_exit_3(kiln: Kiln) -> None:
    workspace = kiln.workspace()

    report = sync_projects(
        workspace, Mode.FULL, projects=workspace.projects, execute=True, deadline=Deadline(0.0), lock_wait=0.0
    )

    assert isinstance(report.error, DeadlineExceeded | LockNotAcquired)
    assert report.exit_code in {3, 5}
    assert kiln.rows() == {}


def test_held_lock_is_exit_5_and_names_the_holder(kiln: Kiln) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with MultiLock(lock_folder(kiln.workspace()), ("docs",), wait_seconds=1):
            held.set()
            done.wait(SECONDS)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(SECONDS)
        report = kiln.sync()
    finally:
        done.set()
        holder.join()

    assert isinstance(report.error, LockNotAcquired)
    assert report.exit_code == 5
    assert str(os.getpid()) in str(report.error)
    assert kiln.rows() == {}


def test_docs_only_takes_no_lock_and_makes_no_file(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    before = sorted(path.name for path in kiln.folder.rglob("*"))

    outcome = kiln.synced(Mode.DOCS_ONLY)

    assert outcome.parsed == {"build_history": 3, "architecture_decisions": 1}
    assert sorted(path.name for path in kiln.folder.rglob("*")) == before


def test_other_model_than_the_collections_needs_a_rebuild(tmp_path: Path, sqlite_url: str) -> None:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    kiln.synced()
    pointer = next(kiln.folder.rglob(".sot/qdrant/**/*.json"))
    pointer.write_text(pointer.read_text().replace("wordllama-256", "wordllama-512"))

    report = kiln.sync()

    assert isinstance(report.error, EmbeddingMismatch)
    assert report.exit_code == 4
    assert "wordllama-512" in str(report.error) and "--rebuild" in str(report.error)
    assert kiln.synced(rebuild=True).vectors
    assert kiln.verify().agree


def test_rows_of_both_databases_have_equal_digests(tmp_path: Path, sqlite_url: str, postgres_url: str) -> None:
    kilns = [make_kiln(tmp_path / name, url) for name, url in (("a", sqlite_url), ("b", postgres_url))]
    digests = set()
    for kiln in kilns:
        kiln.synced(Mode.DB_ONLY)
        with kiln.database() as database:
            digests.add(database.digest("kiln"))

    assert len(digests) == 1


def test_one_failing_project_does_not_keep_the_next_from_being_synced(kiln: Kiln) -> None:
    other = kiln.folder / "other"
    (other / "docs").mkdir(parents=True)
    (other / "docs" / "BUILD_HISTORY.md").write_text(many_builds(2))
    kiln.config.write_text(kiln.config.read_text() + '\n[[project]]\nid = "other"\nroot = "other"\n')
    kiln.builds.write_bytes(b"\0")

    report = kiln.sync()

    assert [project.project_id for project in report.projects] == ["kiln", "other"]
    assert report.projects[0].database and report.projects[0].database.counts.inserted == 1
    assert report.projects[1].database and report.projects[1].database.counts.inserted == 2
    assert report.exit_code == 1
