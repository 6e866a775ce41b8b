"""From ledgers and fingerprints to a plan that is safe to apply: the two protections and the change table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.ledgers.project import ParsedProject, read_project
from sot_pipeline.outcome import Change
from sot_pipeline.plan import Counts, Record, RecordKey, Severity
from sot_pipeline.reconcile import Reconciled, changes_of, reconcile
from sot_pipeline.workspace import load_workspace
from sot_pipeline_tests.workspaces import DECISIONS, many_builds

BUILDS = "docs/BUILD_HISTORY.md"
DECIDED = "docs/ARCHITECTURE_DECISIONS.md"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "sot.toml").write_text('[[project]]\nid = "kiln"\n')
    (tmp_path / BUILDS).write_text(many_builds(20))
    (tmp_path / DECIDED).write_text(DECISIONS)
    return tmp_path


def parse(root: Path) -> ParsedProject:
    return read_project(load_workspace(root / "sot.toml", env={}).project("kiln"))


def prints(parsed: ParsedProject) -> dict[RecordKey, str]:
    """What a target holds that agrees with the ledgers."""
    return {record.key: record.content_hash for record in parsed.records}


def itself(key: RecordKey) -> RecordKey:
    return key


def plan_rows(
    parsed: ParsedProject, present: dict[RecordKey, str], *, allow: bool = False
) -> Reconciled[RecordKey, Record]:
    return reconcile(parsed, parsed.records, present, itself, allow_mass_delete=allow)


def test_agreement_is_an_empty_plan(root: Path) -> None:
    parsed = parse(root)

    found = plan_rows(parsed, prints(parsed))

    assert found.plan.is_empty
    assert found.plan.unchanged == 21
    assert (found.problems, found.refused) == ((), frozenset())


# The guard against mass deletion


@pytest.mark.parametrize(("kept", "refused"), [(15, False), (14, True), (0, True)])
def test_more_than_a_fifth_and_more_than_five_entries_are_not_deleted(root: Path, kept: int, refused: bool) -> None:
    present = prints(parse(root))
    (root / BUILDS).write_text(many_builds(kept))

    found = plan_rows(parse(root), present)

    assert (found.refused == {"build_history"}) is refused
    assert len(found.plan.deletes) == (0 if refused else 20 - kept)


def test_a_fifth_of_many_entries_may_go(root: Path) -> None:
    (root / BUILDS).write_text(many_builds(100))
    present = prints(parse(root))
    (root / BUILDS).write_text(many_builds(80))

    found = plan_rows(parse(root), present)

    assert len(found.plan.deletes) == 20
    assert not found.refused


def test_refused_file_says_how_many_and_what_to_do(root: Path) -> None:
    present = prints(parse(root))
    (root / BUILDS).write_text(many_builds(2))

    (problem,) = plan_rows(parse(root), present).problems

    assert (problem.check, problem.severity, problem.path) == ("mass_delete", Severity.ERROR, BUILDS)
    assert "18 of 20 entries" in problem.message
    assert "--allow-mass-delete" in problem.message


def test_nothing_of_a_refused_file_is_applied_and_the_others_go_on(root: Path) -> None:
    present = prints(parse(root))
    (root / BUILDS).write_text(many_builds(2).replace("Firing 1\n", "Renamed\n") + "### BUILD-99 | New\n\nNew.\n")
    (root / DECIDED).write_text(DECISIONS.replace("Type S costs", "Type R costs"))

    found = plan_rows(parse(root), present)

    assert found.plan.counts()[:3] == (0, 1, 0)
    assert [record.key.entry_id for record in found.plan.updates] == ["DEC-1"]


def test_mass_deletion_that_is_allowed_is_planned(root: Path) -> None:
    present = prints(parse(root))
    (root / BUILDS).write_text(many_builds(2))

    found = plan_rows(parse(root), present, allow=True)

    assert len(found.plan.deletes) == 18
    assert not found.problems


# Ledgers that cannot be read


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"\xff\xfe binary \x00"),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["binary", "gone", "folder"],
)
def test_nothing_of_an_unreadable_ledger_is_touched(root: Path, damage: Callable[[Path], object]) -> None:
    present = prints(parse(root))
    damage(root / BUILDS)

    found = plan_rows(parse(root), present, allow=True)

    assert found.plan.is_empty
    assert found.parsed.protected == {"build_history"}
    assert [problem.path for problem in found.parsed.problems if problem.severity is Severity.ERROR] == [BUILDS]


def test_ledger_that_was_lost_is_reported_by_the_plan(root: Path) -> None:
    present = prints(parse(root))
    (root / BUILDS).unlink()

    (problem,) = plan_rows(parse(root), present).problems

    assert "The ledger is gone" in problem.message


def test_ledger_that_never_was_is_not_missed(root: Path) -> None:
    found = plan_rows(parse(root), prints(parse(root)))

    assert not (root / "docs" / "DEBUG_LOG.md").exists()
    assert not found.parsed.protected


def test_emptied_ledger_is_a_mass_deletion_not_a_lost_file(root: Path) -> None:
    present = prints(parse(root))
    (root / BUILDS).write_text("# Build History\n")

    found = plan_rows(parse(root), present)

    assert found.plan.is_empty
    assert found.refused == {"build_history"}


# Several keys for one entry


@dataclass(frozen=True)
class Chunk:
    """A point of the index, as far as a plan is concerned."""

    key: str
    content_hash: str
    title: str


def entry_of(key: str) -> RecordKey:
    return RecordKey("kiln", "build_history", key.partition("#")[0])


def chunks(parsed: ParsedProject, *, each: int) -> list[Chunk]:
    return [
        Chunk(f"{record.key.entry_id}#{number}", record.content_hash, record.title)
        for record in parsed.records
        if record.key.file_type == "build_history"
        for number in range(each)
    ]


def test_chunks_that_go_are_no_entries_that_go(root: Path) -> None:
    parsed = parse(root)
    present = {chunk.key: chunk.content_hash for chunk in chunks(parsed, each=3)}

    found = reconcile(parsed, chunks(parsed, each=1), present, entry_of)

    assert found.plan.counts() == Counts(deleted=40, unchanged=20)
    assert not found.refused


def test_guard_counts_entries_not_chunks(root: Path) -> None:
    present = {chunk.key: chunk.content_hash for chunk in chunks(parse(root), each=3)}
    (root / BUILDS).write_text(many_builds(10))
    parsed = parse(root)

    found = reconcile(parsed, chunks(parsed, each=3), present, entry_of)

    assert "10 of 20 entries" in found.problems[0].message


def test_change_table_has_one_line_an_entry(root: Path) -> None:
    present = {chunk.key: chunk.content_hash for chunk in chunks(parse(root), each=2)} | {"BUILD-77#0": "x"}
    del present["BUILD-3#0"], present["BUILD-3#1"]
    present["BUILD-1#1"] = "stale"
    parsed = parse(root)

    found = reconcile(parsed, chunks(parsed, each=2), present, entry_of)
    changes = changes_of(found.plan, found.parsed, entry_of, lambda chunk: chunk.title)

    assert changes == (
        Change("insert", entry_of("BUILD-3"), "Firing 3", BUILDS, parsed.line_of(entry_of("BUILD-3"))),
        Change("update", entry_of("BUILD-1"), "Firing 1", BUILDS, parsed.line_of(entry_of("BUILD-1"))),
        Change("delete", entry_of("BUILD-77"), "", BUILDS, None),
    )
    assert [change.line for change in changes] == [13, 5, None]


# Both protections, whatever is there


@given(kept=st.integers(0, 30), held=st.integers(0, 30), stale=st.sets(st.integers(1, 30)))
def test_plan_never_deletes_much_without_being_asked(
    tmp_path_factory: pytest.TempPathFactory, kept: int, held: int, stale: set[int]
) -> None:
    root = tmp_path_factory.mktemp("kiln")
    (root / "docs").mkdir()
    (root / "sot.toml").write_text('[[project]]\nid = "kiln"\n')
    (root / BUILDS).write_text(many_builds(kept))
    parsed = parse(root)
    keys = [RecordKey("kiln", "build_history", f"BUILD-{number}") for number in range(1, held + 1)]
    known = prints(parsed)
    present = {key: "stale" if number in stale else known.get(key, "x") for number, key in enumerate(keys, start=1)}

    found = plan_rows(parsed, present)

    gone = max(0, held - kept)
    if gone > 5 and gone > 0.2 * held:
        assert found.plan.is_empty
    else:
        after = {key: print_ for key, print_ in present.items() if key not in found.plan.deletes}
        after |= {record.key: record.content_hash for record in found.plan.upserts}
        assert after == known
