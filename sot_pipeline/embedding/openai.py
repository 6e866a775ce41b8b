"""Embeddings of OpenAI or of any server that speaks the same protocol, by base URL.

Cuts texts into requests, sends some at a time, and asks again where that can help. What an answer
must look like is `answer.py`, what a failure means `failures.py`, when to ask again `backoff.py`.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sot_pipeline.embedding.answer import vectors_of
from sot_pipeline.embedding.backoff import FIRST_DELAY_SECONDS, Backoff
from sot_pipeline.embedding.embedder import EmbeddedBatch, blank_vector, gather
from sot_pipeline.embedding.failures import Failure, failure_of
from sot_pipeline.errors import EmbeddingFailed, RequirementMissing
from sot_pipeline.redact import redact
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.workspace import EmbeddingChoice

if TYPE_CHECKING:
    from openai import OpenAI

    from sot_pipeline.embedding.embedder import Vectors

OPENAI_URL = "https://api.openai.com/v1"

# https://platform.openai.com/docs/guides/embeddings; other models tell by their first answer.
DIMENSIONS: Mapping[str, int] = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
_SHORTENS = "text-embedding-3-"  # models that give as many dimensions as one asks for

# The limits of the API. Tokens are counted as UTF-8 bytes, which they cannot exceed: an exact
# count needs the model's vocabulary, which would have to be downloaded.
REQUEST_TEXTS = 2_048
REQUEST_TOKENS = 300_000
TEXT_TOKENS = 8_191

# Enough to keep the line busy, and below the requests a minute of the smallest OpenAI account.
PARALLEL_REQUESTS = 8
REQUEST_SECONDS = 60.0
ATTEMPTS = 5
# Finding out a model's dimension is not part of a run with a deadline of its own.
PROBE_SECONDS = 30.0
# Requests end by themselves when the deadline passes; one that drips on is left behind after this.
_OVERRUN_SECONDS = 1.0


class OpenAIEmbedder:
    """An `Embedder` over HTTP. Its key appears in no message, no repr and no traceback of ours."""

    chunk_tokens = 400
    max_tokens = TEXT_TOKENS

    def __init__(
        self, choice: EmbeddingChoice, *, rng: random.Random | None = None, first_delay: float = FIRST_DELAY_SECONDS
    ) -> None:
        self.model = choice.model
        self._choice = choice
        self._url = choice.base_url or OPENAI_URL
        self._server = f"The embedding server {redact(self._url)}"
        self._dimension = choice.dimension or DIMENSIONS.get(choice.model)
        self._rng = rng or random.Random()  # noqa: S311  # spreads retries, guards nothing
        self._first_delay = first_delay

    @property
    def dimension(self) -> int:
        """Length of the vectors: as configured, as known of the model, else as its first answer shows.

        The last costs one request, once; 'embedding_dimension' in `sot.toml` saves it.
        """
        if self._dimension is None:
            self.check()
            deadline = Deadline(PROBE_SECONDS)
            with self._client() as client:
                self._dimension = int(self._answer(client, ["dimension"], self._backoff(), deadline).shape[1])
        return self._dimension

    def check(self) -> None:
        """Raises RequirementMissing without a usable key, unless a base URL names a server of one's own."""
        key = self._key()
        if key is None and self._choice.base_url is None:
            raise RequirementMissing(
                f"The embedding model '{self.model}' needs an API key, but OPENAI_API_KEY is not set.",
                remedy='Set it, or OPENAI_BASE_URL for a server that needs none, or embedding = "local" in sot.toml.',
            )
        if key and not (key.isascii() and key.isprintable()):
            raise RequirementMissing(
                "OPENAI_API_KEY holds characters that no HTTP header can.", remedy="Copy the key again."
            )

    def embed(self, texts: Sequence[str], deadline: Deadline) -> Vectors:
        """Vectors of `texts`, shape (len(texts), dimension).

        Raises EmbeddingFailed, RequirementMissing (key refused, model unknown) or DeadlineExceeded,
        also when the server wants to be left alone for longer than the deadline allows.
        """
        return gather(self.embed_batches(texts, deadline), len(texts), self.dimension)

    def embed_batches(self, texts: Sequence[str], deadline: Deadline) -> Generator[EmbeddedBatch, None, None]:
        """The same vectors, a request at a time, in the order of the answers."""
        self.check()
        dimension = self.dimension
        # The API refuses empty texts.
        blank = [position for position, text in enumerate(texts) if not text.strip()]
        if blank:
            yield EmbeddedBatch(blank, blank_vector(dimension)[None].repeat(len(blank), axis=0))
        requests = list(self._requests(texts))
        if not requests:
            return
        backoff = self._backoff()
        pool = ThreadPoolExecutor(min(PARALLEL_REQUESTS, len(requests)), thread_name_prefix="embedding")
        with self._client() as client:
            try:
                asked = {
                    pool.submit(self._answer, client, [texts[i] for i in positions], backoff, deadline): positions
                    for positions in requests
                }
                yield from _as_answered(asked, backoff, deadline)
            finally:
                backoff.stop()
                pool.shutdown(wait=False, cancel_futures=True)

    def _requests(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Positions of the texts of each request, within the API's limits."""
        request: list[int] = []
        tokens = 0
        for position, text in enumerate(texts):
            if not text.strip():
                continue
            size = len(text.encode())
            if size > self.max_tokens:
                raise EmbeddingFailed(
                    f"A text of {size} bytes is more than '{self.model}' is sure to take ({self.max_tokens}): "
                    f"'{text[:40]}…'.",
                    remedy="Shorten it.",
                )
            if request and (len(request) == REQUEST_TEXTS or tokens + size > REQUEST_TOKENS):
                yield request
                request, tokens = [], 0
            request.append(position)
            tokens += size
        if request:
            yield request

    def _answer(self, client: OpenAI, texts: list[str], backoff: Backoff, deadline: Deadline) -> Vectors:
        """Vectors of the texts of one request, asked for up to `ATTEMPTS` times."""
        attempt = 0
        while True:
            attempt += 1
            backoff.wait(deadline)
            came = self._ask(client, texts, deadline)
            if not isinstance(came, Failure):
                return vectors_of(came, count=len(texts), dimension=self._dimension, server=self._server)
            if not came.ask_again:
                raise came.error
            deadline.check("while the embedding server was asked")
            if attempt == ATTEMPTS:
                raise came.error
            backoff.postpone(attempt, came.retry_after)

    def _ask(self, client: OpenAI, texts: list[str], deadline: Deadline) -> bytes | Failure:
        """One request: the body of the answer, or why there is none."""
        import openai

        shortened = self.model.startswith(_SHORTENS) and self._dimension != DIMENSIONS.get(self.model)
        try:
            answer = client.embeddings.with_raw_response.create(
                model=self.model,
                input=texts,
                # The client would ask for base64, which not every server knows; floats are the protocol's default.
                encoding_format="float",
                dimensions=self._dimension if shortened and self._dimension else openai.omit,
                timeout=deadline.timeout(REQUEST_SECONDS),
            )
        except openai.APIError as error:
            return failure_of(error, server=self._server, model=self.model, key=self._key())
        return answer.content

    def _client(self) -> OpenAI:
        import openai

        # Libraries log URLs as they are, so user and password travel apart from ours.
        parts = urlsplit(self._url)
        user = (unquote(parts.username or ""), unquote(parts.password or ""))
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        http = openai.DefaultHttpxClient(auth=user) if any(user) else None
        # A server of one's own may need no key, but the client does. We retry ourselves.
        return openai.OpenAI(api_key=self._key() or "none", base_url=bare, max_retries=0, http_client=http)

    def _backoff(self) -> Backoff:
        return Backoff(self._rng, first_delay=self._first_delay)

    def _key(self) -> str | None:
        return self._choice.api_key.get_secret_value() if self._choice.api_key else None


def _as_answered(
    asked: Mapping[Future[Vectors], list[int]], backoff: Backoff, deadline: Deadline
) -> Iterator[EmbeddedBatch]:
    """Answers as they come. The first error ends the waiting requests and is raised after the last answer."""
    pending = set(asked)
    failed: BaseException | None = None
    while pending:
        left = deadline.remaining() + _OVERRUN_SECONDS
        done, pending = wait(pending, None if left == float("inf") else left, FIRST_COMPLETED)
        if not done:
            deadline.check("while the embedding server was answering")
        for future in done:
            error = future.exception()
            if error is None:
                yield EmbeddedBatch(asked[future], future.result())
            elif failed is None:
                failed = error
                backoff.stop()
                pending = {other for other in pending if not other.cancel()}
    if failed is not None:
        raise failed
