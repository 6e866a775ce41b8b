"""Holders of leases for tests: in this process, in others that can be stopped and killed, and on other hosts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sot_pipeline.runtime.acquire import leased
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.held import HeldLeases
from sot_pipeline.runtime.leases import Claim, Grant, LeaseTimes, Lock
from sot_pipeline.runtime.process import this_process
from sot_pipeline.targets.database import Database

SOON = Deadline(24 * 3600)  # counts from the import, which a long run leaves far behind
BOTH = ("archive", "docs")
# A lease so short that a test can wait for its end.
BRIEF = LeaseTimes(ttl=1.0, heartbeat=0.2, margin=0.3, grace=0.5, stall=60.0)

# Holds leases; then writes one row of activity for each line it reads, and says how that went.
_HOLD = """
import sys
from sot_pipeline.errors import SotError
from sot_pipeline.plan import Counts
from sot_pipeline.runtime.acquire import leased
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.held import steady_clock
from sot_pipeline.runtime.leases import LeaseTimes
from sot_pipeline.targets.database import Activity, Database

url, names, times, notices = sys.argv[1], sys.argv[2].split(","), sys.argv[3].split(","), sys.argv[4] == "notices"
sys.argv = ["/usr/bin/sot", "sync", "--database-url", "postgresql://u:canary@h/d"]
clock = steady_clock if notices else lambda: 0.0
with Database(url) as database:
    database.upgrade(Deadline(60))
    connect = lambda: Database(url)
    with leased(database, connect, names, wait_seconds=5, times=LeaseTimes(*map(float, times)), clock=clock) as held:
        with database.fenced(held):
            print("held", flush=True)
            for line in sys.stdin:
                try:
                    database.record_activity("atlas", Activity("w", 0, "success", None, Counts(), 0), Deadline(9))
                    print("written", flush=True)
                except SotError as error:
                    print(error.exit_code, type(error).__name__, error, flush=True)
"""


class HoldingProcess:
    """Another process that holds leases."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    def write(self) -> str:
        """What it says to an attempt to write."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def holding_process(
    url: str, *names: str, times: LeaseTimes | None = None, notices_time: bool = True
) -> Iterator[HoldingProcess]:
    """A process that holds leases until the block ends; one that does not notice time is only stopped by the rows."""
    times = times or LeaseTimes()
    told = ",".join(str(one) for one in (times.ttl, times.heartbeat, times.margin, times.grace, times.stall))
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, url, ",".join(names or BOTH), told, "notices" if notices_time else "frozen"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdin
    try:
        assert process.stdout.readline() == "held\n"
        yield HoldingProcess(process)
    finally:
        process.stdin.close()
        process.wait(timeout=20)
        process.stdout.close()


@contextmanager
def holding(
    database: Database, url: str, *names: str, wait: float = 5.0, times: LeaseTimes | None = None
) -> Iterator[HeldLeases]:
    """Leases held by this thread, on `database`, which shows them with every write."""
    with (
        leased(database, lambda: Database(url), names or BOTH, wait_seconds=wait, times=times or LeaseTimes()) as held,
        database.fenced(held),
    ):
        yield held


def claim(owner: str = "somebody", *, host: str = "elsewhere") -> Claim:
    """A claim of a process on another host."""
    return Claim(owner, replace(this_process(), host=host), "sot sync")


def held_elsewhere(database: Database, *names: str, owner: str = "somebody", ttl: float = 60.0) -> tuple[Grant, ...]:
    """Leases that a process on another host holds, and will not renew."""
    grants = database.acquire_leases(names or BOTH, claim(owner), dead=(), ttl=ttl, deadline=SOON)
    assert grants
    return grants


def lock(database: Database, name: str) -> Lock:
    return next(found for found in database.locks(SOON) if found.name == name)


def states(locks: Sequence[Lock]) -> dict[str, str]:
    return {found.name: found.state.value for found in locks}
