"""Long-running processes side by side: all run, or all end.

Knows how Dagster's webserver and daemon are started, as commands; nothing of Dagster is imported.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sot_pipeline.errors import ConfigError, UsageError
from sot_pipeline.runtime.stop import Stop
from sot_pipeline.workspace import Workspace

POLL_SECONDS = 0.2
# Dagster's processes take a second or two to end their children; after this they are killed.
GRACE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Service:
    """A command that should run until it is told to stop."""

    name: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]


def dagster_services(workspace: Workspace, *, port: int) -> tuple[Service, ...]:
    """Webserver and daemon for `workspace`, on 127.0.0.1. Raises UsageError for a port in use."""
    _require_free(port)
    listed = workspace.folder / "workspace.yaml"
    definitions = ("-w", str(listed)) if listed.is_file() else ("-m", "sot_pipeline.definitions")
    environment = {
        "DAGSTER_HOME": str(dagster_home(workspace)),
        "SOT_CONFIG": str(workspace.config_path),
    }

    def service(program: str, *arguments: str) -> Service:
        command = str(Path(sys.executable).with_name(program))
        return Service(program, (command, *arguments, *definitions), workspace.folder, environment)

    return (
        service("dagster-webserver", "--host", "127.0.0.1", "--port", str(port)),
        service("dagster-daemon", "run"),
    )


def watch_service(workspace: Workspace) -> Service:
    """`sot watch` for all of `workspace`."""
    program = str(Path(sys.executable).with_name("sot"))
    return Service("sot-watch", (program, "watch", "--config", str(workspace.config_path)), workspace.folder, {})


def has_dagster(workspace: Workspace) -> bool:
    """True where Dagster is set up for this workspace: it has a `dagster.yaml`, or `sot ui` was here."""
    return (workspace.folder / "dagster.yaml").is_file() or (workspace.folder / ".sot" / "dagster").is_dir()


def dagster_home(workspace: Workspace) -> Path:
    """Dagster's own folder, `.sot/dagster`, with the workspace's `dagster.yaml` copied into it.

    Raises ConfigError where Dagster does not accept that file.
    """
    home = workspace.folder / ".sot" / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    settings = workspace.folder / "dagster.yaml"
    if settings.is_file():
        shutil.copyfile(settings, home / "dagster.yaml")
    _make_tables(home)
    return home


def _make_tables(home: Path) -> None:
    """Let one process make Dagster's tables: two that start at once trip over each other's."""
    made = home / "tables-made"
    if made.exists():
        return
    command = (str(Path(sys.executable).with_name("dagster")), "instance", "info")
    done = subprocess.run(  # noqa: S603  # our own command, no shell
        command, env={**os.environ, "DAGSTER_HOME": str(home)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConfigError(
            f"Dagster cannot use its folder {home}: {done.stderr.strip()[-500:]}",
            remedy="Mend dagster.yaml, or compare it with the one that 'sot init' writes.",
        )
    made.touch()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(
                f"Port {port} on 127.0.0.1 cannot be used ({error.strerror}).", remedy="Name another: sot ui --port N"
            ) from None


def run_services(services: Sequence[Service]) -> int:
    """Run until one ends or SIGINT or SIGTERM comes, then end all.

    Returns 0 where it was told to stop, else the exit code of the service that ended first.
    """
    stop = Stop()
    with stop.on_signals():
        running = [
            subprocess.Popen(  # noqa: S603  # our own commands, no shell
                service.command,
                cwd=service.folder,
                env={**os.environ, **service.environment},
                start_new_session=True,  # Ctrl-C reaches us alone, and we end them in order
            )
            for service in services
        ]
        try:
            return _run_until(stop, running)
        finally:
            _end(running)


def _run_until(stop: Stop, running: Sequence[subprocess.Popen[bytes]]) -> int:
    while not stop.asked:
        ended = [process.returncode for process in running if process.poll() is not None]
        if ended:
            return ended[0] or 1
        time.sleep(POLL_SECONDS)
    return 0


def _end(running: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + GRACE_SECONDS
    for process in running:
        try:
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # code servers and runs it leaves behind
