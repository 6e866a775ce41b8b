import pickle
from collections.abc import Iterator

import pytest

from sot_pipeline import errors
from sot_pipeline.errors import (
    ConfigError,
    DatabaseUnavailable,
    DeadlineExceeded,
    EmbeddingFailed,
    EmbeddingMismatch,
    LockNotAcquired,
    RequirementMissing,
    SotError,
    UsageError,
    VectorStoreUnavailable,
)


def classes(kind: type[SotError] = SotError) -> Iterator[type[SotError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from classes(child)


OWN_ARGUMENTS: dict[type[SotError], dict[str, object]] = {
    EmbeddingMismatch: {"collection": "c", "built_with": "m (3)", "embedder": "n (4)", "rebuild": "sot rebuild"},
}


def example(kind: type[SotError]) -> SotError:
    arguments = OWN_ARGUMENTS.get(kind)
    return kind("it broke.", remedy="mend it") if arguments is None else kind(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(classes()), ids=lambda kind: kind.__name__)
def test_an_error_survives_a_process_border(kind: type[SotError]) -> None:
    error = example(kind)

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
    assert copy.exit_code == error.exit_code


@pytest.mark.parametrize("kind", list(classes()), ids=lambda kind: kind.__name__)
def test_an_error_says_what_happened_and_what_to_do(kind: type[SotError]) -> None:
    error = example(kind)

    assert error.message
    assert error.remedy
    assert str(error) == f"{error.message} {error.remedy}"


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (SotError, 1),
        (UsageError, 2),
        (ConfigError, 2),
        (DatabaseUnavailable, 2),
        (DeadlineExceeded, 3),
        (RequirementMissing, 4),
        (VectorStoreUnavailable, 4),
        (EmbeddingMismatch, 4),
        (EmbeddingFailed, 4),
        (LockNotAcquired, 5),
    ],
)
def test_exit_codes_are_those_of_the_command_line(kind: type[SotError], exit_code: int) -> None:
    assert kind.exit_code == exit_code


def test_an_error_without_a_remedy_ends_with_its_message() -> None:
    assert str(SotError("it broke.")) == "it broke."


def test_a_mismatch_names_both_models_and_the_rebuild() -> None:
    error = example(EmbeddingMismatch)

    assert "m (3)" in str(error)
    assert "n (4)" in str(error)
    assert "sot rebuild" in error.remedy
