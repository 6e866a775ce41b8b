import random
import threading
import time
from datetime import UTC, datetime

import pytest

from sot_pipeline.embedding.backoff import (
    FIRST_DELAY_SECONDS,
    LONGEST_DELAY_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    Backoff,
    retry_after,
)
from sot_pipeline.errors import DeadlineExceeded, EmbeddingFailed
from sot_pipeline.runtime.deadline import Deadline

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After-Ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "?", "retry-after": "9"}, 9.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:07 GMT"}, 7.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:07"}, 7.0),
        ({"Retry-After": "Wed, 31 Dec 2025 23:00:00 GMT"}, 0.0),
        ({"Retry-After": "Thu, 99 Foo 2026 00:00:07 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pause_after(attempt: int, asked: float | None = None, *, draw: float = 0.0) -> float:
    class Draw(random.Random):
        def random(self) -> float:
            return draw

    clock = Clock()
    backoff = Backoff(Draw(), clock=clock)
    backoff.postpone(attempt, asked)
    with pytest.raises(DeadlineExceeded, match="left alone for") as caught:
        backoff.wait(Deadline(0, clock=clock))
    return float(caught.value.message.split("left alone for ")[1].split(" s")[0])


def test_pauses_double_up_to_a_longest() -> None:
    assert [pause_after(attempt) for attempt in (1, 2, 3)] == [
        FIRST_DELAY_SECONDS,
        2 * FIRST_DELAY_SECONDS,
        4 * FIRST_DELAY_SECONDS,
    ]
    assert pause_after(30) == LONGEST_DELAY_SECONDS


def test_up_to_half_of_a_pause_is_taken_off_at_random() -> None:
    assert pause_after(3, draw=1.0) == pause_after(3, draw=0.0) / 2


def test_what_the_server_asks_for_is_not_shortened() -> None:
    assert pause_after(1, 7.0, draw=1.0) == 7.0


def test_a_server_that_asks_for_too_much_is_given_up() -> None:
    with pytest.raises(EmbeddingFailed, match="come back in 301 s"):
        Backoff(random.Random()).postpone(1, LONGEST_RETRY_AFTER_SECONDS + 1)


def test_a_shorter_pause_does_not_cut_a_longer_one() -> None:
    clock = Clock()
    backoff = Backoff(random.Random(), clock=clock)
    backoff.postpone(1, 10.0)
    backoff.postpone(1, 1.0)

    with pytest.raises(DeadlineExceeded, match=r"left alone for 10\.0 s"):
        backoff.wait(Deadline(5, clock=clock))


def test_nobody_waits_without_a_pause() -> None:
    started = time.monotonic()

    Backoff(random.Random()).wait(Deadline(0))

    assert time.monotonic() - started < 0.1


def test_stopping_wakes_whoever_waits() -> None:
    backoff = Backoff(random.Random())
    backoff.postpone(1, 30.0)
    threading.Timer(0.1, backoff.stop).start()
    started = time.monotonic()

    with pytest.raises(EmbeddingFailed, match="another request"):
        backoff.wait(Deadline.never())

    assert time.monotonic() - started < 5
