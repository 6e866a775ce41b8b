from __future__ import annotations

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from sot_pipeline.orchestration.snapshots import LedgerSnapshot, SnapshotStore, from_json, to_json

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
SNAPSHOTS = st.builds(
    LedgerSnapshot,
    TEXT,
    TEXT,
    st.dictionaries(TEXT, st.dictionaries(TEXT, TEXT, max_size=3), max_size=3),
)


@given(SNAPSHOTS)
def test_snapshot_survives_being_written_and_read(snapshot: LedgerSnapshot) -> None:
    assert from_json(to_json(snapshot)) == snapshot


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 99}', "nonsense"])
def test_foreign_snapshot_says_what_to_do(text: str) -> None:
    with pytest.raises(dg.Failure, match="Materialize parsed_ledgers again"):
        from_json(text)


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_snapshots_go_to_a_folder_or_an_object_store(scheme: str, tmp_path: object) -> None:
    base = UPath(f"{scheme}://{tmp_path}")
    snapshot = LedgerSnapshot("p", "h", {"build_history": {"BUILD-1": "x"}})

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["p"]), io_manager_def=SnapshotStore(base))
    def written() -> LedgerSnapshot:
        return snapshot

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["p"]))
    def read(written: LedgerSnapshot) -> None:
        assert written == snapshot

    assert dg.materialize([written, read], partition_key="p").success
    assert [path.name for path in (base / "written").iterdir()] == ["p.json"]


def test_missing_snapshot_names_the_asset_to_materialize(tmp_path: object) -> None:
    store = SnapshotStore(UPath(str(tmp_path)))

    with pytest.raises(dg.Failure, match="Materialize parsed_ledgers first"):
        store.load_from_path(dg.build_input_context(), UPath(f"{tmp_path}/none.json"))
