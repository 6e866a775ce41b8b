"""The step on the points of code, on real files, both databases and the embedded engine."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from sot_pipeline.embedding.embedder import EmbeddedBatch
from sot_pipeline.embedding.local import LocalEmbedder
from sot_pipeline.errors import (
    DeadlineExceeded,
    EmbeddingFailed,
    EmbeddingMismatch,
    RequirementMissing,
    VectorStoreUnavailable,
)
from sot_pipeline.outcome import Mode
from sot_pipeline.plan import Counts
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.steps import code_points, points, row_points
from sot_pipeline.steps.code_points import code_rows
from sot_pipeline_tests.code_workspaces import CODE, EMBEDDED, FILES, Studio, make_studio, opened
from sot_pipeline_tests.stubs.qdrant_server import StubQdrantServer
from sot_pipeline_tests.targets.database.ledger import tamper
from sot_pipeline_tests.targets.vectors.altering import alter

KEYS = {f"studio_code_{path}#0" for path in FILES}


@pytest.fixture
def studio(tmp_path: Path, sqlite_url: str) -> Studio:
    return make_studio(tmp_path / "studio", sqlite_url, code=EMBEDDED)


@pytest.fixture
def embedded(studio: Studio) -> Studio:
    """A studio with rows and points of three files."""
    studio.index()
    assert studio.embed().error is None
    return studio


def counts_of(studio: Studio, **options: bool) -> Counts:
    report = studio.embed(**options)
    assert report.error is None
    return report.projects["studio"].counts


def test_every_file_gets_points_and_a_second_run_changes_nothing(tmp_path: Path, database_url: str) -> None:
    studio = make_studio(tmp_path / "studio", database_url, code=EMBEDDED)
    studio.index()

    first, second = studio.embed(), studio.embed()

    assert first.projects["studio"].document == Counts(3)._asdict() | {"embedded": 3, "cached": 0}
    assert second.projects["studio"].document == Counts(unchanged=3)._asdict() | {"embedded": 0, "cached": 0}
    hashes = studio.rows()
    assert {key: stored[:64] for key, stored in studio.points().items()} == {
        f"studio_code_{path}#0": hashes[path] for path in FILES
    }
    assert studio.verify_points().agrees
    with studio.database() as database:
        logged = database.last_activity("studio", "code_points")
    assert logged and (logged.activity.status, logged.activity.counts) == ("success", Counts(unchanged=3))


def test_an_edit_a_deletion_and_a_move_change_the_points_of_those_files_alone(embedded: Studio) -> None:
    embedded.write({"src/glaze.py": "def dip(pot):\n    return pot\n"})
    (embedded.folder / "src/empty.py").unlink()
    (embedded.folder / "src/kiln.py").rename(embedded.folder / "src/oven.py")
    embedded.index()

    outcome = embedded.embed().projects["studio"]

    assert outcome.counts == Counts(inserted=1, updated=1, deleted=2)
    assert {(change.action, change.path) for change in outcome.changes} == {
        ("update", "src/glaze.py"),
        ("insert", "src/oven.py"),
        ("delete", "src/kiln.py"),
        ("delete", "src/empty.py"),
    }
    assert embedded.verify_points().agrees


def test_only_the_chunks_that_differ_are_embedded(embedded: Studio) -> None:
    function = "def f{0}():\n" + "    work()\n" * 100 + "\n\n"
    embedded.write({"src/long.py": "".join(function.format(number) for number in range(5))})
    embedded.index()
    counts_of(embedded)
    embedded.write({"src/long.py": "".join(function.format(number) for number in (0, 1, 9, 3))})
    embedded.index()

    outcome = embedded.embed().projects["studio"]

    assert outcome.counts == Counts(updated=4, deleted=1, unchanged=3)
    assert (outcome.embedded, outcome.cached) == (1, 3)
    assert embedded.verify_points().agrees


def test_a_plan_counts_and_writes_nothing(studio: Studio) -> None:
    studio.index()

    outcome = studio.embed(execute=False).projects["studio"]

    assert outcome.document == Counts(3)._asdict() | {"embedded": 3, "cached": 0}
    assert studio.points() == {}


def test_files_that_are_not_read_have_no_points(embedded: Studio) -> None:
    embedded.write({"src/kiln.py": b"a\0b", "src/made.py": "# @generated\nx = 1\n", "src/half.py": "def (:\nx = 1\n"})
    embedded.index()

    counts_of(embedded)

    assert set(embedded.points()) == {f"studio_code_src/{name}.py#0" for name in ("glaze", "empty", "half")}


def test_losing_most_rows_does_not_lose_most_points(studio: Studio) -> None:
    studio.write({f"src/f{number}.py": f"x = {number}\n" for number in range(10)})
    studio.index()
    counts_of(studio)
    url = studio.workspace().database_url
    tamper(url, "DELETE FROM code_files WHERE path LIKE 'src/f%'")

    refused = studio.embed().projects["studio"]

    assert [problem.check for problem in refused.problems] == ["mass_delete"]
    assert refused.counts == Counts(unchanged=13)
    assert counts_of(studio, allow_mass_delete=True) == Counts(deleted=10, unchanged=3)


def test_a_row_that_somebody_changed_keeps_its_points_until_it_is_healed(embedded: Studio) -> None:
    tamper(embedded.workspace().database_url, "UPDATE code_files SET content = 'x' WHERE path = 'src/kiln.py'")

    assert counts_of(embedded) == Counts(unchanged=3)


@pytest.mark.parametrize(("how", "told"), [("delete", "missing"), ("text", "stale"), ("vector", "stale")])
def test_a_point_that_somebody_altered_is_found_and_healed(embedded: Studio, how: str, told: str) -> None:
    alter(embedded.folder, CODE, "studio_code_src/kiln.py#0", how)

    found = embedded.verify_points()
    counts_of(embedded)

    assert getattr(found, told) == ("studio_code_src/kiln.py#0",)
    assert embedded.verify_points().agrees


def test_a_last_chunk_that_is_missing_is_healed_after_a_verification(embedded: Studio) -> None:
    embedded.write({"src/long.py": "x = 1\n" * 1_000})
    embedded.index()
    counts_of(embedded)
    last = max(key for key in embedded.points() if "long" in key)
    alter(embedded.folder, CODE, last, "delete")

    assert embedded.verify_points().missing == (last,)
    assert counts_of(embedded).inserted == 1
    assert embedded.verify_points().agrees


def test_points_made_by_other_rules_are_compared_one_by_one(embedded: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_points, "_VERSION", "next")
    read: list[str] = []
    texts = code_points.CodeTexts.read
    monkeypatch.setattr(code_points.CodeTexts, "read", lambda self, paths: read.extend(paths) or texts(self, paths))

    assert counts_of(embedded) == counts_of(embedded) == Counts(unchanged=3)

    assert sorted(read) == sorted(FILES)


@contextmanager
def no_service_for(word: str) -> Iterator[None]:
    """Texts with `word` in them cannot be embedded."""
    embed = LocalEmbedder.embed_batches

    def refuse(self: LocalEmbedder, texts: Sequence[str], deadline: Deadline) -> Generator[EmbeddedBatch, None, None]:
        if any(word in text for text in texts):
            raise EmbeddingFailed("The service is away.")
        return embed(self, texts, deadline)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LocalEmbedder, "embed_batches", refuse)
        yield


def test_while_embedding_fails_old_points_stay_and_the_next_run_goes_on(embedded: Studio) -> None:
    before = embedded.points()
    embedded.write({"src/glaze.py": "x = 2\n"})
    embedded.index()

    with no_service_for("glaze"):
        report = embedded.embed()

    assert isinstance(report.error, EmbeddingFailed)
    assert embedded.points() == before
    assert counts_of(embedded) == Counts(updated=1, unchanged=2)


def test_what_a_run_wrote_before_it_failed_is_kept(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.index()
    monkeypatch.setattr(row_points, "GROUP_BYTES", 1)

    with no_service_for("src/glaze.py"):
        assert isinstance(studio.embed().error, EmbeddingFailed)

    assert set(studio.points()) == {"studio_code_src/empty.py#0"}
    assert counts_of(studio) == Counts(inserted=2, unchanged=1)


def test_a_file_of_which_some_chunks_were_written_is_gone_on_with(
    embedded: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [f"def part{number}():\n" + "    work()\n" * 100 for number in range(6)]
    embedded.write({"src/long.py": "".join(parts)})
    embedded.index()
    monkeypatch.setattr(points, "POINTS_AT_A_TIME", 1)
    monkeypatch.setattr(points, "SECONDS_A_RUN", 0.0)

    with no_service_for("def part3"):
        assert isinstance(embedded.embed().error, EmbeddingFailed)
    some = [key for key in embedded.points() if "long" in key]

    assert 0 < len(some) < 6
    assert counts_of(embedded).inserted == 6 - len(some)
    assert embedded.verify_points().agrees


def test_a_passed_deadline_ends_the_run_and_keeps_what_was_written(studio: Studio) -> None:
    studio.index()

    report = studio.embed(deadline=Deadline(0))

    assert isinstance(report.error, DeadlineExceeded)
    assert studio.points() == {}


def test_points_of_another_model_are_refused_until_they_are_rebuilt(embedded: Studio) -> None:
    pointer = embedded.folder / ".sot/qdrant/studio_sot_code.json"
    pointer.write_text(json.dumps(json.loads(pointer.read_text()) | {"model": "older"}))

    refused = embedded.embed()
    rebuilt = embedded.embed(rebuild=True)

    assert isinstance(refused.error, EmbeddingMismatch)
    assert "sot code index --rebuild --execute --project studio" in refused.error.remedy
    assert rebuilt.error is None
    assert set(embedded.points()) == KEYS
    assert embedded.verify_points().agrees


def test_a_rebuild_is_put_off_while_points_must_stay(embedded: Studio) -> None:
    tamper(embedded.workspace().database_url, "UPDATE code_files SET content = 'x' WHERE path = 'src/kiln.py'")

    report = embedded.embed(rebuild=True)

    assert [problem.check for problem in report.projects["studio"].problems] == ["full_rebuild"]
    assert set(embedded.points()) == KEYS


def test_without_qdrant_the_requirement_is_named(tmp_path: Path, sqlite_url: str) -> None:
    studio = make_studio(tmp_path / "studio", sqlite_url, code='include = ["src/**"]\nembed = true\n')
    studio.index()

    error = studio.embed().error

    assert isinstance(error, VectorStoreUnavailable)
    assert error.exit_code == 4
    assert "QDRANT_HOST" in error.remedy
    assert "embed" in error.remedy


def test_code_that_is_not_embedded_is_left_alone(tmp_path: Path, sqlite_url: str) -> None:
    studio = make_studio(tmp_path / "studio", sqlite_url)
    studio.index()

    assert studio.embed().projects == {}
    with opened(studio.workspace()) as session, pytest.raises(RequirementMissing, match="not embedded"):
        code_rows(session, studio.workspace().projects[0])


def test_on_a_server_points_follow_as_well(tmp_path: Path, sqlite_url: str) -> None:
    with StubQdrantServer(tmp_path / "server") as stub:
        studio = make_studio(tmp_path / "studio", sqlite_url, code=EMBEDDED)
        studio.environment["QDRANT_HOST"] = stub.url
        studio.index()
        counts_of(studio)
        studio.write({"src/glaze.py": "x = 2\n"})
        studio.index()

        assert counts_of(studio) == Counts(updated=1, unchanged=2)
        assert studio.verify_points().agrees
        assert set(stub.aliases) == {"studio_sot_code"}


def test_ledgers_and_code_have_collections_of_their_own(embedded: Studio) -> None:
    with opened(embedded.workspace(), Mode.FULL, execute=False) as session:
        store, _ = session.require_vectors()
        info = store.info(CODE, session.deadline)

    assert info and (info.name, info.points) == ("studio_sot_code", 3)
