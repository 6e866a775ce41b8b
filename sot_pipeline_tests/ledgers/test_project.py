from __future__ import annotations

from pathlib import Path

from sot_pipeline.ledgers.project import quarantine_lost, read_project
from sot_pipeline.plan import RecordKey
from sot_pipeline.workspace import LedgerSpec, Project

BUILDS = LedgerSpec("build_history", "BUILDS.md", "BUILD")
DECISIONS = LedgerSpec("architecture_decisions", "DECISIONS.md", "DEC", declared=True)


def project(root: Path) -> Project:
    (root / BUILDS.path).write_text("# Builds\n\n### BUILD-1 | 2026-01-01 | A\n\ntext\n")
    return Project("demo", root.resolve(), (BUILDS, DECISIONS))


def test_unreadable_ledger_is_quarantined_and_the_others_go_on(tmp_path: Path) -> None:
    found = read_project(project(tmp_path))

    assert found.parsed == {"build_history": 1}
    assert [record.title for record in found.records] == ["A"]
    assert found.protected == {"architecture_decisions"}
    assert found.problems[0].path == "DECISIONS.md"


def test_line_of_an_entry_is_found_in_its_own_ledger(tmp_path: Path) -> None:
    found = read_project(project(tmp_path))

    assert found.line_of(RecordKey("demo", "build_history", "BUILD-1")) == 3
    assert found.line_of(RecordKey("demo", "build_history", "BUILD-2")) is None
    assert found.line_of(RecordKey("demo", "architecture_decisions", "DEC-1")) is None


def test_hash_tells_which_files_there_are_and_what_they_hold(tmp_path: Path) -> None:
    where = project(tmp_path)
    before = read_project(where).hash
    assert read_project(where).hash == before

    (tmp_path / BUILDS.path).write_text("# Builds\n")
    emptied = read_project(where).hash
    (tmp_path / BUILDS.path).unlink()

    assert len({before, emptied, read_project(where).hash}) == 3


def test_ledger_that_is_gone_but_has_rows_is_quarantined(tmp_path: Path) -> None:
    where = project(tmp_path)
    (tmp_path / BUILDS.path).unlink()
    found = read_project(where)

    lost = quarantine_lost(found, {"build_history", "architecture_decisions"})

    assert lost.protected == {"build_history", "architecture_decisions"}
    assert quarantine_lost(found, {"architecture_decisions"}) is found
    assert lost.paths == {"build_history": "BUILDS.md", "architecture_decisions": "DECISIONS.md"}
