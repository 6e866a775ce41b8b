"""Whatever lies in a source folder: what can be indexed is, the reason for the rest is recorded, nothing is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sot_pipeline.code.model import PROJECT_METRICS
from sot_pipeline.plan import Counts
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.steps.code_plan import plan_table
from sot_pipeline.steps.code_sources import look
from sot_pipeline_tests.code_workspaces import BAD, FILES, Studio, make_studio
from sot_pipeline_tests.targets.database.ledger import tamper
from sot_pipeline_tests.users import said_to_nobody


@pytest.fixture
def studio(tmp_path: Path, database_url: str) -> Studio:
    return make_studio(tmp_path / "studio", database_url, {**FILES, **BAD})


def test_bad_files_are_recorded_with_a_reason_and_the_second_run_writes_nothing(studio: Studio) -> None:
    first = studio.index()

    assert (first.error, first.exit_code) == (None, 0)
    assert first.files == first.metadata == Counts(len(FILES) + len(BAD))
    url = studio.workspace().database_url
    statuses = dict(tamper(url, "SELECT path, parse_status FROM code_files"))
    skipped = {"src/huge.py", "src/binary.py", "src/nul.py", "src/minified.py", "src/deep.py"}
    partial = {"src/latin1.py", "src/merge.py", "src/syntax.py"}
    assert {path for path, status in statuses.items() if status == "skipped"} == skipped
    assert {path for path, status in statuses.items() if status == "partial"} == partial
    assert {problem.path: problem.check for problem in first.problems} == dict.fromkeys(partial, "parse_errors")
    assert "merge" in next(problem.message for problem in first.problems if problem.path == "src/merge.py")
    for path in statuses:
        row = studio.metadata(str(path))
        unknown = [name for name, value in row.metrics.values.items() if value is None]
        assert all("reason" in str(row.metrics.status[name]) for name in unknown), path
    second = studio.index()
    assert (second.files, second.problems) == (Counts(unchanged=len(statuses)), first.problems)
    assert studio.index(paths=["src/kiln.py"]).problems == ()
    assert studio.verify().agree


def test_a_file_that_is_too_large_keeps_its_true_size_and_hash(studio: Studio) -> None:
    studio.index()

    row = studio.metadata("src/huge.py")

    assert row.size == len(BAD["src/huge.py"])
    assert "larger than" in str(row.metrics.status["cyclomatic_complexity"])
    assert studio.rows()["src/huge.py"] == row.content_hash


def test_what_is_sound_in_a_broken_file_is_found(studio: Studio) -> None:
    studio.index()

    (symbols,) = tamper(studio.workspace().database_url, "SELECT symbols FROM code_files WHERE path = 'src/syntax.py'")[
        0
    ]
    found = json.loads(symbols) if isinstance(symbols, str) else symbols

    assert "sound" in {symbol["name"] for symbol in found}


def test_metrics_of_the_whole_project_are_unknown_before_a_full_pass(studio: Studio) -> None:
    studio.index()

    row = studio.metadata("src/kiln.py")

    assert all(row.metrics.values[name] is None for name in PROJECT_METRICS)


def test_names_that_are_not_utf8_are_indexed_changed_and_deleted(tmp_path: Path, database_url: str) -> None:
    studio = make_studio(tmp_path / "studio", database_url)
    name = os.fsdecode(b"src/caf\xe9.py")
    studio.write({name: "x = 1\n"})

    first = studio.index()
    studio.write({name: "x = 2\n"})
    named = studio.index(paths=[name])
    agreed = studio.verify()
    (studio.folder / name).unlink()
    last = studio.index()

    assert first.files == Counts(4)
    assert named.files == Counts(updated=1)
    assert agreed.agree
    assert last.files == Counts(deleted=1, unchanged=3)
    assert [change.path for change in last.changes] == ["src/caf\\xe9.py"]


def test_links_are_never_followed(tmp_path: Path, database_url: str) -> None:
    studio = make_studio(tmp_path / "studio", database_url)
    (tmp_path / "secret.py").write_text("password = 1\n")
    for link, target in (("loop", "."), ("up", ".."), ("secret.py", "../../secret.py"), ("self.py", "self.py")):
        (studio.folder / "src" / link).symlink_to(target)

    done = studio.index()
    named = studio.index(paths=["src/secret.py", "src/up/sot.toml", "src/self.py", "../secret.py"])

    assert (done.files, done.problems) == (Counts(3), ())
    assert done.left_out["src/secret.py"] == "symbolic link"
    assert named.changes == ()
    assert set(studio.rows()) == set(FILES)


def test_a_file_that_becomes_a_link_or_a_folder_loses_its_row(tmp_path: Path, database_url: str) -> None:
    studio = make_studio(tmp_path / "studio", database_url)
    studio.index()
    for name in ("kiln.py", "glaze.py"):
        (studio.folder / "src" / name).unlink()
    (studio.folder / "src/kiln.py").symlink_to("/etc/hostname")
    (studio.folder / "src/glaze.py").mkdir()

    done = studio.index(paths=["src/kiln.py", "src/glaze.py"])

    assert (done.files, done.problems) == (Counts(deleted=2), ())
    assert studio.verify().agree


def test_what_cannot_be_read_is_named_and_keeps_its_rows(tmp_path: Path, sqlite_url: str) -> None:
    studio = make_studio(tmp_path / "studio", sqlite_url, {**FILES, "src/inner/a.py": "a = 1\n"})
    studio.index()
    project, rows = studio.workspace().projects[0], studio.rows()
    file, folder = studio.folder / "src/kiln.py", studio.folder / "src/inner"
    (studio.folder / "src/empty.py").unlink()
    file.chmod(0)
    folder.chmod(0)

    def ask() -> None:
        sources = look(project, Deadline.never())
        plan = plan_table(sources, rows, may_delete_many=False).plan
        raise RuntimeError(json.dumps([sorted(problem.path for problem in sources.problems), plan.deletes]))

    try:
        said = said_to_nobody(tmp_path, ask)
    finally:
        folder.chmod(0o755)

    assert said == json.dumps([["src/inner", "src/kiln.py"], ["src/empty.py"]])


def test_a_pipe_named_like_a_source_file_is_not_waited_for(tmp_path: Path, sqlite_url: str) -> None:
    studio = make_studio(tmp_path / "studio", sqlite_url)
    os.mkfifo(studio.folder / "src/pipe.py")

    assert studio.index().files == Counts(3)
    assert studio.index(paths=["src/pipe.py"]).changes == ()


def test_an_emptied_root_loses_no_row(tmp_path: Path, database_url: str) -> None:
    files = {f"src/part{number}.py": f"x = {number}\n" for number in range(10)}
    studio = make_studio(tmp_path / "studio", database_url, files)
    studio.index()
    (studio.folder / "src").rename(tmp_path / "elsewhere")

    done = studio.index()

    assert [problem.check for problem in done.problems] == ["mass_delete"]
    assert set(studio.rows()) == set(files)
