"""The pipeline beside its peers: what others would use instead, on as many entries, in the same hour.

    python benchmarks/peers.py --peers ../shared/peers --python peers-env/bin/python --output peers.json

The peers' own scripts generate, run and check them (their README says how to make the environment
that `--python` names); the pipeline and the floor are `ledgers.py` on PostgreSQL. They follow each
other within one invocation, so that all see the same machine; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from machine import machine, write_report

# Scenario of ours → what the peers' scripts call it.
SCENARIOS = {
    "cold": "cold",
    "no change": "nochange",
    "one edit": "edit1",
    "1 % edits": "edit1pct",
    "1 % deletes": "del1pct",
}
OURS = "pipeline"

Seconds = Mapping[str, float]  # scenario → median


def peers(python: Path, scripts: Path, work: Path, entries: int, inner: int) -> dict[str, Seconds]:
    """Every peer of the scripts' main plan that ran and agreed with its ledger."""
    output = work / "peers.jsonl"
    command = [python, scripts / "run_all.py", output, str(entries), "256", "--plan", "pgvec", "--inner", str(inner)]
    subprocess.run([str(part) for part in command], cwd=work, check=True, stdout=sys.stderr)
    found: dict[str, Seconds] = {}
    for line in output.read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        if "error" in run:
            print(f"{run['name']}: failed ({run['error']})", file=sys.stderr)
        elif not run["name"].startswith("floor"):
            found[run["name"]] = {
                ours: statistics.median(one["s"] for one in run["scenarios"][theirs])
                for ours, theirs in SCENARIOS.items()
            }
    return found


def pipeline(work: Path, entries: int, inner: int) -> dict[str, Seconds]:
    """The pipeline and the floor, rows and vectors on PostgreSQL."""
    output = work / "ledgers.json"
    script = Path(__file__).with_name("ledgers.py")
    options = ["--entries", entries, "--inner", inner, "--database", "postgresql", "--targets", "rows + vectors"]
    command = [sys.executable, script, *options, "--output", output]
    subprocess.run([str(part) for part in command], check=True)
    found: dict[str, dict[str, float]] = {}
    for line in json.loads(output.read_text(encoding="utf-8"))["lines"]:
        if line["scenario"] in SCENARIOS:
            found.setdefault(line["subject"], {})[line["scenario"]] = line["seconds"]
    return dict(found)


def faster(found: Mapping[str, Seconds]) -> dict[str, tuple[str, float]]:
    """Scenario → the fastest peer, and how many times the pipeline is faster."""
    others = [name for name in found if name not in (OURS, "floor")]
    answer = {}
    for scenario in SCENARIOS:
        best = min(others, key=lambda name: found[name][scenario])
        answer[scenario] = (best, found[best][scenario] / found[OURS][scenario])
    return answer


def main() -> None:
    """Run all and print JSON, or write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--peers", type=Path, required=True, help="folder of the peers' scripts")
    parser.add_argument("--python", type=Path, required=True, help="Python of the environment with their packages")
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--inner", type=int, default=3)
    parser.add_argument("--output", type=Path, help="write the JSON here, not to stdout")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sot-bench-") as folder:
        work = Path(folder)
        found = pipeline(work, options.entries, options.inner)
        # absolute(), not resolve(): the python of an environment is a link out of it.
        found |= peers(options.python.absolute(), options.peers.resolve(), work, options.entries, options.inner)
    ratios = faster(found)
    for scenario, (name, ratio) in ratios.items():
        print(f"{scenario:12} {found[OURS][scenario]:8.3f} s  {ratio:5.1f} × faster than {name}", file=sys.stderr)
    write_report({"entries": options.entries, "machine": machine(), "seconds": found, "faster": ratios}, options.output)


if __name__ == "__main__":
    main()
