"""Make the pictures of docs/images from real runs: `.venv/bin/python docs/screenshots.py [NAME ...]`.

Makes the demo workspace in a temporary folder, runs `sot ui` on it, edits a ledger so that there
is something to see, and photographs the UI in headless Chromium; then the same for the code of this
repository, with `sot ui --watch`. Needs `chromium` and `chromedriver` (Debian: chromium,
chromium-driver).
"""

# ruff: noqa: S603, S607  # our own commands; chromedriver from the PATH

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

REPOSITORY_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY_ROOT))

from sot_pipeline_tests.integration.dagster_servers import DagsterUi, free_port, sot_ui, wait_for  # noqa: E402

IMAGES = REPOSITORY_ROOT / "docs" / "images"
LEDGER = "docs/BUILD_HISTORY.md"
WIDTH, HEIGHT = 1400, 900
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    f"--window-size={WIDTH},{HEIGHT}",
)


@dataclass(frozen=True)
class Browser:
    """One window of headless Chromium, driven over the W3C WebDriver protocol."""

    session_url: str

    def open(self, url: str) -> None:
        """Load a page; what React shows on it comes later."""
        self._post("url", url=url)

    def resize(self, width: int, height: int) -> None:
        """Make the page itself, without the window's frame, `width` × `height` pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._post("goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=size)

    def run(self, script: str) -> object:
        """What the JavaScript `script` returns."""
        return self._post("execute/sync", script=script, args=[])

    def wait_for_text(self, *texts: str, seconds: float = 40) -> None:
        """Until the page, which React fills in bit by bit, shows all of `texts`."""
        end = time.monotonic() + seconds
        shown = ""
        while time.monotonic() < end:
            shown = str(self.run("return document.body.innerText"))
            if all(text in shown for text in texts):
                time.sleep(1.5)  # layout animations of the asset graph
                return
            time.sleep(0.3)
        raise SystemExit(f"the page never showed {texts}; it showed:\n{shown}")

    def photograph(self, path: Path) -> None:
        """Write what is shown as a PNG."""
        answer = httpx.get(f"{self.session_url}/screenshot", timeout=30).raise_for_status()
        path.write_bytes(base64.b64decode(answer.json()["value"]))

    def _post(self, command: str, **body: object) -> object:
        answer = httpx.post(f"{self.session_url}/{command}", json=body, timeout=60)
        return answer.raise_for_status().json()["value"]


@contextmanager
def browser(profile: Path, port: int) -> Iterator[Browser]:
    """Chromium with a new, empty profile, ended at the end."""
    driver = subprocess.Popen(["chromedriver", f"--port={port}", "--log-level=SEVERE"])
    try:
        url = f"http://127.0.0.1:{port}"
        _until(lambda: httpx.get(f"{url}/status").json()["value"]["ready"])
        options = {"args": [*CHROMIUM_FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        session = httpx.post(f"{url}/session", json=wanted, timeout=60).raise_for_status().json()["value"]
        session_url = f"{url}/session/{session['sessionId']}"
        try:
            window = Browser(session_url)
            window.resize(WIDTH, HEIGHT)
            yield window
        finally:
            httpx.delete(session_url, timeout=30)
    finally:
        driver.terminate()
        driver.wait(10)


def _until(ready: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if ready():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise SystemExit("chromedriver did not start")


# A section for the one entry of the example that stands in the index only, and a new entry whose
# title a careless page would run.
INDEX_ROW = "| 2025-06-20 | BUILD-012 | Map | Titles with markup are shown as text | web/title.ts |\n"
NEW_SECTIONS = """
### BUILD-004 | 2025-02-11T10:00 | Ingest | Duplicate messages dropped by counter

The gateway repeats what it does not hear acknowledged.

### BUILD-012 | 2025-06-20T09:00 | Map | <script>alert("no")</script> in a title is shown as text

Markup in a ledger is text, also here.
"""

LEDGER_PICTURES = (
    ("asset-graph", "/locations/sot_pipeline/asset-groups/ledgers/lineage", ("db_rows", "vector_points", "6 / 6")),
    ("asset-metadata", "/assets/db_rows?view=partitions&partition=demo", ("BUILD-012", "growth")),
    ("checks", "/assets/db_rows?view=checks&checkDetail=all_targets_agree", ("all_targets_agree", "Passed")),
    ("sensor-ticks", "/locations/sot_pipeline/sensors/ledger_file_sensor", ("ledger_file_sensor", "1 run requested")),
)


# The live update comes first: the sensor's run follows within seconds.
CODE_PICTURES = (
    ("live-update", "/assets/code_files?view=events", ("changed_files", "milliseconds")),
    (
        "code-assets",
        "/locations/sot_pipeline/asset-groups/code/lineage",
        ("code_graph", "code_points", "2 / 2 Passed", "1 / 1 Passed"),
    ),
    ("code-hot-spots", "/assets/code_graph?view=partitions&partition=sot", ("hot_spots", "complexity")),
)
CODE_CONFIG = """\
[workspace]
embedding = "local"
qdrant = ".sot/qdrant"

[[project]]
id = "sot"
root = "repository"

[project.code]
include = ["sot_pipeline/**"]
exclude = ["sot_pipeline/templates/**"]
embed = true
"""
EDITED = "sot_pipeline/plan.py"


def make_history(ui: DagsterUi, folder: Path) -> None:
    """The sensor's first run, an edit, the run that follows it, and a quiet tick."""
    wait_for(lambda: len(ui.finished()) == 1, 60)
    edited = folder.with_name("edited")
    shutil.copytree(folder, edited, ignore=shutil.ignore_patterns(".sot", "*.db*"))
    ledger = edited / LEDGER
    head, divider, rows = ledger.read_text(encoding="utf-8").partition("|---------------|\n")
    ledger.write_text(head + divider + INDEX_ROW + rows.rstrip() + "\n" + NEW_SECTIONS, encoding="utf-8")
    sot("ledgers", "refresh", "--execute", "--config", edited / "sot.toml")
    ledger.replace(folder / LEDGER)
    wait_for(lambda: len(ui.finished()) == 2, 60)
    time.sleep(8)


def sot(*arguments: str | Path) -> None:
    """Run a command of ours; what it prints is not wanted."""
    subprocess.run([Path(sys.executable).with_name("sot"), *arguments], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def ledgers_ui(folder: Path) -> Iterator[DagsterUi]:
    """The UI of the demo workspace, after some history."""
    sot("demo", folder)
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY_ROOT / name, folder / name)
    with sot_ui(folder) as ui:
        make_history(ui, folder)
        yield ui


@contextmanager
def code_ui(folder: Path) -> Iterator[DagsterUi]:
    """The UI of this repository's code, indexed by a run and edited under the watcher."""
    folder.mkdir()
    subprocess.run(["git", "clone", "--quiet", REPOSITORY_ROOT, folder / "repository"], check=True)
    (folder / "sot.toml").write_text(CODE_CONFIG, encoding="utf-8")
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY_ROOT / name, folder / name)
    with sot_ui(folder, "--watch") as ui:
        wait_for(lambda: [run for run in ui.finished() if run["status"] == "SUCCESS"], 180)
        time.sleep(20)
        with (folder / "repository" / EDITED).open("a", encoding="utf-8") as source:
            source.write("\n\ndef edited() -> bool:\n    return True\n")
        wait_for(lambda: "changed_files" in ui.materialization("code_files", "sot"), 60)
        yield ui


def photograph(ui: DagsterUi, pictures: Sequence[tuple[str, str, tuple[str, ...]]], profile: Path) -> None:
    """Make these pictures of a UI, each once its page shows the texts."""
    with browser(profile, free_port()) as window:
        for name, path, texts in pictures:
            window.open(f"{ui.url}{path}")
            window.wait_for_text(*texts)
            window.photograph(IMAGES / f"{name}.png")


def main(names: Sequence[str]) -> None:
    """Make the pictures of these names; all where none is named."""
    for make, pictures in ((ledgers_ui, LEDGER_PICTURES), (code_ui, CODE_PICTURES)):
        wanted = [picture for picture in pictures if not names or picture[0] in names]
        with tempfile.TemporaryDirectory() as temporary:
            if wanted:
                with make(Path(temporary) / "demo") as ui:
                    photograph(ui, wanted, Path(temporary) / "profile")


if __name__ == "__main__":
    main(sys.argv[1:])
