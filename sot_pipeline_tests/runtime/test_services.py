"""Processes side by side: all run, or all end."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from sot_pipeline.errors import UsageError
from sot_pipeline.runtime.services import Service, dagster_services, run_services, watch_service
from sot_pipeline.workspace import load_workspace

SLEEP = "import time; time.sleep(60)"


def service(folder: Path, code: str) -> Service:
    return Service("python", (sys.executable, "-c", code), folder, {"MARK": "42"})


def test_the_first_that_ends_ends_all_and_gives_its_code(tmp_path: Path) -> None:
    started = time.monotonic()

    code = run_services([service(tmp_path, SLEEP), service(tmp_path, "raise SystemExit(7)")])

    assert code == 7
    assert time.monotonic() - started < 10


def test_a_service_that_ends_well_by_itself_is_still_a_failure(tmp_path: Path) -> None:
    assert run_services([service(tmp_path, SLEEP), service(tmp_path, "")]) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_with_code_0(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), number))
    timer.start()

    code = run_services([service(tmp_path, SLEEP), service(tmp_path, SLEEP)])

    assert code == 0
    assert signal.getsignal(number) is before


def test_services_get_their_folder_and_environment(tmp_path: Path) -> None:
    code = "import os, pathlib; pathlib.Path('seen').write_text(os.environ['MARK'])"

    run_services([service(tmp_path, code)])

    assert (tmp_path / "seen").read_text() == "42"


def test_dagster_listens_on_loopback_and_keeps_its_files_below_sot(tmp_path: Path) -> None:
    (tmp_path / "sot.toml").write_text('[[project]]\nid = "kiln"\n')
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    workspace = load_workspace(tmp_path / "sot.toml", env={})

    webserver, daemon = dagster_services(workspace, port=_free_port())

    assert "127.0.0.1" in webserver.command
    assert daemon.command[-3:] == ("run", "-m", "sot_pipeline.definitions")
    assert webserver.environment["SOT_CONFIG"] == str(tmp_path / "sot.toml")
    home = Path(webserver.environment["DAGSTER_HOME"])
    assert home == tmp_path / ".sot" / "dagster"
    assert (home / "dagster.yaml").read_text() == "telemetry:\n  enabled: false\n"


def test_own_workspace_yaml_is_honoured(tmp_path: Path) -> None:
    (tmp_path / "sot.toml").write_text('[[project]]\nid = "kiln"\n')
    (tmp_path / "workspace.yaml").write_text("load_from: []\n")
    workspace = load_workspace(tmp_path / "sot.toml", env={})

    webserver, _ = dagster_services(workspace, port=_free_port())

    assert webserver.command[-2:] == ("-w", str(tmp_path / "workspace.yaml"))


def test_the_watcher_runs_beside_dagster_and_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "sot.toml").write_text('[[project]]\nid = "kiln"\n')
    state = tmp_path / ".sot" / "watch" / "state.json"
    wait = "import os, pathlib, time\nwhile not pathlib.Path('.sot/watch/state.json').exists(): time.sleep(0.02)"
    watcher = watch_service(load_workspace(tmp_path / "sot.toml", env={}))

    code = run_services([service(tmp_path, f"{wait}\nraise SystemExit(7)"), watcher])

    assert code == 7
    assert json.loads(state.read_text())["ended_at"], "told to end, and ended well"


def test_port_in_use_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "sot.toml").write_text('[[project]]\nid = "kiln"\n')
    workspace = load_workspace(tmp_path / "sot.toml", env={})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        with pytest.raises(UsageError, match="--port"):
            dagster_services(workspace, port=taken.getsockname()[1])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
