from dataclasses import dataclass
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.plan import (
    Counts,
    Json,
    Plan,
    RecordKey,
    canonical_json,
    diff,
    hash_record,
    hash_text,
    is_mass_delete,
)


@dataclass(frozen=True)
class Item:
    key: str
    content_hash: str


keys = st.text("abcdef", min_size=1, max_size=2)
states = st.dictionaries(keys, st.sampled_from(["h1", "h2", "h3"]))
json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def items_of(state: dict[str, str]) -> list[Item]:
    return [Item(key, content_hash) for key, content_hash in state.items()]


def apply(plan: Plan[str, Item], state: dict[str, str]) -> dict[str, str]:
    """What a target holds after `plan`: exactly what the plan says, nothing else."""
    after = {key: content_hash for key, content_hash in state.items() if key not in plan.deletes}
    return after | {item.key: item.content_hash for item in plan.upserts}


@given(states, states)
def test_applying_a_plan_leaves_nothing_to_plan(wanted: dict[str, str], present: dict[str, str]) -> None:
    after = apply(diff(items_of(wanted), present), present)

    again = diff(items_of(wanted), after)

    assert after == wanted
    assert again.is_empty
    assert again.unchanged == len(wanted)


@given(states, states)
def test_every_key_stands_in_one_part_of_the_plan(wanted: dict[str, str], present: dict[str, str]) -> None:
    plan = diff(items_of(wanted), present)

    assert {item.key for item in plan.inserts} == wanted.keys() - present.keys()
    assert set(plan.deletes) == present.keys() - wanted.keys()
    assert {item.key for item in plan.updates} == {
        key for key in wanted.keys() & present.keys() if wanted[key] != present[key]
    }
    assert sum(plan.counts()) == len(wanted.keys() | present.keys())


@given(states)
def test_diff_leaves_its_arguments_alone(present: dict[str, str]) -> None:
    before = dict(present)

    diff([], present)

    assert present == before


def test_inserts_and_updates_keep_the_order_of_the_records() -> None:
    wanted = [Item("c", "1"), Item("a", "1"), Item("d", "1"), Item("b", "1")]

    plan = diff(wanted, {"a": "0", "b": "0"})

    assert [item.key for item in plan.inserts] == ["c", "d"]
    assert [item.key for item in plan.updates] == ["a", "b"]
    assert [item.key for item in plan.upserts] == ["c", "d", "a", "b"]


def test_a_fingerprint_that_is_not_right_is_an_update() -> None:
    assert diff([Item("a", "1")], {"a": ""}).counts() == Counts(updated=1)


def test_counts_add_up_field_by_field() -> None:
    assert Counts(1, 2, 3, 4).plus(Counts(10, 20, 30, 40)) == Counts(11, 22, 33, 44)


@given(st.dictionaries(st.text(max_size=5), json_values))
def test_equal_values_have_equal_canonical_json(value: dict[str, Json]) -> None:
    turned = dict(reversed(list(value.items())))

    assert canonical_json(turned) == canonical_json(value)


def test_canonical_json_has_no_white_space_and_keeps_characters() -> None:
    assert canonical_json({"b": [1, None], "a": "é✅"}) == '{"a":"é✅","b":[1,null]}'


def test_hash_of_a_text_is_the_start_of_its_sha256() -> None:
    assert hash_text("abc") == "ba7816bf8f01cfea"  # FIPS 180-2, appendix B.1


KEY = RecordKey("p", "build_history", "BUILD-1")
DAY = datetime(2026, 1, 2, 3, 4)


def test_every_stored_field_is_in_the_content_hash() -> None:
    hashes = {
        hash_record(KEY, "t", "c", {"m": 1}, DAY),
        hash_record(KEY._replace(file_type="debug_log"), "t", "c", {"m": 1}, DAY),
        hash_record(KEY._replace(entry_id="BUILD-2"), "t", "c", {"m": 1}, DAY),
        hash_record(KEY, "T", "c", {"m": 1}, DAY),
        hash_record(KEY, "t", "C", {"m": 1}, DAY),
        hash_record(KEY, "t", "c", {"m": 2}, DAY),
        hash_record(KEY, "t", "c", {"m": 1}, None),
    }

    assert len(hashes) == 7


@given(st.text(), st.text(), st.text(), st.text())
def test_text_does_not_slip_from_one_field_into_the_next(a: str, b: str, c: str, d: str) -> None:
    same = hash_record(KEY, a, b, {}, None) == hash_record(KEY, c, d, {}, None)

    assert same == ((a, b) == (c, d))


def test_the_project_is_not_in_the_content_hash() -> None:
    assert hash_record(KEY, "t", "c", {}, None) == hash_record(KEY._replace(project_id="q"), "t", "c", {}, None)


def test_a_mass_delete_is_more_than_five_and_more_than_a_fifth() -> None:
    assert not is_mass_delete(5, 5)
    assert not is_mass_delete(6, 30)
    assert is_mass_delete(6, 29)
    assert is_mass_delete(6, 6)
    assert not is_mass_delete(0, 0)


def test_a_key_reads_as_its_parts() -> None:
    assert str(KEY) == "p_build_history_BUILD-1"
