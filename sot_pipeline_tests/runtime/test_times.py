"""The times of leases are those that docs/reliability.md promises."""

from __future__ import annotations

import re
from pathlib import Path

from sot_pipeline.runtime.leases import TIMES
from sot_pipeline.runtime.order import LOCK_WAIT_SECONDS

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_times_are_as_documented() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    table = text.partition("### The life of a lease")[2].partition("\n- ")[0]

    stated = [float(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]

    assert stated == [TIMES.ttl, TIMES.heartbeat, TIMES.ttl - TIMES.margin, TIMES.stall, TIMES.grace]
    assert f"`--lock-wait` seconds ({LOCK_WAIT_SECONDS:g};" in text
