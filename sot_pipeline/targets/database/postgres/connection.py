"""A psycopg connection that gives up on a server which has stopped answering.

A statement that takes too long is ended by the server itself (statement_timeout). This is for the
server that ends nothing: stopped, or behind a cut network.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import TupleRow

from sot_pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    from psycopg.abc import RV, PQGen

# What the server gets on top of the deadline to end a statement itself, and to say so.
GRACE_SECONDS = 1.0
_LOOK_SECONDS = 0.1


class BoundedConnection(psycopg.Connection[TupleRow]):
    """A connection whose every wait ends soon after `deadline`, with an OperationalError."""

    deadline = Deadline.never()

    def wait(self, gen: PQGen[RV], interval: float = _LOOK_SECONDS, timeout: float | None = None) -> RV:
        """Wait for the server, as psycopg does, but not for ever."""
        bounded = _until(gen, self.deadline)
        return super().wait(bounded, interval) if timeout is None else super().wait(bounded, interval, timeout)


def _until(gen: PQGen[RV], deadline: Deadline) -> PQGen[RV]:
    """`gen`, ended by an error where it still waits `GRACE_SECONDS` after the deadline."""
    passed: float | None = None
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and deadline.remaining() <= 0:
                passed = passed or time.monotonic()
                if time.monotonic() - passed > GRACE_SECONDS:
                    raise psycopg.OperationalError("the server does not answer")
            wanted = gen.send(ready)
    except StopIteration as end:
        result: RV = end.value
        return result
