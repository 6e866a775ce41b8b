from __future__ import annotations

from sot_pipeline.runtime.pulse import Pulse


def test_a_probe_is_due_at_once_and_then_at_the_interval() -> None:
    pulse = Pulse(interval=5.0, patience=2.0)

    assert pulse.is_due(100.0)
    pulse.written(100.0)
    assert not pulse.is_due(100.0)
    assert pulse.due_in(100.0) == 2.0
    pulse.seen()
    assert pulse.due_in(101.0) == 4.0
    assert not pulse.is_due(104.9)
    assert pulse.is_due(105.0)


def test_a_probe_that_does_not_come_back_is_missed_once() -> None:
    pulse = Pulse(interval=5.0, patience=2.0)
    pulse.written(0.0)

    assert [pulse.missed(at) for at in (1.9, 2.0, 2.1)] == [False, True, False]


def test_a_renewed_watch_gets_a_new_probe_and_two_silent_ones_mean_polling() -> None:
    pulse = Pulse(interval=5.0, patience=2.0)
    for at in (0.0, 2.0):
        pulse.renewed()
        assert not pulse.is_polling
        assert pulse.is_due(at)
        pulse.written(at)
        assert pulse.missed(at + 2.0)

    assert pulse.is_polling
    pulse.written(10.0)
    pulse.seen()
    assert not pulse.is_polling
