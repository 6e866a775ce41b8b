"""What a run knows: flags before environment before file before defaults, and no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.errors import EXIT_USAGE, ConfigError, UsageError
from sot_pipeline.redact import redact
from sot_pipeline.workspace import Overrides, Workspace, find_config, load_workspace

PROJECT = '[[project]]\nid = "kiln"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def load(
    folder: Path, text: str = PROJECT, *, env: dict[str, str] | None = None, flags: Overrides | None = None
) -> Workspace:
    (folder / "sot.toml").write_text(text)
    return load_workspace(folder / "sot.toml", env=env or {}, overrides=flags)


def refused(folder: Path, text: str = PROJECT, **sources: Overrides | dict[str, str] | None) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        load(folder, text, **sources)  # type: ignore[arg-type]  # the keywords of load
    assert error.value.exit_code == EXIT_USAGE
    assert error.value.remedy
    return error.value


# Precedence


def test_database_url_of_flag_environment_file_and_default_in_that_order(folder: Path) -> None:
    file = f'[workspace]\ndatabase_url = "sqlite:///file.db"\n{PROJECT}'
    env = {"DATABASE_URL": "sqlite:///env.db"}
    flag = Overrides(database_url="sqlite:///flag.db")

    found = [
        load(folder, file, env=env, flags=flag).database_url,
        load(folder, file, env=env).database_url,
        load(folder, file).database_url,
        load(folder).database_url,
    ]

    assert found == [f"sqlite:///{folder}/{name}.db" for name in ("flag", "env", "file", "sot")]


def test_qdrant_of_flag_environment_file_and_default_in_that_order(folder: Path) -> None:
    file = f'[workspace]\nqdrant = "file"\n{PROJECT}'
    env = {"QDRANT_HOST": "env"}

    found = [
        load(folder, file, env=env, flags=Overrides(qdrant="flag")).qdrant,
        load(folder, file, env=env).qdrant,
        load(folder, file).qdrant,
        load(folder).qdrant,
    ]

    assert [target and target.path for target in found] == [folder / "flag", folder / "env", folder / "file", None]


def test_embedding_of_flag_environment_file_and_default_in_that_order(folder: Path) -> None:
    file = f'[workspace]\nembedding = "openai:file"\n{PROJECT}'
    env = {"EMBEDDING_MODEL": "env"}

    found = [
        load(folder, file, env=env, flags=Overrides(embedding="flag")).embedding,
        load(folder, file, env=env).embedding,
        load(folder, file).embedding,
        load(folder).embedding,
    ]

    assert [choice.model for choice in found] == ["flag", "env", "file", "wordllama-256"]


def test_empty_environment_variables_count_as_unset(folder: Path) -> None:
    env = dict.fromkeys(("DATABASE_URL", "QDRANT_HOST", "EMBEDDING_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL"), "")

    workspace = load(folder, env=env)

    assert workspace == load(folder)


def test_configuration_file_of_argument_environment_and_folder_in_that_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("argument", "environment", "here"):
        (folder / name).mkdir()
        (folder / name / "sot.toml").write_text(PROJECT)
    monkeypatch.chdir(folder / "here")
    env = {"SOT_CONFIG": str(folder / "environment" / "sot.toml")}

    found = [
        load_workspace(folder / "argument" / "sot.toml", env=env),
        load_workspace(env=env),
        load_workspace(env={}),
    ]

    assert [workspace.folder.name for workspace in found] == ["argument", "environment", "here"]


def test_configuration_is_found_above_the_current_folder(folder: Path) -> None:
    (folder / "sot.toml").write_text(PROJECT)
    (folder / "a" / "b").mkdir(parents=True)

    assert find_config(folder / "a" / "b") == folder / "sot.toml"


def test_no_configuration_anywhere_says_how_to_make_one(folder: Path) -> None:
    with pytest.raises(ConfigError, match="sot init"):
        find_config(folder)


# Targets


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_is_psycopg_3(folder: Path, scheme: str) -> None:
    workspace = load(folder, flags=Overrides(database_url=f"{scheme}://user:p%40ss@host:5432/name?sslmode=require"))

    assert workspace.database_url == "postgresql+psycopg://user:p%40ss@host:5432/name?sslmode=require"


def test_absolute_sqlite_path_stays_absolute(folder: Path) -> None:
    assert load(folder, flags=Overrides(database_url="sqlite:////srv/sot.db")).database_url == "sqlite:////srv/sot.db"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:canary@host/db",
        "user:canary@host/db",
        "postgresql:///",
        "postgres://",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sot.db",
        "sqlite:///\0",
        "postgres:/user:canary@host/db",
        "host=h user=u password=canary dbname=d",
        "host=h password='a canary' dbname=d",
    ],
)
def test_database_url_that_cannot_be_meant_is_refused_without_its_password(folder: Path, url: str) -> None:
    error = refused(folder, flags=Overrides(database_url=url))

    assert "canary" not in str(error)


@pytest.mark.parametrize("value", ["disabled", "none", "OFF"])
def test_qdrant_can_be_switched_off_for_a_run(folder: Path, value: str) -> None:
    file = f'[workspace]\nqdrant = ".sot/qdrant"\n{PROJECT}'

    assert load(folder, file, flags=Overrides(qdrant=value)).qdrant is None


def test_qdrant_server_gets_its_key_from_the_environment(folder: Path) -> None:
    qdrant = load(folder, env={"QDRANT_HOST": "https://q.example:6333", "QDRANT_API_KEY": "canary"}).qdrant

    assert qdrant
    assert qdrant.url == "https://q.example:6333"
    assert qdrant.api_key
    assert qdrant.api_key.get_secret_value() == "canary"
    assert "canary" not in f"{qdrant} {qdrant!r}"


@pytest.mark.parametrize(
    "value",
    [
        "ftp://h",
        "http://",
        "http://h:99999",
        "http://[::1",
        "grpc://u:canary@h",
        "a\0b",
        "localhost:6333",
        "10.0.0.7:6333/",
        "u:canary@h:1",
    ],
)
def test_qdrant_address_that_cannot_be_meant_is_refused_without_its_password(folder: Path, value: str) -> None:
    error = refused(folder, flags=Overrides(qdrant=value))

    assert "canary" not in str(error)


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({}, "local:wordllama-256 (no OPENAI_API_KEY, so the local embedder is used)"),
        ({"OPENAI_API_KEY": "canary"}, "openai:text-embedding-3-small"),
        (
            {"OPENAI_BASE_URL": "http://u:canary@127.0.0.1:1/v1"},
            "openai:text-embedding-3-small at http://u:***@127.0.0.1:1/v1",
        ),
        ({"OPENAI_API_KEY": "canary", "EMBEDDING_MODEL": "local"}, "local:wordllama-256"),
        ({"EMBEDDING_MODEL": "openai:text-embedding-3-large"}, "openai:text-embedding-3-large"),
        ({"EMBEDDING_MODEL": "openai:nomic-embed-text:v1.5"}, "openai:nomic-embed-text:v1.5"),
    ],
)
def test_embedder_follows_from_what_is_there(folder: Path, env: dict[str, str], shown: str) -> None:
    assert load(folder, env=env).targets["embedding"] == shown


@pytest.mark.parametrize("name", ["voyage:large", "openai:", "a:b:c", ":x"])
def test_unknown_embedder_is_refused(folder: Path, name: str) -> None:
    assert name in refused(folder, flags=Overrides(embedding=name)).message


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://h/v1", "http://", "http://h:x/v1", "//u:canary@h"])
def test_base_url_that_cannot_be_meant_is_refused_without_its_password(folder: Path, url: str) -> None:
    error = refused(folder, env={"OPENAI_BASE_URL": url})

    assert "OPENAI_BASE_URL" in error.message
    assert "canary" not in str(error)


def test_keys_read_from_files_lose_their_line_end(folder: Path) -> None:
    env = {"OPENAI_API_KEY": "one\n", "QDRANT_API_KEY": "two\n", "QDRANT_HOST": "http://q:6333"}

    workspace = load(folder, env=env)

    assert workspace.embedding.api_key
    assert workspace.embedding.api_key.get_secret_value() == "one"
    assert workspace.qdrant
    assert workspace.qdrant.api_key
    assert workspace.qdrant.api_key.get_secret_value() == "two"


def test_dimension_of_the_file_reaches_the_embedder(folder: Path) -> None:
    assert load(folder, f"[workspace]\nembedding_dimension = 512\n{PROJECT}").embedding.dimension == 512


# Secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:canary@host/db", "postgresql://user:***@host/db"),
        ("postgresql://user:c@n/a?r#y:@host:5432/db", "postgresql://user:***@host:5432/db"),
        ("postgresql://user:can\nary@host/db", "postgresql://user:***@host/db"),
        ("postgresql://:canary@host/db", "postgresql://:***@host/db"),
        ("postgresql://us/er:canary@host/db", "postgresql://us/er:***@host/db"),
        ("user:canary@host", "user:***@host"),
        ("postgresql://host/db?password=canary&sslmode=require", "postgresql://host/db?password=***&sslmode=require"),
        ("https://host?API_KEY=canary", "https://host?API_KEY=***"),
        ("https://host/?api-key=canary", "https://host/?api-key=***"),
        ("https://host/?access_token=canary&a=b", "https://host/?access_token=***&a=b"),
        ("postgresql://host:5432/db?password=can@a:r/y&x=1", "postgresql://host:5432/db?password=***&x=1"),
        ("postgresql://host/db?sslpassword=canary#x", "postgresql://host/db?sslpassword=***"),
        ("host=h password=canary dbname=d", "host=h password=*** dbname=d"),
        ("password = 'a canary' dbname=d", "password = *** dbname=d"),
        ("postgresql://user@host:5432/db", "postgresql://user@host:5432/db"),
        ("http://host:6333/path", "http://host:6333/path"),
        ("sqlite:////srv/sot.db", "sqlite:////srv/sot.db"),
    ],
)
def test_redaction_hides_the_password_and_nothing_else(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(password=st.text(min_size=1, max_size=20))
def test_redaction_hides_any_password(password: str) -> None:
    assert redact(f"postgresql://user:{password}@host:5432/db") == "postgresql://user:***@host:5432/db"


def test_no_secret_is_in_targets_or_repr(folder: Path) -> None:
    env = {
        "DATABASE_URL": "postgresql://user:canary@host/db",
        "QDRANT_HOST": "http://user:canary@host:6333",
        "QDRANT_API_KEY": "canary",
        "OPENAI_API_KEY": "canary",
        "OPENAI_BASE_URL": "http://user:canary@host/v1",
    }

    workspace = load(folder, f'{PROJECT}[notify]\nwebhook_url = "https://h/canary"\n', env=env)

    assert "canary" not in f"{workspace.targets} {workspace} {workspace!r}"
    assert workspace.targets["database"] == "postgresql+psycopg://user:***@host/db"


# Projects


def test_default_ledgers_and_declared_ones(folder: Path) -> None:
    text = f'{PROJECT}[[project.ledger]]\nfile_type = "runbooks"\npath = "ops/RUNBOOKS.md"\nprefix = "RUN"\n'

    ledgers = load(folder, text).project("kiln").ledgers

    assert {ledger.file_type: (ledger.path, ledger.prefix, ledger.declared) for ledger in ledgers} == {
        "build_history": ("docs/BUILD_HISTORY.md", "BUILD", False),
        "architecture_decisions": ("docs/ARCHITECTURE_DECISIONS.md", "DEC", False),
        "debug_log": ("docs/DEBUG_LOG.md", "DBG", False),
        "runbooks": ("ops/RUNBOOKS.md", "RUN", True),
    }


def test_default_ledger_can_be_moved(folder: Path) -> None:
    text = f'{PROJECT}[[project.ledger]]\nfile_type = "debug_log"\npath = "LOG.md"\n'

    moved = [ledger for ledger in load(folder, text).project("kiln").ledgers if ledger.file_type == "debug_log"]

    assert [(ledger.path, ledger.prefix, ledger.declared) for ledger in moved] == [("LOG.md", "DBG", True)]


@pytest.mark.parametrize("missing", ["path", "prefix"])
def test_ledger_of_our_own_needs_path_and_prefix(folder: Path, missing: str) -> None:
    keys = {"path": 'path = "x.md"\n', "prefix": 'prefix = "X"\n'}
    keys.pop(missing)

    error = refused(folder, f'{PROJECT}[[project.ledger]]\nfile_type = "own"\n{"".join(keys.values())}')

    assert f"has no {missing}" in error.message


def test_two_projects_of_one_id_are_refused(folder: Path) -> None:
    assert "'kiln' is defined twice" in refused(folder, PROJECT + PROJECT).message


def test_two_ledgers_of_one_type_are_refused(folder: Path) -> None:
    ledger = '[[project.ledger]]\nfile_type = "debug_log"\n'

    assert "declares the ledger 'debug_log' twice" in refused(folder, PROJECT + ledger + ledger).message


def test_root_that_is_no_folder_is_refused(folder: Path) -> None:
    for root in ("missing", "sot.toml", "x" * 5_000):
        assert "is no folder" in refused(folder, f'{PROJECT}root = "{root}"\n').message


@pytest.mark.parametrize(
    "key",
    [
        "readme = ",
        '[[project.ledger]]\nfile_type = "debug_log"\npath = ',
        "[project.skills]\npath = ",
        "[project.links]\ndocs_root = ",
    ],
)
@pytest.mark.parametrize("escape", ["../outside.md", "/etc/passwd", "docs/../../x.md", "link/x.md"])
def test_file_outside_the_root_is_refused(folder: Path, key: str, escape: str) -> None:
    (folder / "inside").mkdir()
    (folder / "inside" / "link").symlink_to(folder)

    error = refused(folder, f'{PROJECT}root = "inside"\n{key}"{escape}"\n')

    assert "leads out of its root" in error.message


def test_link_that_stays_inside_the_root_is_fine(folder: Path) -> None:
    (folder / "docs").mkdir()
    (folder / "link").symlink_to(folder / "docs")

    assert load(folder, f'{PROJECT}readme = "link/README.md"\n').project("kiln").readme == "link/README.md"


@pytest.mark.parametrize(
    "text",
    [
        f'{PROJECT}root = "loop"\n',
        f'{PROJECT}readme = "loop"\n',
        f'{PROJECT}readme = "a\\u0000b"\n',
        f'[workspace]\nqdrant = "loop/x"\n{PROJECT}',
        f'[workspace]\ndatabase_url = "sqlite:///loop/x"\n{PROJECT}',
    ],
)
def test_path_that_cannot_be_followed_is_a_config_error(folder: Path, text: str) -> None:
    (folder / "loop").symlink_to(folder / "loop")

    assert "cannot be followed" in refused(folder, text).message


def test_configuration_file_that_links_to_itself_is_a_config_error(folder: Path) -> None:
    (folder / "loop.toml").symlink_to(folder / "loop.toml")

    with pytest.raises(ConfigError, match="Configuration file cannot be followed"):
        load_workspace(folder / "loop.toml", env={})


def test_selection_keeps_the_order_of_the_file_and_refuses_unknown_ids(folder: Path) -> None:
    workspace = load(folder, "".join(f'[[project]]\nid = "{name}"\n' for name in ("a", "b", "c")))

    assert [project.id for project in workspace.select(("c", "a"))] == ["a", "c"]
    assert [project.id for project in workspace.select()] == ["a", "b", "c"]
    with pytest.raises(UsageError, match=r"Unknown project 'x'\. .*a, b, c"):
        workspace.select(("a", "x"))
