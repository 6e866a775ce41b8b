from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace

import pytest

from sot_pipeline.runtime.process import Process, is_proven_dead, this_process


def test_this_process_is_not_dead() -> None:
    me = this_process()

    assert (me.pid, me.started > 0) == (os.getpid(), True)
    assert not is_proven_dead(me)


def ended_process() -> Process:
    process = subprocess.Popen(["true"])
    process.wait()
    return replace(this_process(), pid=process.pid)


def test_process_that_ended_is_dead() -> None:
    assert is_proven_dead(ended_process())


def test_process_that_nobody_waited_for_is_dead() -> None:
    process = subprocess.Popen(["sleep", "60"])
    try:
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert is_proven_dead(replace(this_process(), pid=process.pid, started=0))
    finally:
        process.wait()


def test_stopped_process_is_not_dead() -> None:
    process = subprocess.Popen(["sleep", "60"])
    try:
        os.kill(process.pid, signal.SIGSTOP)

        assert not is_proven_dead(replace(this_process(), pid=process.pid, started=0))
    finally:
        process.kill()
        process.wait()


def test_another_process_under_the_same_number_proves_death() -> None:
    me = this_process()

    assert is_proven_dead(replace(me, started=me.started - 1))


@pytest.mark.parametrize(
    "unproven", [{"host": "elsewhere"}, {"boot": "another"}, {"boot": ""}, {"pid": 0}, {"pid": -9}]
)
def test_other_hosts_boots_and_absurd_numbers_prove_nothing(unproven: dict[str, object]) -> None:
    assert not is_proven_dead(replace(ended_process(), **unproven))


def test_number_beyond_any_process_is_no_crash() -> None:
    assert not is_proven_dead(replace(this_process(), pid=2**62))
