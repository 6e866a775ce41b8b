"""The example project shows what the parser knows, and has one thing to show of the checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from sot_pipeline.ledgers.project import ParsedProject, read_project
from sot_pipeline.skills.files import read_skills
from sot_pipeline.sync_skills import warnings_of
from sot_pipeline.workspace import load_workspace

REPOSITORY = Path(__file__).parents[1]
DEMO = REPOSITORY / "sot_pipeline" / "examples" / "demo"


@pytest.fixture
def example() -> ParsedProject:
    workspace = load_workspace(REPOSITORY / "sot.toml", env={})
    return read_project(workspace.project("demo"))


def test_every_entry_is_found(example: ParsedProject) -> None:
    assert example.parsed == {"build_history": 12, "architecture_decisions": 8, "debug_log": 8}


def test_only_the_entry_without_a_section_is_pointed_out(example: ParsedProject) -> None:
    assert [(problem.check, problem.severity) for problem in example.problems] == [
        ("index_matches_sections", "warning")
    ]
    assert "BUILD-004" in example.problems[0].message


def test_it_holds_an_entry_that_stands_in_the_index_alone(example: ParsedProject) -> None:
    entry = next(record for record in example.records if record.key.entry_id == "BUILD-004")

    assert "mounting template" in entry.content


def test_it_holds_a_dotted_id_beside_the_plain_one(example: ParsedProject) -> None:
    ids = {record.key.entry_id for record in example.records}

    assert {"BUILD-007", "BUILD-007.1"} <= ids


def test_its_skills_are_as_the_convention_wants_them() -> None:
    found = read_skills(DEMO / "skills")

    assert sorted(found.skills) == ["field/replace-a-sensor", "writing/debug-entry"]
    assert not found.quarantined
    assert "references/checklist.md" in found.skills["field/replace-a-sensor"].files
    assert warnings_of(found.skills.values()) == ()
