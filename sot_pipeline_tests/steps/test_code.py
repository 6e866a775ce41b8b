"""The step on the code index, on real files and both databases."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from sot_pipeline.errors import DeadlineExceeded, FileUnusable, LeaseLost, RequirementMissing
from sot_pipeline.plan import Counts, Plan, Problem
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.steps import code_batches
from sot_pipeline.steps.code import sync_code
from sot_pipeline.steps.code_batches import TableWriter, write_changed
from sot_pipeline.steps.code_sources import Source
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.workspace import Workspace
from sot_pipeline_tests.code_workspaces import FILES, KILN, Studio, make_studio, opened
from sot_pipeline_tests.targets.database.ledger import SOON, tamper


@pytest.fixture
def studio(tmp_path: Path, database_url: str) -> Studio:
    return make_studio(tmp_path / "studio", database_url)


def hash_of(content: str | bytes) -> str:
    return sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()


def test_every_source_file_becomes_a_row_of_both_tables(studio: Studio) -> None:
    done = studio.index()

    assert (done.files, done.metadata, done.problems, done.error) == (Counts(3), Counts(3), (), None)
    expected = {path: hash_of(content) for path, content in FILES.items()}
    assert studio.rows(CodeTable.FILES) == studio.rows(CodeTable.METADATA) == expected
    assert studio.verify().agree


def test_a_second_run_writes_no_row(studio: Studio) -> None:
    studio.index()
    before = stamps(studio)

    second = studio.index()

    assert (second.files, second.metadata) == (Counts(unchanged=3), Counts(unchanged=3))
    assert second.changes == ()
    assert stamps(studio) == before


def stamps(studio: Studio) -> list[tuple[object, ...]]:
    url = studio.workspace().database_url
    return [row for table in CodeTable for row in tamper(url, f"SELECT path, updated_at FROM {table} ORDER BY path")]


def test_what_sot_keeps_for_itself_is_no_source(tmp_path: Path, sqlite_url: str) -> None:
    studio = make_studio(tmp_path / "studio", sqlite_url, code="")
    studio.index()

    second = studio.index()

    assert (studio.folder / ".sot/locks").is_dir()
    assert set(studio.rows()) == {*FILES, "sot.toml"}
    assert second.changes == ()
    assert studio.index(paths=[".sot/locks/docs.json"]).changes == ()


def test_an_edit_writes_that_file_alone_and_a_touch_writes_nothing(studio: Studio) -> None:
    studio.index()
    os.utime(studio.folder / "src/kiln.py", (1, 1))
    studio.write({"src/glaze.py": "x = 1\n"})

    done = studio.index()

    assert [(change.action, change.path) for change in done.changes] == [("update", "src/glaze.py")]
    assert (done.files, done.metadata) == (Counts(updated=1, unchanged=2),) * 2
    assert studio.rows()["src/glaze.py"] == hash_of("x = 1\n")


def test_a_plan_says_what_a_run_would_do_and_writes_nothing(studio: Studio) -> None:
    planned = studio.index(execute=False)

    assert (planned.files, planned.metadata) == (Counts(3), Counts(3))
    assert studio.rows() == {}
    assert not (studio.folder / ".sot").exists()


def test_rows_follow_files_that_are_deleted_moved_or_left_out(studio: Studio) -> None:
    studio.index()
    (studio.folder / "src/empty.py").unlink()
    (studio.folder / "src/kiln.py").rename(studio.folder / "src/oven.py")
    (studio.folder / ".gitignore").write_text("glaze.py\n")

    done = studio.index()

    assert done.files == Counts(inserted=1, deleted=3)
    assert studio.rows() == studio.rows(CodeTable.METADATA) == {"src/oven.py": hash_of(KILN)}
    assert done.left_out["src/glaze.py"] == ".gitignore: glaze.py"


@pytest.mark.parametrize(("broken", "sound"), [tuple(CodeTable), tuple(CodeTable)[::-1]])
def test_a_table_that_cannot_be_written_does_not_hold_up_the_other(
    studio: Studio, broken: CodeTable, sound: CodeTable
) -> None:
    studio.index()
    url = studio.workspace().database_url
    refuse = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    if not url.startswith("sqlite"):
        refuse = "EXECUTE FUNCTION refuse()"
        tamper(
            url,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$",
        )
    row = "" if url.startswith("sqlite") else "FOR EACH ROW"
    tamper(url, f"CREATE TRIGGER refused BEFORE UPDATE ON {broken} {row} {refuse}")
    studio.write({"src/kiln.py": "x = 1\n"})

    done = studio.index()

    assert done.error is not None
    assert done.incomplete == {broken}
    assert studio.rows(sound)["src/kiln.py"] == hash_of("x = 1\n")
    assert studio.rows(broken)["src/kiln.py"] == hash_of(KILN)
    on = "" if url.startswith("sqlite") else f" ON {broken}"
    tamper(url, f"DROP TRIGGER refused{on}")
    healed = studio.index()
    assert (healed.error, studio.verify().agree) == (None, True)


def test_named_paths_are_the_only_ones_looked_at(studio: Studio) -> None:
    studio.index()
    studio.write({"src/kiln.py": "x = 1\n", "src/glaze.py": "y = 1\n", "src/new.py": "z = 1\n"})
    (studio.folder / "src/empty.py").unlink()

    done = studio.index(paths=["src/kiln.py", "src/new.py", "src/empty.py", "README", "src/absent.py", "sot.toml"])

    assert done.files == done.metadata == Counts(inserted=1, updated=1, deleted=1)
    assert studio.rows() == {
        "src/kiln.py": hash_of("x = 1\n"),
        "src/new.py": hash_of("z = 1\n"),
        "src/glaze.py": hash_of(FILES["src/glaze.py"]),
    }


def test_named_paths_that_did_not_change_write_nothing_at_all(studio: Studio) -> None:
    studio.index()
    lines = activities(studio)

    done = studio.index(paths=["src/kiln.py"])

    assert done.files == Counts(unchanged=1)
    assert activities(studio) == lines


def activities(studio: Studio) -> list[tuple[str, str, Counts]]:
    with studio.database() as database:
        return [(row.activity.sync_type, row.activity.status, row.activity.counts) for row in database.activities()]


def test_each_run_leaves_a_line_of_activity(studio: Studio) -> None:
    studio.index()
    studio.index()

    assert activities(studio) == [("code", "success", Counts(unchanged=3)), ("code", "success", Counts(3))]


def test_a_full_pass_relates_all_files_and_the_second_one_writes_nothing(studio: Studio) -> None:
    report = studio.folder / "lcov.info"
    report.write_text("SF:src/kiln.py\nDA:1,1\nDA:8,0\nend_of_record\n")

    first = studio.index(full=True, coverage=report)
    second = studio.index(full=True, coverage=report)

    assert (first.relations, second.relations) == (Counts(updated=3), Counts(unchanged=3))
    kiln, glaze = studio.metadata("src/kiln.py").metrics, studio.metadata("src/glaze.py").metrics
    assert (kiln.values["test_coverage"], glaze.values["test_coverage"]) == (0.5, None)
    assert (kiln.values["dependent_count"], glaze.values["dependencies"]) == (1, ["src/kiln.py"])
    assert kiln.status["test_coverage"] == {"tool": "lcov"}


def test_an_edited_file_has_no_relations_until_the_next_full_pass(studio: Studio) -> None:
    studio.index(full=True)
    studio.write({"src/kiln.py": f"{KILN}\n"})

    studio.index()
    before = studio.metadata("src/kiln.py").metrics
    last = studio.index(full=True)

    assert before.values["dependent_count"] is None
    assert "full pass" in str(before.status["dependent_count"])
    assert last.relations == Counts(updated=1, unchanged=2)
    assert studio.metadata("src/kiln.py").metrics.values["dependent_count"] == 1


def test_rows_of_an_older_analysis_are_all_made_anew(studio: Studio) -> None:
    studio.index()
    tamper(studio.workspace().database_url, "UPDATE code_analysis SET version = 'older'")

    first, second = studio.index(), studio.index()

    assert (first.files, first.metadata) == (Counts(updated=3), Counts(updated=3))
    assert second.files == Counts(unchanged=3)


def test_files_that_go_or_break_after_they_were_planned_hold_up_no_other(studio: Studio) -> None:
    project = studio.workspace().projects[0]
    (studio.folder / "src/folder.py").mkdir()
    written: list[str] = []
    planned = [Source(path, path, "hash") for path in ("src/folder.py", "src/gone.py", "src/kiln.py")]
    table = TableWriter(Plan(tuple(planned)), lambda batch, _: written.extend(each.file.path for each in batch))

    with opened(studio.workspace()) as session:
        problems: list[Problem] = []
        write_changed(session, project, (table,), problems)

    assert [problem.path for problem in problems] == ["src/folder.py"]
    assert (written, table.done) == (["src/kiln.py"], Counts(inserted=1))


def test_one_table_can_be_asked_for_alone(studio: Studio) -> None:
    done = studio.index(tables=(CodeTable.METADATA,))

    assert (done.files, done.metadata) == (None, Counts(3))
    assert studio.rows(CodeTable.FILES) == {}
    assert len(studio.rows(CodeTable.METADATA)) == 3


def test_a_row_changed_behind_our_back_is_found_and_healed(studio: Studio) -> None:
    studio.index()
    tamper(studio.workspace().database_url, "UPDATE code_files SET content = 'forged' WHERE path = 'src/kiln.py'")

    found = studio.verify()
    healed = studio.index()

    assert (found.files.stale, found.metadata.stale, found.agree) == (("src/kiln.py",), (), False)
    assert (healed.files, healed.metadata) == (Counts(updated=1, unchanged=2), Counts(unchanged=3))
    assert studio.verify().agree


def test_a_passed_deadline_keeps_what_was_written_and_the_next_run_goes_on(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_batches, "BATCH_FILES", 1)
    moments = iter(range(1_000))
    # Looking takes a moment a file, then each batch takes two: one for the file, one for each table.
    slow = Deadline(12, clock=lambda: float(next(moments)))

    stopped = studio.index(deadline=slow)

    assert isinstance(stopped.error, DeadlineExceeded)
    assert stopped.exit_code == 3
    assert stopped.files is not None
    assert 0 < stopped.files.inserted < 3
    assert len(studio.rows()) == stopped.files.inserted
    assert studio.index().error is None
    assert studio.verify().agree


def test_a_writer_whose_lease_was_taken_writes_nothing(studio: Studio) -> None:
    workspace = studio.workspace()

    with pytest.raises(LeaseLost), opened(workspace) as session, studio.database() as breaker:
        for lock in breaker.locks(SOON):
            breaker.break_lock(
                lock.name, owner=lock.owner, fence=lock.fence, grace=0, force=True, by="a test", deadline=SOON
            )
        done = sync_code(session, workspace.projects[0], execute=True)
        assert done.error is not None
        raise done.error

    assert studio.rows() == {}


def test_losing_most_files_is_refused_until_it_is_allowed(studio: Studio) -> None:
    studio.write({f"src/part{number}.py": f"x = {number}\n" for number in range(10)})
    studio.index()
    for number in range(10):
        (studio.folder / f"src/part{number}.py").unlink()
    studio.write({"src/kiln.py": "x = 'edited'\n"})

    refused = studio.index()
    allowed = studio.index(allow_mass_delete=True)

    assert [problem.check for problem in refused.problems] == ["mass_delete"]
    assert (refused.exit_code, refused.files) == (1, Counts(updated=1, unchanged=2))
    assert allowed.files == Counts(deleted=10, unchanged=3)


def test_moving_most_files_is_no_loss(studio: Studio) -> None:
    studio.write({f"src/part{number}.py": f"x = {number}\n" for number in range(10)})
    studio.index()
    (studio.folder / "lib").mkdir()
    (studio.folder / "src").rename(studio.folder / "src2")
    (studio.folder / "src2").rename(studio.folder / "lib/src")
    studio.config.write_text(studio.config.read_text().replace("src/**", "lib/**"))

    done = studio.index()

    assert (done.problems, done.files) == ((), Counts(inserted=13, deleted=13))


def test_a_missing_root_is_an_error_that_deletes_nothing(studio: Studio) -> None:
    studio.index()
    workspace = studio.workspace()
    before = studio.rows()
    elsewhere = replace(workspace.projects[0], root=studio.folder / "gone")
    gone = replace(workspace, projects=(elsewhere,))

    for paths in (None, ["src/kiln.py"]):
        with pytest.raises(FileUnusable, match="no row was touched") as refused:
            index_in(gone, paths)
        assert refused.value.remedy

    assert studio.rows() == before


def index_in(workspace: Workspace, paths: list[str] | None) -> None:
    with opened(workspace) as session:
        sync_code(session, workspace.projects[0], execute=True, paths=paths)


def test_a_project_without_a_code_section_is_told_how_to_get_one(studio: Studio) -> None:
    workspace = studio.workspace()
    without = replace(workspace, projects=(replace(workspace.projects[0], code=None),))

    with pytest.raises(RequirementMissing, match="has no code index") as refused:
        index_in(without, None)

    assert "[project.code]" in refused.value.remedy


def test_one_changed_file_is_indexed_quickly(tmp_path: Path, sqlite_url: str) -> None:
    files = {f"src/part{number}.py": KILN for number in range(300)}
    studio = make_studio(tmp_path / "studio", sqlite_url, files)
    studio.index()
    workspace = studio.workspace()
    spent = []
    with opened(workspace) as session:
        for number in range(5):
            studio.write({"src/part7.py": f"{KILN}x = {number}\n"})
            started = time.process_time()
            done = sync_code(session, workspace.projects[0], execute=True, paths=["src/part7.py"])
            spent.append(time.process_time() - started)
            assert done.files == Counts(updated=1)

    assert min(spent) < 0.060
