"""What an error of PostgreSQL means to whoever runs `sot`.

Messages of the driver are shown only for a connection that never came about, and without the
password; those about statements may quote rows and are not shown at all.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import errors

from sot_pipeline.errors import DatabaseUnavailable, DeadlineExceeded, LockNotAcquired, SotError
from sot_pipeline.redact import redact
from sot_pipeline.runtime.deadline import Deadline

# kind of error → what the database did, what to do
_REFUSALS: tuple[tuple[type[psycopg.Error], str, str], ...] = (
    (errors.ReadOnlySqlTransaction, "is read-only", "Point DATABASE_URL at the primary server."),
    (
        errors.InsufficientPrivilege,
        "does not let this user do that",
        "Grant the user CREATE on the schema and all rights on its tables.",
    ),
    (errors.DiskFull, "has no space left", "Free some space; nothing was half-written."),
    (errors.SerializationFailure, "undid the transaction because of another one", "Run the same command again."),
    (errors.DeadlockDetected, "undid the transaction because of another one", "Run the same command again."),
    # Rows that we looked at are ours until we commit; a key that was free then is not.
    (errors.UniqueViolation, "undid the transaction because of another one", "Run the same command again."),
    (
        errors.IdleInTransactionSessionTimeout,
        "ended a transaction in which nothing happened for too long",
        "It was undone. Run the same command again; do not stop the process in the middle.",
    ),
    (errors.ProgramLimitExceeded, "cannot hold a value as large as this", "Look for an entry with an absurd id."),
    (errors.UndefinedTable, "lacks one of our tables", "Drop the others and run 'sot sync --full --execute'."),
)

_CONNECTIONS: tuple[tuple[str, str, str], ...] = (
    ("password", "refuses the user or the password", "Check user and password in DATABASE_URL."),
    ("authentication failed", "refuses the user", "Check user and password in DATABASE_URL."),
    ("role", "knows no such user", "Check the user in DATABASE_URL."),
    ("does not exist", "has no such database", "Create it (createdb) or check its name in DATABASE_URL."),
    ("", "cannot be reached", "Check that the server runs and that host and port in DATABASE_URL are right."),
)


def explain_connection(error: psycopg.Error, url: str) -> DatabaseUnavailable:
    """Why no connection came about."""
    said = _without_password(str(error), url)
    what, remedy = next((what, remedy) for sign, what, remedy in _CONNECTIONS if sign in said)
    return DatabaseUnavailable(f"The database {redact(url)} {what}: {said}.", remedy=remedy)


def explain(error: psycopg.Error, url: str, deadline: Deadline) -> SotError:
    """Why a statement failed."""
    where = redact(url)
    if isinstance(error, errors.QueryCanceled) or deadline.remaining() <= 0:
        limit = f" of {deadline.seconds:g} s" if deadline.seconds is not None else ""
        return DeadlineExceeded(
            f"The deadline{limit} passed in the database {where}.",
            remedy="What was committed stays; run the same command again to go on, or raise --max-seconds.",
        )
    if isinstance(error, errors.LockNotAvailable):
        return LockNotAcquired(
            f"Another process is writing to the database {where}.", remedy="Wait for it to end, then run again."
        )
    for kind, what, remedy in _REFUSALS:
        if isinstance(error, kind):
            return DatabaseUnavailable(f"The database {where} {what}.", remedy=remedy)
    if error.sqlstate is None or isinstance(error, errors.OperationalError):
        return DatabaseUnavailable(
            f"The connection to the database {where} was lost.",
            remedy="What was not committed is undone; run the same command again.",
        )
    return DatabaseUnavailable(
        f"The database {where} refused a statement ({type(error).__name__}, SQLSTATE {error.sqlstate}).",
        remedy="Run 'sot verify' to see what is wrong.",
    )


def _without_password(text: str, url: str) -> str:
    """The first line of a driver's message; a URL it could not read is not repeated."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return "its URL cannot be read"
    line = text.strip().splitlines()[0].rstrip(".") if text.strip() else "no reason given"
    for secret in filter(None, (password, unquote(password or ""))):
        line = line.replace(secret, "***")
    return redact(line)
