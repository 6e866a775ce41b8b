"""Make the pictures of docs/images from a real run: `.venv/bin/python docs/screenshots.py`.

Makes the demo workspace in a temporary folder, starts webserver and daemon on it, edits a ledger
so that there is something to see, and photographs the UI in headless Chromium. Needs `chromium`
and `chromedriver` (Debian: chromium, chromium-driver).
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

REPOSITORY_ROOT = Path(__file__).resolve().parents[1]
IMAGES = REPOSITORY_ROOT / "docs" / "images"
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
        self._post("url", url=url)

    def resize(self, width: int, height: int) -> None:
        """Make the page itself, without the window's frame, `width` × `height` pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._post("goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=size)

    def run(self, script: str) -> object:
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
