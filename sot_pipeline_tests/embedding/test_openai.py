import logging
import random
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import openai
import pytest
from pydantic import SecretStr

from sot_pipeline.embedding.embedder import blank_vector
from sot_pipeline.embedding.openai import ATTEMPTS, PARALLEL_REQUESTS, OpenAIEmbedder
from sot_pipeline.errors import DeadlineExceeded, EmbeddingFailed, RequirementMissing, SotError
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.workspace import EmbeddingChoice
from sot_pipeline_tests.stubs.openai_server import Answer, Fault, StubOpenAIServer, stub_vector

CANARY = "sk-canary-0123456789"


@pytest.fixture
def server() -> Iterator[StubOpenAIServer]:
    with StubOpenAIServer() as server:
        yield server


def embedder_of(
    server: StubOpenAIServer, *, dimension: int | None = 8, model: str = "stub-model", first_delay: float = 0.01
) -> OpenAIEmbedder:
    choice = EmbeddingChoice("openai", model, base_url=server.base_url, api_key=SecretStr(CANARY), dimension=dimension)
    return OpenAIEmbedder(choice, rng=random.Random(1), first_delay=first_delay)


def soon() -> Deadline:
    return Deadline(10)


def test_every_text_gets_its_own_vector(server: StubOpenAIServer) -> None:
    texts = [f"text {number}" for number in range(50)]

    vectors = embedder_of(server).embed(texts, soon())

    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [stub_vector(text, 8) for text in texts], atol=1e-6)


def test_vectors_are_scaled_to_length_one(server: StubOpenAIServer) -> None:
    def doubled(answer: Answer) -> Answer:
        return {"data": [{**item, "embedding": [2 * x for x in item["embedding"]]} for item in answer["data"]]}  # type: ignore[attr-defined]

    server.script(Fault(tamper=doubled))

    vectors = embedder_of(server).embed(["a"], soon())

    assert np.linalg.norm(vectors[0]) == pytest.approx(1)


def test_items_in_another_order_are_put_back_by_index(server: StubOpenAIServer) -> None:
    server.script(Fault(tamper=lambda answer: {"data": answer["data"][::-1]}))

    vectors = embedder_of(server).embed(["a", "b", "c"], soon())

    np.testing.assert_allclose(vectors, [stub_vector(text, 8) for text in "abc"], atol=1e-6)


def test_requests_stay_within_the_limits_of_the_api(server: StubOpenAIServer) -> None:
    many = ["x"] * 2_500
    long = ["é" * 4_000] * 80  # 8,000 bytes each

    embedder_of(server).embed(many + long, soon())

    inputs = [request["input"] for request in server.requests]
    assert max(len(texts) for texts in inputs) <= 2_048
    assert max(sum(len(text.encode()) for text in texts) for texts in inputs) <= 300_000
    assert sum(map(len, inputs)) == 2_580
    assert {request["encoding_format"] for request in server.requests} == {"float"}


def test_requests_run_in_parallel_within_a_bound() -> None:
    texts = [f"{number:04d}" + "x" * 7_996 for number in range(37 * 12)]  # 37 fit into a request

    with StubOpenAIServer(delay=0.1) as server:
        vectors = embedder_of(server).embed(texts, soon())

    assert len(server.requests) == 12
    assert 1 < server.most_at_once <= PARALLEL_REQUESTS
    np.testing.assert_allclose(vectors[400], stub_vector(texts[400], 8), atol=1e-6)


def test_blank_texts_are_not_sent(server: StubOpenAIServer) -> None:
    vectors = embedder_of(server).embed(["", "a", " \n"], soon())

    assert server.texts == ["a"]
    np.testing.assert_array_equal(vectors[[0, 2]], [blank_vector(8)] * 2)


def test_nothing_is_asked_for_no_texts(server: StubOpenAIServer) -> None:
    vectors = embedder_of(server).embed([], soon())

    assert vectors.shape == (0, 8)
    assert server.requests == []


def test_a_text_over_the_limit_is_refused_before_any_request(server: StubOpenAIServer) -> None:
    with pytest.raises(EmbeddingFailed, match="8192 bytes"):
        embedder_of(server).embed(["a", "x" * 8_192], soon())

    assert server.requests == []


# Dimensions


def test_dimension_of_a_known_model_needs_no_request() -> None:
    assert OpenAIEmbedder(EmbeddingChoice("openai", "text-embedding-3-small")).dimension == 1536
    assert OpenAIEmbedder(EmbeddingChoice("openai", "text-embedding-3-large")).dimension == 3072
    assert OpenAIEmbedder(EmbeddingChoice("openai", "text-embedding-ada-002")).dimension == 1536


def test_dimension_of_an_unknown_model_is_learnt_with_one_request(server: StubOpenAIServer) -> None:
    embedder = embedder_of(server, dimension=None)

    assert embedder.dimension == embedder.dimension == 8
    assert len(server.requests) == 1


def test_a_configured_dimension_shortens_models_that_can(server: StubOpenAIServer) -> None:
    embedder = embedder_of(server, model="text-embedding-3-small", dimension=4)

    vectors = embedder.embed(["a"], soon())

    assert vectors.shape == (1, 4)
    assert server.requests[0]["dimensions"] == 4


def test_dimensions_are_not_sent_to_models_that_may_not_know_them(server: StubOpenAIServer) -> None:
    embedder_of(server).embed(["a"], soon())

    assert "dimensions" not in server.requests[0]


# Faults that pass


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429),
        Fault(429, {"Retry-After": "0"}),
        Fault(500),
        Fault(502),
        Fault(503, {"retry-after-ms": "5"}),
        Fault(408),
        Fault(reset=True),
    ],
)
def test_a_passing_fault_is_asked_again(server: StubOpenAIServer, fault: Fault) -> None:
    server.script(fault, fault)

    vectors = embedder_of(server).embed(["a"], soon())

    np.testing.assert_allclose(vectors[0], stub_vector("a", 8), atol=1e-6)
    assert len(server.requests) == 3


def test_retry_after_in_seconds_is_honoured(server: StubOpenAIServer) -> None:
    server.script(Fault(429, {"Retry-After": "0.4"}))
    started = time.monotonic()

    embedder_of(server).embed(["a"], soon())

    assert time.monotonic() - started >= 0.4


def test_retry_after_as_a_date_is_honoured(server: StubOpenAIServer) -> None:
    server.script(Fault(429, {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)}))
    started = time.monotonic()

    embedder_of(server).embed(["a"], soon())

    assert 0.5 < time.monotonic() - started < 5


def test_one_throttled_request_holds_the_others_back(server: StubOpenAIServer) -> None:
    texts = [f"{number}" + "x" * 8_000 for number in range(37 * (PARALLEL_REQUESTS + 4))]
    server.script(Fault(429, {"Retry-After": "0.5"}))
    started = time.monotonic()

    vectors = embedder_of(server).embed(texts, soon())

    assert time.monotonic() - started >= 0.5
    assert vectors.any(axis=1).all()


def test_a_retry_after_beyond_the_deadline_stops_at_once(server: StubOpenAIServer) -> None:
    server.script(Fault(429, {"Retry-After": "60"}))
    started = time.monotonic()

    with pytest.raises(DeadlineExceeded, match=r"left alone for (60|59)") as caught:
        embedder_of(server).embed(["a"], Deadline(5))

    assert time.monotonic() - started < 2
    assert "--max-seconds" in caught.value.remedy
    assert len(server.requests) == 1


def test_a_retry_after_of_a_day_is_not_waited_for_without_a_deadline(server: StubOpenAIServer) -> None:
    server.script(Fault(429, {"Retry-After": "86400"}))

    with pytest.raises(EmbeddingFailed, match="86400 s"):
        embedder_of(server).embed(["a"], Deadline.never())


def test_a_slow_server_ends_with_the_deadline(server: StubOpenAIServer) -> None:
    server.script(Fault(delay=3))
    started = time.monotonic()

    with pytest.raises(DeadlineExceeded):
        embedder_of(server).embed(["a"], Deadline(0.5))

    assert time.monotonic() - started < 2


def test_a_passed_deadline_sends_nothing(server: StubOpenAIServer) -> None:
    with pytest.raises(DeadlineExceeded):
        embedder_of(server).embed(["a"], Deadline(0))

    assert server.requests == []


def test_a_lasting_fault_is_given_up(server: StubOpenAIServer) -> None:
    server.script(*[Fault(500, body=b'{"error": {"message": "overloaded"}}')] * 10)

    with pytest.raises(EmbeddingFailed, match=r"answered 500: .*overloaded"):
        embedder_of(server).embed(["a"], soon())

    assert len(server.requests) == ATTEMPTS


def test_a_server_that_is_not_there_is_named() -> None:
    with StubOpenAIServer() as server:
        embedder = embedder_of(server)

    with pytest.raises(EmbeddingFailed, match=r"http://127.0.0.1:\d+/v1 cannot be reached"):
        embedder.embed(["a"], soon())


def test_answers_before_an_error_are_handed_out(server: StubOpenAIServer) -> None:
    texts = [f"{number:04d}" + "x" * 7_996 for number in range(37 * 3)]
    server.script(Fault(), Fault(), Fault(400))
    answered: list[int] = []

    with pytest.raises(EmbeddingFailed, match="400"):
        for batch in embedder_of(server).embed_batches(texts, soon()):
            answered += batch.positions

    assert len(answered) == 37 * 2
    assert len(set(answered)) == len(answered)


# Faults that last


@pytest.mark.parametrize(("status", "words"), [(401, "refuses the API key"), (403, "refuses the API key")])
def test_a_refused_key_is_not_tried_again(server: StubOpenAIServer, status: int, words: str) -> None:
    server.script(Fault(status, body=f'{{"error": {{"message": "Incorrect key {CANARY}"}}}}'.encode()))

    with pytest.raises(RequirementMissing, match=words) as caught:
        embedder_of(server).embed(["a"], soon())

    assert type(caught.value) is RequirementMissing
    assert len(server.requests) == 1


def test_an_unknown_model_is_named(server: StubOpenAIServer) -> None:
    server.script(Fault(404, body=b'{"error": {"message": "The model does not exist"}}'))

    with pytest.raises(RequirementMissing, match="does not know the model 'stub-model'"):
        embedder_of(server).embed(["a"], soon())

    assert len(server.requests) == 1


def test_an_empty_account_is_not_tried_again(server: StubOpenAIServer) -> None:
    server.script(Fault(429, body=b'{"error": {"message": "You exceeded", "code": "insufficient_quota"}}'))

    with pytest.raises(EmbeddingFailed, match="out of quota"):
        embedder_of(server).embed(["a"], soon())

    assert len(server.requests) == 1


def test_no_key_and_no_server_of_ones_own_is_a_missing_requirement() -> None:
    embedder = OpenAIEmbedder(EmbeddingChoice("openai", "text-embedding-3-small"))

    with pytest.raises(RequirementMissing, match="OPENAI_API_KEY is not set") as caught:
        embedder.check()

    assert caught.value.exit_code == 4
    assert "OPENAI_BASE_URL" in caught.value.remedy


def test_a_server_of_ones_own_needs_no_key(server: StubOpenAIServer) -> None:
    embedder = OpenAIEmbedder(EmbeddingChoice("openai", "stub-model", base_url=server.base_url, dimension=8))

    embedder.check()

    assert embedder.embed(["a"], soon()).shape == (1, 8)


def test_a_key_that_no_header_can_hold_is_refused_without_showing_it() -> None:
    embedder = OpenAIEmbedder(EmbeddingChoice("openai", "m", api_key=SecretStr("sk-caf\u00e9")))

    with pytest.raises(RequirementMissing, match="OPENAI_API_KEY") as caught:
        embedder.embed(["a"], soon())

    assert "caf" not in str(caught.value)


# Secrets


@pytest.mark.parametrize("fault", [Fault(401), Fault(400), Fault(500), Fault(404), Fault(reset=True), Fault(body=b"<")])
def test_the_key_is_nowhere_to_be_seen(
    server: StubOpenAIServer, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script(*[fault] * ATTEMPTS)
    embedder = embedder_of(server)

    with pytest.raises(SotError) as caught:
        embedder.embed(["a"], soon())

    assert server.authorizations[0] == f"Bearer {CANARY}"
    shown = "".join(traceback.format_exception(caught.value)) + repr(embedder) + caplog.text
    assert CANARY not in shown
    assert caught.value.__cause__ is None
    assert not isinstance(caught.value.__context__, openai.OpenAIError)  # it would hold the request


def test_a_server_that_quotes_the_key_is_not_quoted(server: StubOpenAIServer) -> None:
    server.script(Fault(400, body=f'{{"error": {{"message": "bad {CANARY}"}}}}'.encode()))

    with pytest.raises(EmbeddingFailed, match=r"bad \*\*\*"):
        embedder_of(server).embed(["a"], soon())
