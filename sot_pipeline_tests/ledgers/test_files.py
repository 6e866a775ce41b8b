from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from sot_pipeline.ledgers.files import digest_ledger, stat_ledgers
from sot_pipeline.workspace import LedgerSpec, Project


def project(root: Path) -> Project:
    return Project("p", root, (LedgerSpec("log", "log.md", "L"), LedgerSpec("none", "none.md", "N")))


def test_only_ledgers_that_are_there_are_listed(tmp_path: Path) -> None:
    (tmp_path / "log.md").write_bytes(b"abc")
    (tmp_path / "other.md").write_bytes(b"not a ledger")

    found = stat_ledgers(project(tmp_path))

    assert {path: stat.size for path, stat in found.items()} == {"log.md": 3}


def test_folder_in_place_of_a_ledger_is_none(tmp_path: Path) -> None:
    (tmp_path / "log.md").mkdir()

    assert stat_ledgers(project(tmp_path)) == {}


def test_digest_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "log.md").write_bytes(b"a\r\nb")

    assert digest_ledger(project(tmp_path), "log.md") == hashlib.sha256(b"a\r\nb").hexdigest()[:16]


def test_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "log.md").write_bytes(b"too long")

    assert digest_ledger(replace(project(tmp_path), max_ledger_bytes=3), "log.md") == "too large"


def test_file_that_vanished_after_it_was_listed_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest_ledger(project(tmp_path), "log.md")
