from __future__ import annotations

import math

from sot_pipeline.runtime.retry import Retries


def test_three_tries_with_growing_pauses_then_it_is_shown() -> None:
    retries: Retries[str] = Retries((1.0, 2.0, 4.0))
    now, pauses = 0.0, list[float]()
    while not retries.failed("kiln", now):
        pauses.append(retries.due_in(now))
        assert retries.waiting == {"kiln"}
        assert retries.take(now) == frozenset()
        now += pauses[-1]
        assert retries.take(now) == {"kiln"}

    assert pauses == [1.0, 2.0, 4.0]
    assert retries.due_in(now) == math.inf


def test_what_failed_again_later_is_shown_at_once() -> None:
    retries: Retries[str] = Retries(())

    assert retries.failed("kiln", 0.0)
    assert retries.failed("kiln", 9.0)


def test_success_gives_all_tries_back() -> None:
    retries: Retries[str] = Retries((1.0,))
    retries.failed("kiln", 0.0)
    retries.succeeded("kiln")

    assert retries.take(5.0) == frozenset()
    assert not retries.failed("kiln", 5.0)
