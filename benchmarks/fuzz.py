"""Fuzzes the parsers with coverage (atheris): each target in a process of its own, with limits.

    python benchmarks/fuzz.py --seconds 60 --target ledger [--target config ...] [--output fuzz.json]

Without `--target` all of `fuzz_targets.py` run, one after the other. Exit 0 where nothing was found,
1 with the input and the traceback of the first defect of each target, 2 where atheris is missing. A target
`module:function` is one of your own, found by PYTHONPATH.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from machine import machine, write_report

NAMES = ("ledger", "chunks", "config", "readme", "skill", "answer")
# What coverage is measured of: ours, and the parsers that do part of the work.
INSTRUMENTED = ("sot_pipeline", "fuzz_targets", "mistune", "tomllib", "json")
LONGEST_INPUT = 4_096
# An input takes about a millisecond; what needs a thousand times as long on a busy machine is a defect.
SECONDS_AN_INPUT = 10
MEGABYTES = 2_048
# Starting and instrumenting, beside the time that is asked for.
STARTING_SECONDS = 60
DEFECT_BYTES = 2_000


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """One run: CPU seconds, inputs tried, edges covered; `defect` is None or how it was told of.

    `input` is the Python literal of the bytes that showed it.
    """

    target: str
    seconds: float
    executions: int
    covered: int
    defect: str | None
    input: str | None


def fuzz(name: str, seconds: int, seed: int) -> Fuzzed:
    """Fuzz one target for `seconds` of wall time in a process with limits on memory and time."""
    with tempfile.TemporaryDirectory(prefix="sot-fuzz-") as folder:
        command = [sys.executable, __file__, "--inside", folder, "--target", name]
        command += ["--seconds", str(seconds), "--seed", str(seed)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # atheris tells of exceptions here, libFuzzer of everything else there
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: limit(seconds + STARTING_SECONDS),
            timeout=seconds + 2 * STARTING_SECONDS,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = sorted(Path(folder, "defects").iterdir())
        told = done.stdout.decode(errors="replace")
        return Fuzzed(
            name,
            round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
            last_number(r"number_of_executed_units: (\d+)|^#(\d+)\t", told),
            last_number(r"\bcov: (\d+)", told),
            (defect_in(told) or f"ended with {done.returncode}") if done.returncode else None,
            repr(found[0].read_bytes()) if found else None,
        )


def limit(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (2 * MEGABYTES * 1024 * 1024,) * 2)


def last_number(pattern: str, told: str) -> int:
    found = re.findall(pattern, told, re.MULTILINE)
    last = found[-1] if found else "0"
    return int(last if isinstance(last, str) else max(last, key=len))


def defect_in(told: str) -> str:
    """From the traceback on, or what the fuzzer says itself (time, memory)."""
    found = re.search(r"=== Uncaught Python exception: ===\n(.*?)(?=\n==\d+==|\Z)", told, re.DOTALL)
    return (found[1].strip() if found else told)[-DEFECT_BYTES:]


def run_inside(folder: Path, name: str, seconds: int, seed: int) -> None:
    """Fuzz in this process; does not return."""
    import atheris

    module, _, function = name.rpartition(":")
    with atheris.instrument_imports(include=[*INSTRUMENTED, *([module] if module else [])]):
        import mistune.block_parser  # noqa: F401  # imported late by the package, and then not instrumented

        targets = importlib.import_module("fuzz_targets")
        run = getattr(importlib.import_module(module), function) if module else None
    target = targets.Target(run) if run else targets.TARGETS[name]
    for part in ("corpus", "defects"):
        (folder / part).mkdir()
    for number, seed_input in enumerate(target.seeds):
        (folder / "corpus" / f"seed{number}").write_bytes(seed_input)
    words = ["".join(f"\\x{byte:02x}" for byte in word) for word in target.words]
    # An empty dictionary is refused, one with a comment is not.
    (folder / "words").write_text("".join(["#\n", *(f'"{word}"\n' for word in words)]), encoding="ascii")
    flags = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": LONGEST_INPUT,
        "timeout": SECONDS_AN_INPUT,
        "rss_limit_mb": MEGABYTES,
        "dict": folder / "words",
        "artifact_prefix": f"{folder / 'defects'}{os.sep}",
        "print_final_stats": 1,
    }
    atheris.Setup(
        [sys.argv[0], *(f"-{flag}={value}" for flag, value in flags.items()), str(folder / "corpus")],
        lambda data: try_input(target.run, data, folder / "defects" / "exception"),
    )
    atheris.Fuzz()


def try_input(run: Callable[[bytes], None], data: bytes, kept: Path) -> None:
    """Run; an input that raises is kept, whatever becomes of the process then."""
    try:
        run(data)
    except BaseException:
        kept.write_bytes(data)
        raise


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", action="append", help=f"{', '.join(NAMES)} or module:function; may be repeated")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, help="write the JSON here, not to stdout")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    found = parser.parse_args(arguments)
    found.target = found.target or list(NAMES)
    if unknown := [name for name in found.target if name not in NAMES and ":" not in name]:
        parser.error(f"unknown target {unknown[0]!r}; there are {', '.join(NAMES)}")
    return found


def main() -> int:
    chosen = options()
    if find_spec("atheris") is None:
        print("atheris is missing: it is installed on Linux only (see pyproject.toml).", file=sys.stderr)
        return 2
    if chosen.inside:
        run_inside(chosen.inside, chosen.target[0], chosen.seconds, chosen.seed)
    done = [fuzz(name, chosen.seconds, chosen.seed) for name in chosen.target]
    write_report({"machine": machine(), "seed": chosen.seed, "targets": [asdict(each) for each in done]}, chosen.output)
    return 1 if any(each.defect for each in done) else 0


if __name__ == "__main__":
    sys.exit(main())
