"""A TCP proxy on loopback that fails on demand: it delays, resets, swallows, or loses an answer.

Knows nothing of the protocols that pass through. What happens at which bytes is scripted by
`when`; everything else is forwarded as it comes.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

Connect = Callable[[], socket.socket]
_LOOK_SECONDS = 0.02
_CHUNK = 65_536


def to_unix(path: str) -> Connect:
    """Connects to a socket in the file system."""

    def connect() -> socket.socket:
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(path)
        return upstream

    return connect


def to_tcp(url: str) -> Connect:
    """Connects to the host and port of a URL."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)
    return lambda: socket.create_connection(address)


class StubTcpProxy:
    """`with StubTcpProxy(to_unix(path)) as proxy: ... proxy.port`.

    `latency` seconds pass before each chunk is forwarded. While `swallowing`, connections are
    accepted and what is sent disappears.
    """

    def __init__(self, connect: Connect, *, latency: float = 0.0) -> None:
        self.latency = latency
        self.swallowing = False
        self.fired = threading.Event()
        self._connect = connect
        self._triggers: list[tuple[bool, bytes, Callable[[], None]]] = []
        self._clients: list[socket.socket] = []
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> StubTcpProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._listener.close()
        self.reset()

    def when(self, marker: bytes, action: Callable[[], None], *, answer: bool = False) -> None:
        """Call `action` once, as soon as `marker` is sent to the server (or answered), before it is forwarded.

        Triggers wait for each other: only the first that is left is looked for.
        """
        self._triggers.append((answer, marker, action))

    def swallow(self) -> None:
        """From now on nothing gets through, and nobody is told."""
        self.swallowing = True

    def reset(self) -> None:
        """Reset every connection; new ones work."""
        for client in self._clients:
            with suppress(OSError):
                # Lingering for zero seconds makes close() send RST instead of FIN.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.shutdown(socket.SHUT_RD)
        self._clients.clear()

    def heal(self) -> None:
        """Forward everything again; connections that lost bytes are reset."""
        self.reset()
        self.swallowing = False
        self.latency = 0.0
        self._triggers.clear()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            if select.select([self._listener], [], [], _LOOK_SECONDS)[0]:
                client, _ = self._listener.accept()
                self._clients.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                upstream = self._connect()
            except OSError:
                return
            with upstream, suppress(OSError):
                self._forward(client, upstream)

    def _forward(self, client: socket.socket, upstream: socket.socket) -> None:
        while not self._stopped.is_set():
            for source in select.select([client, upstream], [], [], _LOOK_SECONDS)[0]:
                data = source.recv(_CHUNK)
                if not data:
                    return
                answer = source is upstream
                self._look_at(data, answer=answer)
                time.sleep(self.latency)
                if client not in self._clients:
                    return
                if not self.swallowing:
                    (client if answer else upstream).sendall(data)

    def _look_at(self, data: bytes, *, answer: bool) -> None:
        if self._triggers and self._triggers[0][0] == answer and self._triggers[0][1] in data:
            _, _, action = self._triggers.pop(0)
            action()
            if not self._triggers:
                self.fired.set()
