"""What an error of SQLite means to whoever runs `sot`. No connection is opened here."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sot_pipeline.errors import DatabaseUnavailable, DeadlineExceeded, LockNotAcquired, SotError
from sot_pipeline.runtime.deadline import Deadline

_PRIMARY_CODE = 0xFF  # the low byte of an extended result code

# primary result code → what happened, what to do
_REFUSALS = {
    sqlite3.SQLITE_NOTADB: ("is no SQLite database", "Point DATABASE_URL at another file, or remove this one."),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "Remove the file and run 'sot sync --full --execute': everything in it is derived from the ledgers.",
    ),
    sqlite3.SQLITE_READONLY: ("is read-only", "Give this user write permission on the file and its folder."),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check that the folder exists and this user may write to it."),
    sqlite3.SQLITE_FULL: ("cannot grow, the disk is full", "Free some space; nothing was half-written."),
    sqlite3.SQLITE_IOERR: ("cannot be read or written (input/output error)", "Check its disk and the space on it."),
    sqlite3.SQLITE_PERM: ("may not be opened by this user", "Give this user permission on the file and its folder."),
}


def explain(error: sqlite3.Error, path: Path, deadline: Deadline) -> SotError:
    """The error of ours that says what `error` means; texts of rows never get into it."""
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if extended == sqlite3.SQLITE_CORRUPT_VTAB:
        return DatabaseUnavailable(
            f"The full-text index in the database {path} is damaged.",
            remedy="Run 'sot verify', then 'sot sync --db-only --execute'.",
        )
    code = extended & _PRIMARY_CODE
    if code == sqlite3.SQLITE_INTERRUPT or (code == sqlite3.SQLITE_BUSY and deadline.remaining() <= 0):
        limit = f" of {deadline.seconds:g} s" if deadline.seconds is not None else ""
        return DeadlineExceeded(
            f"The deadline{limit} passed in the database {path}.",
            remedy="What was committed stays; run the same command again to go on, or raise --max-seconds.",
        )
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return LockNotAcquired(
            f"Another process is writing to the database {path}.", remedy="Wait for it to end, then run again."
        )
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    what, remedy = _REFUSALS.get(code, (f"refused a statement ({name})", "Run 'sot verify' to see what is wrong."))
    return DatabaseUnavailable(f"The database {path} {what}.", remedy=remedy)


def require_usable(path: Path) -> None:
    """Raises DatabaseUnavailable where the file could not be made or written to; opens nothing."""
    folder = path.parent
    if not folder.is_dir():
        raise DatabaseUnavailable(
            f"The folder of the database {path} does not exist.",
            remedy=f"Create it (mkdir -p {folder}) or change DATABASE_URL.",
        )
    if path.is_dir():
        raise DatabaseUnavailable(f"The database {path} is a folder.", remedy="Name a file in DATABASE_URL.")
    for place in (path, folder):
        if place.exists() and not os.access(place, os.R_OK | os.W_OK):
            raise DatabaseUnavailable(
                f"The database {path} is read-only for this user ({place}).",
                remedy="Give this user read and write permission on the file and its folder.",
            )
