from __future__ import annotations

import struct

from sot_pipeline.targets.database import Database
from sot_pipeline_tests.targets.database.ledger import SOON


def vector(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def test_stored_vectors_come_back_byte_for_byte(database: Database) -> None:
    stored = {f"{number:016x}": vector(number, -number, 0.1) for number in range(3_000)}

    database.store_vectors("model-a", 3, stored, SOON)

    assert database.cached_vectors("model-a", stored.keys()) == stored
    assert database.cached_vectors("model-a", ["absent", f"{7:016x}"]) == {f"{7:016x}": vector(7, -7, 0.1)}
    assert database.cached_vectors("model-a", []) == {}


def test_models_do_not_share_vectors(database: Database) -> None:
    database.store_vectors("model-a", 1, {"00": vector(1)}, SOON)
    database.store_vectors("model-b", 2, {"00": vector(2, 2)}, SOON)

    assert database.cached_vectors("model-a", ["00"]) == {"00": vector(1)}
    assert database.cached_vectors("model-b", ["00"]) == {"00": vector(2, 2)}


def test_a_vector_stored_again_is_replaced(database: Database) -> None:
    database.store_vectors("model-a", 1, {"00": vector(1)}, SOON)

    database.store_vectors("model-a", 1, {"00": vector(2)}, SOON)

    assert database.cached_vectors("model-a", ["00"]) == {"00": vector(2)}
