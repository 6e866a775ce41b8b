"""What is measured of the code index, each in a new process: the index, its floor, and a peer.

Floor and peer read the same files as the index does. CPU and memory are those of the process and
of the ones it started; a database server's own work is not among them.
"""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from sot_pipeline.code.files import source_files
from sot_pipeline.code.languages import grammar_of, language_of
from sot_pipeline.code.text import skip_reason
from sot_pipeline.index_code import index_projects
from sot_pipeline.outcome import Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import open_session
from sot_pipeline.verify_code import verify_code
from sot_pipeline.workspace import load_workspace


@dataclass(frozen=True, slots=True)
class Done:
    """How many files were gone through, of how many bytes, and the wall seconds of each phase where there are any."""

    files: int
    size: int
    phases: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """One piece of work: wall and CPU seconds, and the peak of resident memory in MB."""

    done: Done
    seconds: float
    cpu_seconds: float
    peak_mb: float


Work = Callable[[Path], Done]


def measured(work: Work, folder: Path) -> Measured:
    """`work` on `folder` in a process of its own. Raises RuntimeError where it fails."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, folder))
    process.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        raise RuntimeError(f"{work.__name__} failed") from None
    finally:
        process.join()
    assert isinstance(found, Measured)
    return found


def _serve(line: Connection, work: Work, folder: Path) -> None:
    cpu, started = _cpu_seconds(), time.perf_counter()
    done = work(folder)
    seconds = time.perf_counter() - started
    line.send(Measured(done, seconds, _cpu_seconds() - cpu, _peak_mb()))


def _family() -> list[psutil.Process]:
    here = psutil.Process()
    return [here, *here.children(recursive=True)]


def _cpu_seconds() -> float:
    """Of this process and those it started, also where they ended."""
    own = psutil.Process().cpu_times()
    return own.children_user + own.children_system + sum(_user_and_system(process) for process in _family())


def _user_and_system(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak_mb() -> float:
    """The sum of the peaks, which is above the peak of the sum."""
    texts = (Path(f"/proc/{process.pid}/status").read_text() for process in _family())
    return sum(int(found[1]) / 1024 for text in texts if (found := re.search(r"VmHWM:\s+(\d+) kB", text)))


# The work. `folder` holds the files in `tree`, and a sot.toml for the index.


def floor(folder: Path) -> Done:
    """Read, hash and parse with the same grammars, and keep nothing."""
    files = source_files(folder / "tree").files
    size = 0
    for path, file in files.items():
        data = file.read_bytes()
        hashlib.sha256(data).hexdigest()
        size += len(data)
        if skip_reason(data) is None:
            grammar_of(language_of(path) or "").parser.parse(data)
    return Done(len(files), size, {})


def lizard(folder: Path) -> Done:
    """Tokens, lines and cyclomatic complexity of each function, of Python files alone; keeps nothing."""
    import lizard as peer

    files = [file for file in source_files(folder / "tree").files.values() if file.suffix == ".py"]
    size = 0
    for file in files:
        data = file.read_bytes()
        size += len(data)
        peer.analyze_file.analyze_source_code(str(file), data.decode(errors="replace"))
    return Done(len(files), size, {})


def index(folder: Path) -> Done:
    """The rows of both tables, as `sot watch` writes them: nothing that takes all files together."""
    return _indexed(folder, full=False)


def index_on_one_core(folder: Path) -> Done:
    """As `index`, with one core for us and the process that has the large files."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return index(folder)


def full_pass(folder: Path) -> Done:
    """`sot code index --execute`."""
    return _indexed(folder, full=True)


def _indexed(folder: Path, *, full: bool) -> Done:
    gc.disable()  # as the command does
    workspace = load_workspace(folder / "sot.toml", env={})
    report = index_projects(workspace, workspace.projects, execute=True, full=full, deadline=Deadline.never())
    if report.error:
        raise report.error
    (outcome,) = report.projects
    assert outcome.files
    return Done(sum(outcome.files), 0, outcome.seconds)


def require_agreement(folder: Path) -> None:
    """Raises RuntimeError where a table does not hold what the files say: its figures would be worth nothing."""
    workspace = load_workspace(folder / "sot.toml", env={})
    deadline = Deadline.never()
    with open_session(
        workspace, Mode.DB_ONLY, projects=workspace.projects, execute=False, deadline=deadline
    ) as session:
        if not verify_code(session, workspace.projects[0]).agree:
            raise RuntimeError(f"{folder}: the tables do not agree with the files")
