"""An embedding server on loopback that speaks OpenAI's protocol, with faults on demand.

Real HTTP and deterministic vectors (from the hash of a text), so that a test can tell whether a
vector belongs to its text. Faults are served one a request, in the order they were scripted.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import TypeAlias

import numpy as np

Answer: TypeAlias = "dict[str, list[dict[str, object]]]"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    delay: float = 0.0
    drip: float = 0.0  # seconds between two bytes of the body
    reset: bool = False
    tamper: Callable[[Answer], Answer] = lambda answer: answer


def stub_vector(text: str, dimension: int) -> list[float]:
    """The unit vector that the stub gives `text`."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(dimension)
    return [float(number) for number in vector / np.linalg.norm(vector)]


class StubOpenAIServer:
    """`with StubOpenAIServer() as server: ... server.base_url`; counts what it was asked."""

    def __init__(self, *, dimension: int = 8, delay: float = 0.0) -> None:
        self.dimension = dimension
        self.delay = delay
        self.requests: list[dict[str, object]] = []
        self.asked_at: list[float] = []  # time.monotonic() of each request
        self.authorizations: list[str | None] = []
        self.most_at_once = 0
        self._at_once = 0
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    def __enter__(self) -> StubOpenAIServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def texts(self) -> list[str]:
        """Every text of every request, repetitions included."""
        return [text for request in self.requests for text in request["input"]]  # type: ignore[attr-defined]

    def script(self, *faults: Fault) -> None:
        self._faults.extend(faults)

    def take(self, request: dict[str, object], authorization: str | None) -> Fault:
        with self._lock:
            self.requests.append(request)
            self.asked_at.append(time.monotonic())
            self.authorizations.append(authorization)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            return self._faults.pop(0) if self._faults else Fault(delay=self.delay)

    def done(self) -> None:
        with self._lock:
            self._at_once -= 1

    def answer(self, texts: list[str], dimension: int) -> Answer:
        return {
            "data": [{"index": index, "embedding": stub_vector(text, dimension)} for index, text in enumerate(texts)]
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fault = server.take(request, self.headers.get("Authorization"))
                try:
                    time.sleep(fault.delay)
                    if fault.reset:
                        self._reset()
                    else:
                        self._answer(fault, request)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client gave up waiting
                finally:
                    server.done()

            def _answer(self, fault: Fault, request: dict[str, object]) -> None:
                texts = request["input"]
                answer = fault.tamper(server.answer(texts, request.get("dimensions", server.dimension)))
                body = json.dumps(answer).encode() if fault.body is None else fault.body
                self.send_response(fault.status)
                for name, value in {"Content-Type": "application/json", **fault.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                _send(self.wfile, body, fault.drip)

            def _reset(self) -> None:
                # Lingering for zero seconds makes close() send RST instead of FIN.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


def _send(file: BufferedIOBase, body: bytes, drip: float) -> None:
    """All at once, or a byte at a time with `drip` seconds before each."""
    for start in range(0, len(body), 1 if drip else max(1, len(body))):
        time.sleep(drip)
        file.write(body[start : start + 1] if drip else body)
