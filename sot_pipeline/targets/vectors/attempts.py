"""One call to a Qdrant server: how long it may take, when it is tried again, what its failure means.

Knows nothing of collections; `server.py` and `remote.py` say what is called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from sot_pipeline.errors import VectorStoreUnavailable
from sot_pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    from httpx import Request, Response

# Longest time for one request: a batch of points with `wait` on a busy server takes seconds.
REQUEST_SECONDS = 30.0
ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.2
_QUOTED_CHARS = 200

# Answers that another attempt may change: overload, or a proxy without its server.
_PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})

T = TypeVar("T")


class Attempts:
    """Runs calls to the server at `where` (its URL without secrets, as messages print it).

    `secrets` stand in no message, even where the server quotes them.
    """

    def __init__(self, where: str, secrets: Sequence[str] = ()) -> None:
        self._where = where
        self._secrets = secrets
        self._seconds = REQUEST_SECONDS

    def bound(self, request: Request, send: Callable[[Request], Response]) -> Response:
        """Middleware of the client: no request outlasts the deadline of the call it belongs to."""
        from httpx import Timeout

        request.extensions["timeout"] = Timeout(self._seconds).as_dict()
        return send(request)

    def run(self, deadline: Deadline, call: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
        """What `call()` returns.

        A passing failure is tried again up to `attempts` times in all, so `call` must be safe to
        repeat unless that is 1. Raises VectorStoreUnavailable, or DeadlineExceeded when time is over.
        """
        from qdrant_client.common.client_exceptions import QdrantException
        from qdrant_client.http.exceptions import ApiException

        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(1, attempts + 1):
            self._seconds = deadline.timeout(REQUEST_SECONDS)
            try:
                return call()
            except (ApiException, QdrantException) as error:
                deadline.check(f"while waiting for Qdrant at {self._where}")
                wait = max(pause, _asked_wait(error))
                if attempt == attempts or not _may_pass(error) or wait >= deadline.remaining():
                    # Not from `error`: it holds the server's answer, which may quote the key.
                    raise self._unavailable(error) from None
            time.sleep(wait)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def _unavailable(self, error: Exception) -> VectorStoreUnavailable:
        status = _status(error)
        if status in (401, 403):
            return VectorStoreUnavailable(
                f"Qdrant at {self._where} refuses the API key (HTTP {status}).",
                remedy="Set QDRANT_API_KEY to a key that may read and write.",
            )
        if status is not None:
            return VectorStoreUnavailable(
                f"Qdrant at {self._where} answered HTTP {status}: {self._quoted(error)}.",
                remedy="Look into the server's log; the next run goes on from what is stored.",
            )
        return VectorStoreUnavailable(
            f"Qdrant at {self._where} cannot be reached: {self._quoted(error)}.",
            remedy="Start it, or mend 'qdrant' in sot.toml or QDRANT_HOST; a path uses the embedded engine instead.",
        )

    def _quoted(self, error: Exception) -> str:
        """The cause in one line, no secret in it."""
        said = _said(error)
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return said[:_QUOTED_CHARS]


def _may_pass(error: Exception) -> bool:
    status = _status(error)
    return status is None or status in _PASSING_STATUS


def _status(error: Exception) -> int | None:
    """The HTTP status of an answer; None where none came."""
    from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
    from qdrant_client.http.exceptions import UnexpectedResponse

    if isinstance(error, ResourceExhaustedResponse):
        return 429
    return error.status_code if isinstance(error, UnexpectedResponse) else None


def _asked_wait(error: Exception) -> float:
    """Seconds the server asks us to wait (Retry-After)."""
    from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

    return float(error.retry_after_s) if isinstance(error, ResourceExhaustedResponse) else 0.0


def _said(error: Exception) -> str:
    """The cause in one line, as the server or the library puts it."""
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    if isinstance(error, UnexpectedResponse):
        return " ".join(error.content.decode(errors="replace").split()) or error.reason_phrase
    cause = error.source if isinstance(error, ResponseHandlingException) else error
    return str(cause).split("\n", 1)[0] or type(cause).__name__
