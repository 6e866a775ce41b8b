from __future__ import annotations

from sot_pipeline.plan import RecordKey
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.points import entry_hashes

FIRST, SECOND = RecordKey("atlas", "build_history", "BUILD-1"), RecordKey("atlas", "build_history", "BUILD-1.2")


def test_an_entry_was_indexed_in_the_version_that_all_its_chunks_name() -> None:
    listed = {f"{FIRST}#0": "aaaa-1111", f"{FIRST}#1": "aaaa-2222", f"{SECOND}#0": "bbbb-3333"}

    assert entry_hashes(listed, CollectionId("atlas", Kind.DOCS)) == {FIRST: "aaaa", SECOND: "bbbb"}


def test_an_entry_whose_chunks_disagree_or_are_damaged_has_no_version() -> None:
    listed = {f"{FIRST}#0": "aaaa-1", f"{FIRST}#1": "cccc-2", f"{FIRST}#2": "aaaa-3", f"{SECOND}#0": ""}

    assert entry_hashes(listed, CollectionId("atlas", Kind.DOCS)) == {FIRST: "", SECOND: ""}
