"""What others on the machine and its network get: nothing listens outside, nothing is theirs to write."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sot_pipeline_tests.integration.dagster_servers import sot_ui
from sot_pipeline_tests.security.terminal import SOT
from sot_pipeline_tests.workspaces import Kiln, make_kiln

LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
LISTENING = "0A"


@pytest.fixture
def kiln(tmp_path: Path, sqlite_url: str) -> Kiln:
    return make_kiln(tmp_path / "kiln", sqlite_url)


# The network


def processes_below(pid: int) -> set[int]:
    """`pid` and every process that descends from it."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _sockets(pid: int) -> Iterator[str]:
    """Inodes of the sockets that a process holds; processes and descriptors come and go."""
    with suppress(FileNotFoundError, PermissionError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                target = str(link.readlink())
                if target.startswith("socket:["):
                    yield target.removeprefix("socket:[").removesuffix("]")


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """(address in hexadecimal, port) of every TCP socket on which one of the processes listens."""
    inodes = {inode for pid in pids for inode in _sockets(pid)}
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else ():
            fields = line.split()
            address, _, port = fields[1].partition(":")
            if fields[3] == LISTENING and fields[9] in inodes:
                found.add((address, int(port, 16)))
    return found


def test_everything_that_sot_ui_starts_listens_on_loopback_alone(kiln: Kiln) -> None:
    with sot_ui(kiln.folder) as ui:
        sockets = listening(processes_below(os.getpid()))

    assert int(ui.url.rpartition(":")[2]) in {port for _, port in sockets}
    assert {address for address, _ in sockets} <= LOOPBACK


def test_the_test_sees_a_socket_that_is_open_to_all() -> None:
    with socket.socket() as open_to_all:
        open_to_all.bind(("", 0))
        open_to_all.listen()

        found = listening({os.getpid()})

        assert ("00000000", open_to_all.getsockname()[1]) in found


def test_port_in_use_is_a_clear_error(kiln: Kiln) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = subprocess.run(
            [SOT, "ui", "--port", port], cwd=kiln.folder, capture_output=True, text=True, timeout=60, check=False
        )

    assert done.returncode == 2
    assert f"Port {port} on 127.0.0.1 cannot be used" in done.stderr
    assert "sot ui --port N" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_option_makes_the_ui_listen_elsewhere() -> None:
    help_text = subprocess.run([SOT, "ui", "--help"], capture_output=True, text=True, check=True).stdout

    assert "--port" in help_text
    assert "--host" not in help_text


# The file system


@contextmanager
def umask(mask: int) -> Iterator[None]:
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


def modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
        if not path.is_symlink()
    }


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_what_is_made_follows_the_umask_of_its_user(kiln: Kiln, mask: int) -> None:
    before = modes(kiln.folder)

    with umask(mask):
        kiln.synced()

    made = {name: mode for name, mode in modes(kiln.folder.parent).items() if name.partition("/")[2] not in before}
    made.pop("kiln")
    assert any(name.endswith("sot.db") for name in made)
    assert any(".sot/qdrant" in name for name in made)
    assert {name: oct(mode) for name, mode in made.items() if mode & mask} == {}


def test_rewritten_readme_keeps_its_mode_and_is_never_readable_by_others_meanwhile(
    kiln: Kiln, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiln.readme.chmod(0o600)
    seen = []
    copystat = shutil.copystat

    def look_first(real: Path, temporary: Path) -> None:
        seen.append(stat.S_IMODE(temporary.stat().st_mode))
        copystat(real, temporary)

    monkeypatch.setattr(shutil, "copystat", look_first)

    with umask(0):
        assert kiln.synced().readme

    assert stat.S_IMODE(kiln.readme.stat().st_mode) == 0o600
    assert seen == [0o600]


def test_nothing_world_writable_is_made_under_the_usual_umask(kiln: Kiln) -> None:
    with umask(0o022):
        subprocess.run([SOT, "sync", "--full", "--execute"], cwd=kiln.folder, check=True, capture_output=True)

    assert {name for name, mode in modes(kiln.folder).items() if mode & 0o022} == set()
