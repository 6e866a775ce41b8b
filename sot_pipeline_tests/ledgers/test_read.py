from __future__ import annotations

import os
from pathlib import Path

import pytest

from sot_pipeline.ledgers.model import ParsedLedger, Quarantined
from sot_pipeline.ledgers.read import ParseCache, read_ledger
from sot_pipeline.plan import Severity
from sot_pipeline.workspace import LedgerSpec, Project

SPEC = LedgerSpec("build_history", "docs/BUILDS.md", "BUILD")
DECLARED = LedgerSpec("build_history", "docs/BUILDS.md", "BUILD", declared=True)
TEXT = "## BUILD-1: A\n\ntext\n"


def project(root: Path, limit: int = 1_000_000) -> Project:
    (root / "docs").mkdir(exist_ok=True)
    return Project("demo", root.resolve(), (SPEC,), max_ledger_bytes=limit)


def write(root: Path, data: bytes) -> Project:
    found = project(root)
    (root / SPEC.path).write_bytes(data)
    return found


def quarantined(found: ParsedLedger | Quarantined | None) -> str:
    assert isinstance(found, Quarantined)
    assert (found.problem.check, found.problem.severity) == ("entries_parse", Severity.ERROR)
    assert found.problem.path == SPEC.path
    return found.problem.message


def test_ledger_is_read_and_parsed(tmp_path: Path) -> None:
    found = read_ledger(write(tmp_path, TEXT.encode()), SPEC)

    assert isinstance(found, ParsedLedger)
    assert [record.title for record in found.records] == ["A"]


def test_default_ledger_that_is_not_there_is_not_kept(tmp_path: Path) -> None:
    assert read_ledger(project(tmp_path), SPEC) is None
    assert read_ledger(Project("demo", tmp_path / "no folder", (SPEC,)), SPEC) is None


def test_default_ledger_below_a_file_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "docs").write_text("no folder")

    assert read_ledger(Project("demo", tmp_path, (SPEC,)), SPEC) is None


def test_declared_ledger_that_is_missing_is_quarantined(tmp_path: Path) -> None:
    assert "missing" in quarantined(read_ledger(project(tmp_path), DECLARED))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"## BUILD-1: A\n\xff", ["UTF-8", "byte 14"]),
        (b"abc\0", ["NUL", "byte 3"]),
        (b"<!-- META\n\n### BUILD-1 | 2026-01-01 | A\n", ["never closed"]),
    ],
)
def test_what_cannot_be_trusted_is_quarantined(tmp_path: Path, data: bytes, words: list[str]) -> None:
    message = quarantined(read_ledger(write(tmp_path, data), SPEC))

    assert all(word in message for word in words)


def test_size_limit_is_kept(tmp_path: Path) -> None:
    write(tmp_path, b"x" * 1024 * 1024 + b"yz")

    assert "1 MiB" in quarantined(read_ledger(project(tmp_path, 1024 * 1024), SPEC))
    assert isinstance(read_ledger(project(tmp_path, 1024 * 1024 + 2), SPEC), ParsedLedger)


def test_folder_and_pipe_are_no_ledgers(tmp_path: Path) -> None:
    where = project(tmp_path)
    (tmp_path / SPEC.path).mkdir()
    assert "regular file" in quarantined(read_ledger(where, SPEC))

    (tmp_path / SPEC.path).rmdir()
    os.mkfifo(tmp_path / SPEC.path)
    assert "regular file" in quarantined(read_ledger(where, SPEC))


def test_link_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text(TEXT)
    root = tmp_path / "root"
    root.mkdir()
    where = project(root)
    (root / SPEC.path).symlink_to(tmp_path / "secret.md")

    assert "out of the project" in quarantined(read_ledger(where, SPEC))


def test_dangling_link_and_loop_are_quarantined(tmp_path: Path) -> None:
    where = project(tmp_path)
    (tmp_path / SPEC.path).symlink_to("nowhere.md")
    assert "missing" in quarantined(read_ledger(where, SPEC))

    (tmp_path / SPEC.path).unlink()
    (tmp_path / SPEC.path).symlink_to("BUILDS.md")
    assert "cannot be read" in quarantined(read_ledger(where, SPEC))


def test_same_bytes_are_parsed_once_a_process(tmp_path: Path) -> None:
    where = write(tmp_path, TEXT.encode())

    first = read_ledger(where, SPEC)
    (tmp_path / SPEC.path).touch()

    assert read_ledger(where, SPEC) is first


def test_edit_is_seen_whatever_the_cache_holds(tmp_path: Path) -> None:
    where = write(tmp_path, TEXT.encode())
    read_ledger(where, SPEC)
    write(tmp_path, TEXT.replace("A", "B").encode())

    found = read_ledger(where, SPEC)

    assert isinstance(found, ParsedLedger)
    assert found.records[0].title == "B"


def test_cache_forgets_the_least_recently_read() -> None:
    cache = ParseCache(limit=40)
    ledger = b"## BUILD-1: A\n"
    first, second = cache.parse(ledger, SPEC, "one"), cache.parse(ledger, SPEC, "two")
    cache.parse(ledger, SPEC, "one")

    cache.parse(ledger, SPEC, "three")

    assert cache.parse(ledger, SPEC, "one") is first
    assert cache.parse(ledger, SPEC, "two") is not second


def test_cache_keeps_one_version_of_a_ledger() -> None:
    cache = ParseCache(limit=1000)
    first = cache.parse(b"## BUILD-1: A\n", SPEC, "demo")

    cache.parse(b"## BUILD-1: B\n", SPEC, "demo")

    assert cache.parse(b"## BUILD-1: A\n", SPEC, "demo") is not first


def test_ledger_larger_than_the_cache_is_parsed_all_the_same() -> None:
    assert ParseCache(limit=3).parse(TEXT.encode(), SPEC, "demo").records[0].title == "A"
