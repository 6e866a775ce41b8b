"""What a failed request to an embedding server means: an error of ours, and whether to ask again.

The errors of the client library hold the request with its key, so they end here: no message,
cause or context of ours leads back to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sot_pipeline.embedding.backoff import retry_after
from sot_pipeline.errors import EmbeddingFailed, RequirementMissing, SotError

if TYPE_CHECKING:
    from openai import APIError, APIStatusError

_REQUEST_TIMEOUT = 408
_CONFLICT = 409  # OpenAI: the same request is still being worked on
_TOO_MANY_REQUESTS = 429
_REFUSED = (401, 403)
_NOT_FOUND = 404
_SERVER_ERRORS = 500
# 429 as well, but waiting does not fill the account.
_OUT_OF_QUOTA = "insufficient_quota"

_QUOTED_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that failed: the error if nobody asks again, and how long the server wants peace."""

    error: SotError
    ask_again: bool = False
    retry_after: float | None = None


def failure_of(error: APIError, *, server: str, model: str, key: str | None) -> Failure:
    """What `error` means. `server` is how messages call it; `key` never appears in them."""
    from openai import APIStatusError, APITimeoutError

    if isinstance(error, APIStatusError):
        return _refusal(error, server=server, model=model, key=key)
    what = "did not answer in time" if isinstance(error, APITimeoutError) else "cannot be reached"
    return Failure(EmbeddingFailed(f"{server} {what}.", remedy="Check the address and run again."), ask_again=True)


def _refusal(error: APIStatusError, *, server: str, model: str, key: str | None) -> Failure:
    status = error.status_code
    if status in _REFUSED:
        # What the server says of the key may quote it.
        return Failure(
            RequirementMissing(f"{server} refuses the API key ({status}).", remedy="Set OPENAI_API_KEY to a valid key.")
        )
    said = _quote(error.message, key)
    if status == _NOT_FOUND:
        return Failure(
            RequirementMissing(
                f"{server} does not know the model '{model}' ({status}): {said}",
                remedy="Mend EMBEDDING_MODEL or OPENAI_BASE_URL (it usually ends in /v1).",
            )
        )
    failed = EmbeddingFailed(f"{server} answered {status}: {said}", remedy="Run the same command again later.")
    if error.code == _OUT_OF_QUOTA:
        return Failure(EmbeddingFailed(f"The account at {server} is out of quota.", remedy="Raise the quota."))
    passing = status in (_REQUEST_TIMEOUT, _CONFLICT, _TOO_MANY_REQUESTS) or status >= _SERVER_ERRORS
    return Failure(failed, passing, retry_after(error.response.headers, datetime.now(UTC)))


def _quote(message: str, key: str | None) -> str:
    quoted = " ".join(message.split())
    return (quoted.replace(key, "***") if key else quoted)[:_QUOTED_LENGTH]
