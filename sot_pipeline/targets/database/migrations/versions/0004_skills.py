"""Skills: the tables that anybody may write to, what makes such a write visible, and the sync's own tables.

Every change of a skill, whoever makes it and in whichever of its tables, gives its row in `skills`
a `row_version` that no row of this database had before.
"""

# ruff: noqa: S608  # names of ours

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Names and not the model's lists: a migration does what it did on the day it was written.
_LISTS = "keywords tags capabilities dependencies references allowed_tools"
_MEMBER = "project_id uid position value"
_FILE = "project_id uid path content mode"
# What of a skill counts as a change of it; the rest is noted about it.
_SKILL = (
    "project_id uid skill_path name description version type weight load_priority status scope body front_matter "
    "extra executable"
)
_DEFAULTS = {
    "sqlite": {"uid": "(lower(hex(randomblob(16))))", "now": "(strftime('%Y-%m-%d %H:%M:%f', 'now'))"},
    "postgresql": {
        "uid": "(replace(gen_random_uuid()::text, '-', ''))",
        "now": "(clock_timestamp() AT TIME ZONE 'utc')",
    },
}


def upgrade() -> None:
    """Create the tables, the view of the taxonomy, and the triggers."""
    database = op.get_bind().dialect.name
    _create_skills(**_DEFAULTS[database])
    for name in _LISTS.split():
        _create_list(f"skill_{name}")
    _create_files()
    _create_base()
    _create_moves()
    _create_conflicts()
    op.execute(_CATEGORIES)
    watched = {**dict.fromkeys((f"skill_{name}" for name in _LISTS.split()), _MEMBER), "skill_files": _FILE}
    if database == "sqlite":
        _watch_in_sqlite(watched, _DEFAULTS[database]["now"])
    else:
        _watch_in_postgres(watched, _DEFAULTS[database]["now"])


def _create_skills(uid: str, now: str) -> None:
    op.create_table(
        "skills",
        # Who leaves it out gets that of the only project there is, or is refused: see the triggers.
        sa.Column("project_id", sa.Text, primary_key=True, server_default=sa.text("''")),
        sa.Column("uid", sa.Text, primary_key=True, server_default=sa.text(uid)),
        sa.Column("skill_path", sa.Text),
        *(sa.Column(name, sa.Text) for name in ("name", "description", "version", "type")),
        *(sa.Column(name, sa.Double) for name in ("weight", "load_priority")),
        *(sa.Column(name, sa.Text) for name in ("status", "scope", "body")),
        sa.Column("front_matter", sa.LargeBinary),
        sa.Column("extra", sa.JSON),
        sa.Column("executable", sa.Boolean, server_default=sa.false()),
        sa.Column("row_version", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("content_hash", sa.Text),
        sa.Column("created_at", sa.DateTime, server_default=sa.text(now)),
        sa.Column("updated_at", sa.DateTime, server_default=sa.text(now)),
        sa.UniqueConstraint("project_id", "skill_path", name="skills_path"),
    )
    op.create_index("skills_lookup", "skills", ["project_id", "uid", "skill_path", "row_version"])


def _belongs_to_skill(table: str) -> sa.ForeignKeyConstraint:
    """Checked at the end of a transaction, so that the rows of a skill can be written in any order."""
    return sa.ForeignKeyConstraint(
        ["project_id", "uid"],
        ["skills.project_id", "skills.uid"],
        name=f"{table}_skill",
        ondelete="CASCADE",
        onupdate="CASCADE",
        deferrable=True,
        initially="DEFERRED",
    )


def _create_list(table: str) -> None:
    op.create_table(
        table,
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger),
        sa.Column("value", sa.Text),
        _belongs_to_skill(table),
    )
    op.create_index(f"{table}_lookup", table, ["project_id", "uid", "position"])


def _create_files() -> None:
    op.create_table(
        "skill_files",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary),
        sa.Column("sha256", sa.Text),
        sa.Column("size", sa.BigInteger),
        sa.Column("mode", sa.Integer, server_default=sa.text(str(0o644))),
        _belongs_to_skill("skill_files"),
    )


def _create_base() -> None:
    op.create_table(
        "skill_base",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("skill_path", sa.Text, nullable=False),
        sa.Column("row_version", sa.BigInteger, nullable=False),
        sa.Column("folder_hash", sa.Text, nullable=False),
    )
    op.create_table(
        "skill_base_file",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("mode", sa.Integer, nullable=False),
    )
    op.create_table(
        "skill_tombstones",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("skill_path", sa.Text, nullable=False),
        sa.Column("deleted_at", sa.DateTime, nullable=False),
        sa.Column("side", sa.Text, nullable=False),
    )


def _create_moves() -> None:
    op.create_table(
        "skill_moves",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("target", sa.Text),
        sa.Column("folder_hash", sa.Text, nullable=False),
    )


def _create_conflicts() -> None:
    op.create_table(
        "skill_conflicts",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("skill_path", sa.Text, nullable=False),
        sa.Column("field", sa.Text, nullable=False),
        *(sa.Column(side, sa.Text) for side in ("base", "ours", "theirs")),
        *(sa.Column(f"{side}_bytes", sa.LargeBinary) for side in ("base", "ours", "theirs")),
        sa.Column("found_at", sa.DateTime, nullable=False),
        sa.Column("resolved_at", sa.DateTime),
        sa.Column("resolution", sa.Text),
        sa.Column("chosen_bytes", sa.LargeBinary),
    )
    op.create_index("skill_conflicts_lookup", "skill_conflicts", ["project_id", "resolved_at", "uid"])


def _above(path: str) -> str:
    """SQL for the folder that holds `path`, '' for one at the top: rtrim takes away all that is no '/'."""
    return f"rtrim(rtrim({path}, replace({path}, '/', '')), '/')"


_CATEGORIES = f"""
CREATE VIEW skill_categories AS
WITH RECURSIVE folders (project_id, uid, category) AS (
    SELECT project_id, uid, {_above("skill_path")} FROM skills
    UNION ALL
    SELECT project_id, uid, {_above("category")} FROM folders WHERE category LIKE '%/%'
)
SELECT project_id, uid, length(category) - length(replace(category, '/', '')) AS depth,
    category, nullif({_above("category")}, '') AS parent
FROM folders WHERE category <> ''
"""

_UNNAMED = "skills: name the project_id, there is not exactly one project it could be"
# A sync of any project leaves its name here.
_ONLY_PROJECT = """
SELECT CASE WHEN min(project_id) = max(project_id) THEN min(project_id) END FROM (
    SELECT project_id FROM skills UNION SELECT project_id FROM sync_activity
) AS known WHERE project_id NOT IN ('', '*')
"""


def _watch_in_sqlite(tables: dict[str, str], now: str) -> None:
    """Triggers run whether or not a program has switched foreign keys on, so they delete as well."""
    op.execute("CREATE TABLE skill_versions (last INTEGER NOT NULL)")
    op.execute("INSERT INTO skill_versions VALUES (0)")
    # Only the columns named in a SET wake `skills_changed`: it does not wake itself.
    renew = (
        "UPDATE skill_versions SET last = last + 1; "
        "UPDATE skills SET row_version = (SELECT last FROM skill_versions), content_hash = NULL, "
        f"updated_at = {now} WHERE rowid = NEW.rowid; "
    )
    op.execute(f"CREATE TRIGGER skills_added AFTER INSERT ON skills BEGIN {renew} END")
    op.execute(f"CREATE TRIGGER skills_changed AFTER UPDATE OF {_listed(_SKILL)} ON skills BEGIN {renew} END")
    op.execute(
        "CREATE TRIGGER skills_without_project AFTER INSERT ON skills WHEN NEW.project_id = '' BEGIN "
        f"SELECT RAISE(ABORT, '{_UNNAMED}') WHERE ({_ONLY_PROJECT}) IS NULL; "
        f"UPDATE skills SET project_id = ({_ONLY_PROJECT}) WHERE rowid = NEW.rowid; END"
    )
    deletes = " ".join(f"DELETE FROM {table} WHERE project_id = OLD.project_id AND uid = OLD.uid;" for table in tables)
    op.execute(f"CREATE TRIGGER skills_deleted AFTER DELETE ON skills BEGIN {deletes} END")
    for table, columns in tables.items():
        for event, happened, rows in (
            ("INSERT", "added", ("NEW",)),
            (f"UPDATE OF {_listed(columns)}", "changed", ("OLD", "NEW")),
            ("DELETE", "deleted", ("OLD",)),
        ):
            skill = " OR ".join(f"(project_id = {row}.project_id AND uid = {row}.uid)" for row in rows)
            op.execute(
                f"CREATE TRIGGER {table}_{happened} AFTER {event} ON {table} "
                f"BEGIN UPDATE skills SET name = name WHERE {skill}; END"
            )
    op.execute(
        "CREATE TRIGGER skill_files_unhashed AFTER UPDATE OF content ON skill_files "
        "WHEN NEW.content IS NOT OLD.content AND NEW.sha256 IS OLD.sha256 "
        "BEGIN UPDATE skill_files SET sha256 = NULL, size = NULL WHERE rowid = NEW.rowid; END"
    )


def _watch_in_postgres(tables: dict[str, str], now: str) -> None:
    op.execute("CREATE SEQUENCE skill_versions")
    _function(
        "sot_skill_changed",
        f"IF NEW.project_id = '' THEN NEW.project_id := ({_ONLY_PROJECT}); END IF; "
        f"IF NEW.project_id IS NULL THEN RAISE EXCEPTION '{_UNNAMED}'; END IF; "
        f"NEW.row_version := nextval('skill_versions'); NEW.updated_at := {now}; "
        "NEW.content_hash := NULL; RETURN NEW;",
    )
    op.execute(
        f"CREATE TRIGGER skills_changed BEFORE INSERT OR UPDATE OF {_listed(_SKILL)} ON skills "
        "FOR EACH ROW EXECUTE FUNCTION sot_skill_changed()"
    )
    touch = "UPDATE skills AS s SET name = name"
    same = "(s.project_id, s.uid) = (t.project_id, t.uid)"
    _function(
        "sot_skill_members_written", f"{touch} FROM (SELECT DISTINCT project_id, uid FROM written) AS t WHERE {same};"
    )
    _function(
        "sot_skill_members_changed",
        f"{touch} FROM (SELECT project_id, uid FROM before UNION SELECT project_id, uid FROM after) AS t WHERE {same};",
    )
    _function("sot_skill_members_truncated", f"{touch};")
    for table in tables:
        # Once for a statement and not for each row: a whole collection is written with one.
        for event, happened, rows in (
            ("INSERT", "written", "REFERENCING NEW TABLE AS written"),
            ("DELETE", "written", "REFERENCING OLD TABLE AS written"),
            ("UPDATE", "changed", "REFERENCING OLD TABLE AS before NEW TABLE AS after"),
            ("TRUNCATE", "truncated", ""),
        ):
            op.execute(
                f"CREATE TRIGGER {table}_{event.lower()} AFTER {event} ON {table} {rows} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION sot_skill_members_{happened}()"
            )
    _function("sot_skill_file_unhashed", "NEW.sha256 := NULL; NEW.size := NULL; RETURN NEW;")
    op.execute(
        "CREATE TRIGGER skill_files_unhashed BEFORE UPDATE OF content ON skill_files FOR EACH ROW "
        "WHEN (NEW.content IS DISTINCT FROM OLD.content AND NEW.sha256 IS NOT DISTINCT FROM OLD.sha256) "
        "EXECUTE FUNCTION sot_skill_file_unhashed()"
    )


def _function(name: str, body: str) -> None:
    returns = "" if "RETURN" in body else " RETURN NULL;"
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}{returns} END $$")


def _listed(columns: str) -> str:
    return ", ".join(columns.split())
