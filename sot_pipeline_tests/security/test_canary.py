"""Passwords and keys stand in nothing that is printed, logged, stored or raised.

Each secret of a workspace is a canary. Commands run against targets that fail in every way that
makes programs quote what they were given; then everything that was written is searched.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest

from sot_pipeline.errors import SotError
from sot_pipeline.orchestration.build import build_definitions
from sot_pipeline.outcome import Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import open_session
from sot_pipeline.workspace import Workspace, load_workspace
from sot_pipeline_tests.conftest import PostgresServer
from sot_pipeline_tests.workspaces import BUILDS, README

CANARY = "c4narY"
NOWHERE = "127.0.0.1:1"
KEYS = {"OPENAI_API_KEY": f"sk-{CANARY}-openai", "QDRANT_API_KEY": f"{CANARY}-qdrant"}
CONFIG = f"""
[workspace]
max_ledger_mib = 1
[notify]
webhook_url = "http://u:{CANARY}@{NOWHERE}/hooks/{CANARY}?token={CANARY}"
[[project]]
id = "kiln"
readme = "README.md"
"""

# Every log line of every library, as somebody who looks for a fault would switch on.
VERBOSE = "import logging; logging.basicConfig(level=logging.DEBUG); from sot_pipeline.cli.main import main; main()"

COMMANDS = (
    ("plan",),
    ("plan", "--json"),
    ("sync", "--full", "--execute", "--json"),
    ("sync", "--qdrant-only", "--execute"),
    ("sync", "--db-only", "--execute"),
    ("search", "glaze"),
    ("search", "--mode", "semantic", "glaze", "--json"),
    ("status",),
    ("verify", "--json"),
    ("db", "upgrade"),
)

URLS = (
    f"postgresql://user:{CANARY}@{NOWHERE}/db",
    f"postgres://:{CANARY}@{NOWHERE}/db",
    f"postgresql://user:p@s/s:{CANARY}?#x@{NOWHERE}/db",
    f"postgresql://user:100%{CANARY}@{NOWHERE}/db",
    f"postgresql://user:{CANARY} {CANARY}@{NOWHERE}/db",
    f"postgresql://user@{NOWHERE}/db?password={CANARY}",
    f"postgresql://user@{NOWHERE}/db?PASSWORD ={CANARY}",
    f"postgresql://user@{NOWHERE}/db?sslpassword={CANARY}&nonsense=1",
    f"postgresql://{NOWHERE}:{CANARY}@/db",
    f"postgresql://[::1:{CANARY}@h/db",
    f"mysql://user:{CANARY}@{NOWHERE}/db",
    f"host=127.0.0.1 port=1 user=u password={CANARY}",
    f"host=127.0.0.1 password='{CANARY} {CANARY}'",
    f"user:{CANARY}@{NOWHERE}",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "kiln"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "BUILD_HISTORY.md").write_text(BUILDS)
    (folder / "README.md").write_text(README)
    (folder / "sot.toml").write_text(CONFIG)
    return folder


@contextmanager
def echoing_server(status: int) -> Iterator[str]:
    """A server that refuses every request and quotes all of its headers, as careless ones do."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            quoted = f"refused: {dict(self.headers)} {self.path}"
            body = json.dumps({"error": {"message": quoted}, "status": {"error": quoted}}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815  # the names that http.server calls

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def environment(database: str, qdrant: str = NOWHERE, openai: str = NOWHERE) -> dict[str, str]:
    return {
        **KEYS,
        "DATABASE_URL": database,
        "QDRANT_HOST": f"http://user:{CANARY}@{qdrant}" if "://" not in qdrant else qdrant,
        "OPENAI_BASE_URL": f"http://user:{CANARY}@{openai}/v1",
        "EMBEDDING_MODEL": "text-embedding-3-small",
    }


def written_by(folder: Path, env: Mapping[str, str], commands: Sequence[Sequence[str]]) -> str:
    """All that the commands print, with all libraries' logs."""

    def run(command: Sequence[str]) -> str:
        done = subprocess.run(
            [sys.executable, "-c", VERBOSE, *command, "--max-seconds", "20"][: None if command[0] != "db" else -2],
            cwd=folder,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout + done.stderr

    with ThreadPoolExecutor(2) as pool:
        return "\n".join(pool.map(run, commands))


def require_no_canary(text: str, folder: Path) -> None:
    """Neither `text` nor any file below `folder` but `sot.toml` holds the canary."""
    at = text.find(CANARY)
    assert at < 0, f"… {text[max(0, at - 300) : at + 50]}"
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "sot.toml":
            found = file.read_bytes().find(CANARY.encode())
            assert found < 0, f"{file}: … {file.read_bytes()[max(0, found - 300) : found + 50]!r}"


def test_unreachable_targets_are_named_without_their_secrets(folder: Path) -> None:
    said = written_by(folder, environment(URLS[0]), COMMANDS)

    assert f"user:***@{NOWHERE}" in said
    require_no_canary(said, folder)


def test_database_urls_of_every_odd_form_are_named_without_their_secrets(folder: Path) -> None:
    commands = [("plan", "--db-only", "--database-url", url) for url in URLS]

    said = written_by(folder, KEYS, commands)

    assert said.count("***") >= len(URLS) - 1  # of the one whose brackets never close nothing is shown
    require_no_canary(said, folder)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_servers_that_quote_what_they_were_sent_are_not_quoted(folder: Path, status: int) -> None:
    with echoing_server(status) as server:
        commands = [("sync", "--full", "--execute", "--json"), ("search", "--mode", "semantic", "glaze")]
        refused = written_by(folder, environment("sqlite:///sot.db", qdrant=server), commands)
        embedded = environment("sqlite:///sot.db", openai=server) | {"QDRANT_HOST": ".sot/qdrant"}
        refused += written_by(folder, embedded, commands)
        # Where the URL names a user, that user is sent in place of the key.
        refused += written_by(folder, embedded | {"OPENAI_BASE_URL": f"http://{server}/v1"}, commands[:1])

    assert refused.count(server) > 1
    require_no_canary(refused, folder)


def test_wrong_password_is_not_repeated(folder: Path, postgres_server: PostgresServer) -> None:
    with postgres_server.connect() as connection:
        connection.execute("CREATE DATABASE secured_canary")
        connection.execute("CREATE ROLE canary_keeper LOGIN PASSWORD 'right'")
    try:
        url = postgres_server.url("secured_canary", "canary_keeper", f"{CANARY}%@/:")
        said = written_by(folder, environment(url), COMMANDS[2:])
    finally:
        with postgres_server.connect() as connection:
            connection.execute("DROP DATABASE secured_canary")
            connection.execute("DROP ROLE canary_keeper")

    assert "refuses the user or the password" in said
    require_no_canary(said, folder)


@pytest.mark.parametrize(
    "line",
    [
        f'database_url = ["postgresql://u:{CANARY}@h/db"]',
        f'database_urls = "postgresql://u:{CANARY}@h/db"',
        f'qdrant = "grpc://u:{CANARY}@h"',
        f'embedding_dimension = "{CANARY}"',
        f'database_url = "postgresql://u:{CANARY}@h/db\nx',
    ],
)
def test_configuration_that_is_refused_is_not_quoted(folder: Path, line: str) -> None:
    (folder / "sot.toml").write_text(f'[workspace]\n{line}\n[[project]]\nid = "kiln"\n')

    said = written_by(folder, KEYS, [("sync", "--json"), ("plan",)])

    assert "sot.toml" in said or "Qdrant" in said
    require_no_canary(said, folder)


# In this process


def workspace_of(folder: Path, env: Mapping[str, str]) -> Workspace:
    return load_workspace(folder / "sot.toml", env=env)


def test_values_do_not_show_their_secrets(folder: Path, postgres_server: PostgresServer, postgres_url: str) -> None:
    url = postgres_url.replace("postgres@", f"postgres:{CANARY}@")
    env = environment(url) | {"QDRANT_HOST": "disabled"}
    workspace = workspace_of(folder, env)
    with open_session(
        workspace, Mode.DB_ONLY, projects=workspace.projects, execute=False, deadline=Deadline(30)
    ) as session:
        values = [session, session.database]
        shown = [f"{value!r} {value}" for value in values]
    full = workspace_of(folder, environment(URLS[0]))
    shown += [f"{value!r} {value}" for value in (full, full.qdrant, full.embedding, full.webhook_url, full.targets)]

    require_no_canary(" ".join(shown), folder)


@pytest.mark.parametrize("database", [URLS[0], URLS[4], URLS[6], "sqlite:///sot.db"])
def test_errors_carry_no_secret_in_message_chain_pickle_or_traceback(folder: Path, database: str) -> None:
    with echoing_server(500) as server:
        workspace = workspace_of(folder, environment(database, qdrant=server))
        with (
            pytest.raises(SotError) as raised,
            open_session(workspace, Mode.FULL, projects=workspace.projects, execute=True, deadline=Deadline(20)),
        ):
            pass

    error = raised.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    require_no_canary(shown + pickle.dumps(error).decode("latin-1"), folder)


@pytest.mark.parametrize("database", [URLS[4], "sqlite:///sot.db"])
def test_failed_dagster_runs_store_no_secret(
    folder: Path, tmp_path: Path, database: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "dagster"
    home.mkdir()
    caplog.set_level(logging.DEBUG)
    with echoing_server(500) as server, dg.DagsterInstance.local_temp(str(home)) as instance:
        workspace = workspace_of(folder, environment(database, qdrant=server, openai=server))
        definitions = build_definitions(workspace)
        job = definitions.resolve_job_def("refresh_ledgers")
        done = job.execute_in_process(tags={"dagster/partition": "kiln"}, instance=instance, raise_on_error=False)
        logged = "".join(str(entry) for entry in instance.all_logs(done.run_id))

    assert not done.success
    out, err = capfd.readouterr()
    require_no_canary(logged + caplog.text + out + err, tmp_path)
