"""The one tree of errors.

Every class knows its exit code and carries its values as attributes; every message says what
happened, where, and what to do next. Problems found *in* a ledger are not errors but values
(`plan.Problem`), so that one bad entry never stops the others.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_OK = 0
EXIT_PROBLEMS = 1
EXIT_USAGE = 2
EXIT_DEADLINE = 3
EXIT_REQUIREMENT = 4
EXIT_LOCKED = 5
EXIT_DISAGREE = 6


class SotError(Exception):
    """What `sot` says when it cannot go on: a message, a remedy and an exit code."""

    exit_code: ClassVar[int] = EXIT_PROBLEMS
    # True where no later project of a run would fare better.
    ends_run: ClassVar[bool] = False

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} {remedy}".strip())

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (Dagster steps): rebuild from the attributes.
        return (_rebuild, (type(self), dict(self.__dict__)))


def _rebuild(kind: type[SotError], state: dict[str, object]) -> SotError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    Exception.__init__(error, f"{state['message']} {state['remedy']}".strip())
    return error


class UsageError(SotError):
    """The command line asks for something that makes no sense."""

    exit_code = EXIT_USAGE


class ConfigError(SotError):
    """`sot.toml`, the environment or a flag holds something that cannot be used."""

    exit_code = EXIT_USAGE


class DatabaseUnavailable(SotError):
    """The database cannot be reached or refuses what it is asked (exit 2)."""

    exit_code = EXIT_USAGE
    ends_run = True


class DeadlineExceeded(SotError):
    """`--max-seconds` passed. What was committed stays; the next run goes on from there."""

    exit_code = EXIT_DEADLINE
    ends_run = True


class RequirementMissing(SotError):
    """A mode needs something that is not there: Qdrant, an API key, the right dimension."""

    exit_code = EXIT_REQUIREMENT


class VectorStoreUnavailable(RequirementMissing):
    """Qdrant is disabled, unreachable, damaged or held by somebody else's process."""


class EmbeddingMismatch(RequirementMissing):
    """The collection was built with another model or dimension than the embedder's."""

    def __init__(self, *, collection: str, built_with: str, embedder: str, rebuild: str) -> None:
        self.collection = collection
        self.built_with = built_with
        self.embedder = embedder
        self.rebuild = rebuild
        super().__init__(
            f"Collection '{collection}' was built with {built_with}, but the embedder is {embedder}.",
            remedy=f"Rebuild it: {rebuild}",
        )


class EmbeddingFailed(RequirementMissing):
    """The embedding service gave no usable answer; the index keeps its old points."""


class LockNotAcquired(SotError):
    """Another writer holds the lock (exit 5)."""

    exit_code = EXIT_LOCKED


class LeaseLost(LockNotAcquired):
    """Our lease ended before our work did: what comes later must not be written."""

    ends_run = True


class LockNotBroken(SotError):
    """A lock that somebody may still hold was not broken."""

    exit_code = EXIT_LOCKED


class ReadmeMarkersError(SotError):
    """The README's summary markers are missing, repeated or reversed; nothing was changed."""


class FileChangedMeanwhile(SotError):
    """Somebody edited a file between our read and our write; their edit is kept."""


class FileUnusable(SotError):
    """A file of the project cannot be read or replaced; it is as it was."""
