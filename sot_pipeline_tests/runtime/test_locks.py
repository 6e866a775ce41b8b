from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sot_pipeline.errors import EXIT_LOCKED, LockNotAcquired
from sot_pipeline.runtime.locks import MultiLock, read_holder

HOLD = """
import sys
from pathlib import Path
from sot_pipeline.runtime.locks import MultiLock

folder, names = Path(sys.argv[1]), sys.argv[2]
sys.argv = ["/usr/bin/sot", "sync", "--database-url", "postgresql://u:canary@h/d"]
with MultiLock(folder, tuple(names.split(",")), wait_seconds=5):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another_process(folder: Path, *names: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds locks until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), ",".join(names)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout and process.stdin
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def is_free(folder: Path, *names: str) -> bool:
    try:
        with MultiLock(folder, names, wait_seconds=0):
            return True
    except LockNotAcquired:
        return False


def test_locks_are_free_again_after_the_block(tmp_path: Path) -> None:
    with MultiLock(tmp_path / "new" / "locks", ("archive", "docs"), wait_seconds=1):
        pass

    assert is_free(tmp_path / "new" / "locks", "archive", "docs")
    assert read_holder(tmp_path / "new" / "locks", "docs") is None


def test_locks_are_free_again_after_an_error_in_the_block(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), MultiLock(tmp_path, ("docs",), wait_seconds=1):
        _ = 1 / 0

    assert is_free(tmp_path, "docs")


def test_held_lock_names_its_holder_and_what_to_do(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path, "docs") as holder, pytest.raises(LockNotAcquired) as error:
        MultiLock(tmp_path, ("docs",), wait_seconds=0.1).__enter__()

    assert error.value.exit_code == EXIT_LOCKED
    assert f"'sot sync' (process {holder.pid} on {socket.gethostname()}) since 20" in error.value.message
    assert "0.1 s" in error.value.message
    assert error.value.remedy


def test_holder_file_holds_no_argument_values(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path, "docs"):
        told = "".join(file.read_text() for file in tmp_path.iterdir())

    assert "sot sync" in told
    assert "canary" not in told
    assert "database-url" not in told


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff"])
def test_unreadable_holder_file_still_means_held(tmp_path: Path, damage: bytes) -> None:
    with held_by_another_process(tmp_path, "docs"):
        (tmp_path / "docs.json").write_bytes(damage)

        with pytest.raises(LockNotAcquired, match="held by another process"):
            MultiLock(tmp_path, ("docs",), wait_seconds=0).__enter__()


def test_all_or_nothing(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path, "docs"):
        with pytest.raises(LockNotAcquired, match="'docs'"):
            MultiLock(tmp_path, ("queue", "archive", "docs"), wait_seconds=0.1).__enter__()

        assert is_free(tmp_path, "queue", "archive")
        assert read_holder(tmp_path, "archive") is None


def test_several_locks_wait_under_one_deadline(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path, "docs"):
        started = time.monotonic()

        with pytest.raises(LockNotAcquired):
            MultiLock(tmp_path, ("queue", "runs", "archive", "docs"), wait_seconds=0.4).__enter__()

        assert 0.35 <= time.monotonic() - started < 2


def test_waiter_gets_the_lock_as_soon_as_it_is_free(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path, "docs") as holder:
        assert holder.stdin
        threading.Timer(0.2, holder.stdin.close).start()

        with MultiLock(tmp_path, ("docs",), wait_seconds=10):
            told = read_holder(tmp_path, "docs")

    assert told
    assert told.pid == os.getpid()


def test_dead_holder_holds_nothing(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path, "archive", "docs") as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(timeout=10)

        with MultiLock(tmp_path, ("archive", "docs"), wait_seconds=5):
            told = json.loads((tmp_path / "docs.json").read_text())

    assert told["pid"] == os.getpid()


@pytest.mark.parametrize("names", [("docs", "archive"), ("docs", "docs"), ("other",), ("queue", "docs", "runs")])
def test_names_out_of_order_unknown_or_repeated_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="canonical order"):
        MultiLock(tmp_path, names, wait_seconds=0)


@pytest.mark.parametrize("second", ["docs", "archive"])
def test_holder_may_only_take_later_locks(tmp_path: Path, second: str) -> None:
    with MultiLock(tmp_path, ("docs",), wait_seconds=0), pytest.raises(RuntimeError, match=second):
        MultiLock(tmp_path, (second,), wait_seconds=0).__enter__()


def test_later_lock_can_be_taken_while_holding_an_earlier_one(tmp_path: Path) -> None:
    with MultiLock(tmp_path, ("archive",), wait_seconds=0), MultiLock(tmp_path, ("docs",), wait_seconds=0):
        told = read_holder(tmp_path, "archive"), read_holder(tmp_path, "docs")

    assert all(told)


def test_another_thread_of_the_process_waits_like_another_process(tmp_path: Path) -> None:
    refused: list[LockNotAcquired] = []

    def ask() -> None:
        try:
            MultiLock(tmp_path, ("docs",), wait_seconds=0.1).__enter__()
        except LockNotAcquired as error:
            refused.append(error)

    with MultiLock(tmp_path, ("docs",), wait_seconds=0):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    assert len(refused) == 1
    assert str(os.getpid()) in refused[0].message


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LockNotAcquired, match=r"file/locks .*\(Not a directory\)"):
        MultiLock(tmp_path / "file" / "locks", ("docs",), wait_seconds=0).__enter__()
