"""The ledgers of a real project, synced. Skipped by name where the corpus is not beside the repository."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sot_pipeline.plan import Counts
from sot_pipeline_tests.workspaces import Kiln

CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "ledgers"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real ledgers is not there")


@pytest.fixture
def autopack(tmp_path: Path, database_url: str) -> Kiln:
    """A copy of the real ledgers as a workspace, synced in full."""
    folder = tmp_path / "kiln"
    shutil.copytree(CORPUS, folder)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    kiln = Kiln(folder, {"DATABASE_URL": database_url})
    kiln.config.write_text(
        '[workspace]\nembedding = "local"\nqdrant = ".sot/qdrant"\n\n[[project]]\nid = "kiln"\nreadme = "README.md"\n'
    )
    kiln.synced()
    return kiln


def test_second_sync_of_real_ledgers_changes_nothing(autopack: Kiln) -> None:
    before = autopack.readme.stat().st_mtime_ns

    outcome = autopack.synced()

    assert outcome.parsed["architecture_decisions"] == 52
    assert outcome.database and outcome.database.counts == Counts(unchanged=sum(outcome.parsed.values()))
    assert outcome.vectors and (outcome.vectors.embedded, outcome.vectors.counts.inserted) == (0, 0)
    assert outcome.vectors.counts.deleted == 0
    assert autopack.readme.stat().st_mtime_ns == before
    assert autopack.verify().agree


def crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("line_ends", [crlf, lf])
def test_line_ends_of_real_ledgers_change_nothing(autopack: Kiln, line_ends: Callable[[bytes], bytes]) -> None:
    for path in (autopack.folder / "docs").iterdir():
        path.write_bytes(line_ends(path.read_bytes()))

    outcome = autopack.synced()

    assert outcome.database and outcome.database.counts == Counts(unchanged=sum(outcome.parsed.values()))
    assert outcome.vectors and outcome.vectors.counts.updated == 0


def test_edit_of_one_index_only_row_updates_one_row(autopack: Kiln) -> None:
    text = autopack.builds.read_bytes()
    assert text.count(b"Deployment Guide") >= 1
    row = next(line for line in text.split(b"\n") if line.startswith(b"|") and b"| BUILD-043 |" in line)
    autopack.builds.write_bytes(text.replace(row, row.replace(b"| 2 |", b"| 3 |")))

    outcome = autopack.synced()

    assert outcome.database
    assert [change.record.entry_id for change in outcome.database.changes] == ["BUILD-043"]
    assert outcome.database.counts.updated == 1


def test_swap_of_two_sections_changes_nothing(autopack: Kiln) -> None:
    text = autopack.builds.read_bytes()
    first, second, third = (text.index(b"\n### BUILD-%s |" % number) for number in (b"100", b"099", b"090"))
    swapped = text[:first] + text[second:third] + text[first:second] + text[third:]
    assert swapped != text and len(swapped) == len(text)
    autopack.builds.write_bytes(swapped)

    outcome = autopack.synced()

    assert outcome.database and outcome.database.counts == Counts(unchanged=sum(outcome.parsed.values()))


def test_removal_of_an_entry_deletes_its_row_and_points(autopack: Kiln) -> None:
    lines = autopack.builds.read_bytes().split(b"\n")
    autopack.builds.write_bytes(b"\n".join(line for line in lines if b"| BUILD-043 |" not in line))

    outcome = autopack.synced()

    assert outcome.database and outcome.database.counts.deleted == 1
    assert outcome.vectors and outcome.vectors.counts.deleted >= 1
    assert "BUILD-043" not in autopack.rows()
    assert autopack.verify().agree


def test_real_ledgers_give_equal_digests_in_both_databases(tmp_path: Path, sqlite_url: str, postgres_url: str) -> None:
    from sot_pipeline.outcome import Mode

    digests = []
    for name, url in (("sqlite", sqlite_url), ("postgresql", postgres_url)):
        folder = tmp_path / name
        shutil.copytree(CORPUS / "docs", folder / "docs")
        kiln = Kiln(folder, {"DATABASE_URL": url})
        kiln.config.write_text('[[project]]\nid = "kiln"\n')
        kiln.synced(Mode.DB_ONLY)
        with kiln.database() as database:
            digests.append(database.digest("kiln"))

    assert digests[0] == digests[1]
