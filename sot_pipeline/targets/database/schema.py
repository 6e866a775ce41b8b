"""Which version the schema has, and how it is brought to the newest one.

The version is read with one cheap query in each process; Alembic and SQLAlchemy are imported only
where it is behind. Every migration of an upgrade runs in one transaction, under a lock.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sot_pipeline.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Ours alone: a PostgreSQL database may be shared with Dagster, which keeps an `alembic_version`.
VERSION_TABLE = "sot_alembic_version"
HEAD = "0004"
# Migration, a table that it makes and somebody else may have made before, and what would be in it.
_FIRST_TABLES = (
    ("0001", "sot_entries", "rows are derived from the ledgers"),
    ("0004", "skills", "skills that are in files are exported into a new one"),
)
# Key of the advisory lock that writers of the schema take in PostgreSQL ("sot" in ASCII).
SCHEMA_LOCK = 0x736F74


def require_known(revision: str | None, where: str) -> None:
    """Raises DatabaseUnavailable where the schema was made by a newer program than this one."""
    if revision is not None and revision > HEAD:
        raise DatabaseUnavailable(
            f"The schema of {where} is version {revision}; this program knows versions up to {HEAD}.",
            remedy="Upgrade sot-pipeline, or point DATABASE_URL at another database.",
        )


def upgrade(scheme: str, connect: Callable[[], object], lock: str) -> None:
    """Bring the schema to `HEAD` in one transaction, on a connection of its own.

    `scheme` is SQLAlchemy's name of the database, `lock` the statement that keeps other upgrades
    out. Raises DatabaseUnavailable where tables of the same name exist that are not ours, and
    whatever the driver raises.
    """
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import DBAPIError

    try:
        with create_engine(f"{scheme}://", creator=connect, poolclass=NullPool).begin() as connection:
            connection.exec_driver_sql(lock)
            _migrate(connection)
    except DBAPIError as error:
        if error.orig is None:
            raise
        raise error.orig from None


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import inspect

    found = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    if found == HEAD:
        return
    for revision, table, what in _FIRST_TABLES:
        if (found is None or found < revision) and inspect(connection).has_table(table):
            raise DatabaseUnavailable(
                f"The database has a table '{table}' that this program did not make.",
                remedy=f"Rename or drop it ({what}), or use another database.",
            )
    config = Config()
    # ConfigParser reads '%' as the start of a variable.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
