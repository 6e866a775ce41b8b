"""Bad input, one by one: a clear message, its exit code, and nothing lost or half-written."""

from __future__ import annotations

import pytest

from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.cli.test_sync import kiln, sot
from sot_pipeline_tests.stubs.openai_server import StubOpenAIServer
from sot_pipeline_tests.workspaces import BUILDS, Kiln

__all__ = ["kiln", "sot"]

DECLARED = '\n[[project.ledger]]\nfile_type = "build_history"\npath = "docs/BUILD_HISTORY.md"\n'


def synced(kiln: Kiln, sot: Command) -> dict[str, str]:
    assert sot("sync", "--full", "--execute").code == 0
    return kiln.rows()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b"\x00\x01binary", "NUL byte"),
        (BUILDS.encode().replace(b"Ramp", b"R\xe4mp"), "not valid UTF-8"),
        (BUILDS.encode("utf-16"), "not valid UTF-8"),
    ],
    ids=["binary", "latin-1", "utf-16"],
)
def test_ledger_that_is_no_text_is_named_with_its_byte_and_keeps_its_rows(
    kiln: Kiln, sot: Command, damage: bytes, words: str
) -> None:
    rows = synced(kiln, sot)
    kiln.builds.write_bytes(damage)

    answer = sot("sync", "--full", "--execute")

    assert answer.code == 1
    assert "docs/BUILD_HISTORY.md" in answer.out
    assert words in answer.out or "NUL byte" in answer.out
    assert "at byte" in answer.out
    assert kiln.rows() == rows


def test_declared_ledger_that_is_missing_is_an_error(kiln: Kiln, sot: Command) -> None:
    kiln.config.write_text(kiln.config.read_text() + DECLARED)
    kiln.builds.unlink()

    answer = sot("sync")

    assert answer.code == 1
    assert "docs/BUILD_HISTORY.md" in answer.out and "missing" in answer.out


def test_default_ledger_that_never_was_is_simply_not_kept(kiln: Kiln, sot: Command) -> None:
    kiln.decisions.unlink()

    answer = sot("sync", "--json")

    assert answer.code == 0
    assert answer.json()["projects"][0]["parsed"] == {"build_history": 3}


def test_ledger_over_the_size_limit_is_refused_and_keeps_its_rows(kiln: Kiln, sot: Command) -> None:
    rows = synced(kiln, sot)
    with kiln.builds.open("r+b") as file:
        file.truncate(64 * 1024 * 1024 + 1)

    answer = sot("sync", "--db-only", "--execute")

    assert answer.code == 1
    assert "larger than 64 MiB" in answer.out and "max_ledger_mib" in answer.out
    assert kiln.rows() == rows


def test_folder_in_place_of_a_ledger_is_an_error(kiln: Kiln, sot: Command) -> None:
    kiln.builds.unlink()
    kiln.builds.mkdir()

    answer = sot("sync")

    assert answer.code == 1
    assert "no regular file" in answer.out


def test_truncated_ledger_parses_and_its_lost_entries_need_permission(kiln: Kiln, sot: Command) -> None:
    rows = "".join(f"| 2026-02-01 | BUILD-{n} | Work | Firing {n} | 1 |\n" for n in range(10, 30))
    kiln.builds.write_text(BUILDS.replace("| 2026-02-01 | BUILD-1 ", f"{rows}| 2026-02-01 | BUILD-1 "))
    before = synced(kiln, sot)
    kiln.builds.write_bytes(kiln.builds.read_bytes()[:600])

    answer = sot("sync", "--full", "--execute")

    assert answer.code == 1
    assert "--allow-mass-delete" in answer.out
    assert kiln.rows() == before


@pytest.mark.parametrize("text", ["", "# Build History\n", "Just prose.\n\n```\nand code\n```\n"])
def test_ledger_without_entries_is_a_warning(kiln: Kiln, sot: Command, text: str) -> None:
    kiln.builds.write_text(text)

    answer = sot("sync")

    assert answer.code == 0
    assert "0 build_history" in answer.out
    assert "[entries_parse] No entry" in answer.out


def test_ledger_without_an_index_has_the_entries_of_its_sections(kiln: Kiln, sot: Command) -> None:
    kiln.builds.write_text("# B\n\n" + BUILDS[BUILDS.index("## BUILDS") :])

    answer = sot("sync")

    assert answer.code == 0
    assert "2 build_history" in answer.out
    assert "There is no '## INDEX' heading" in answer.out


def test_ledger_without_sections_has_the_entries_of_its_index(kiln: Kiln, sot: Command) -> None:
    kiln.builds.write_text(BUILDS[: BUILDS.index("## BUILDS")])

    answer = sot("sync", "--json")

    assert answer.code == 0
    assert answer.json()["projects"][0]["parsed"]["build_history"] == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('databse_url = "x"', "Did you mean 'database_url'?"),
        ('database_url = "mysql://host/name"', "neither SQLite nor PostgreSQL"),
        ('database_url = "sqlite://"', "names no file"),
        ('database_url = "postgresql://"', "names no host or database"),
        ('qdrant = "ftp://host"', "no http(s) URL"),
        ('qdrant = "http://:99999"', "no http(s) URL"),
        ('embedding = "cohere:large"', "openai:text-embedding-3-small"),
        ("max_ledger_mib = 0", "max_ledger_mib"),
        ("[[[", "not valid TOML"),
    ],
)
def test_wrong_configuration_is_exit_2_and_names_the_remedy(kiln: Kiln, sot: Command, line: str, words: str) -> None:
    kiln.config.write_text(f'[workspace]\n{line}\n\n[[project]]\nid = "kiln"\n')

    answer = sot("sync")

    assert answer.code == 2
    assert words in answer.err
    assert not (kiln.folder / "sot.db").exists()


def test_root_outside_or_missing_is_exit_2(kiln: Kiln, sot: Command) -> None:
    kiln.config.write_text('[[project]]\nid = "kiln"\nroot = "nowhere"\n')
    assert "no folder" in sot("sync").err

    kiln.config.write_text('[[project]]\nid = "kiln"\nreadme = "../README.md"\n')
    answer = sot("sync")
    assert (answer.code, "leads out of its root" in answer.err) == (2, True)


def test_postgres_scheme_is_understood(kiln: Kiln, sot: Command) -> None:
    answer = sot("sync", "--db-only", "--execute", "--database-url", "postgres://u:pw@127.0.0.1:9/db")

    assert answer.code == 2
    assert "postgresql+psycopg://u:***@127.0.0.1:9/db" in answer.err


def test_file_that_is_no_database_is_exit_2(kiln: Kiln, sot: Command) -> None:
    (kiln.folder / "sot.db").write_text("not a database, whatever its name says" * 50)

    answer = sot("sync", "--db-only", "--execute")

    assert answer.code == 2
    assert "no SQLite database" in answer.err


def test_full_with_a_qdrant_that_refuses_is_exit_4_before_the_first_write(kiln: Kiln, sot: Command) -> None:
    answer = sot("sync", "--full", "--execute", "--qdrant-host", "http://127.0.0.1:9")

    assert answer.code == 4
    assert "127.0.0.1:9" in answer.err
    assert not (kiln.folder / "sot.db").exists()


def test_model_without_its_key_is_exit_4_before_the_first_write(
    kiln: Kiln, sot: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_MODEL", "text-embedding-3-small")

    answer = sot("sync", "--full", "--execute")

    assert answer.code == 4
    assert "OPENAI_API_KEY" in answer.err
    assert not (kiln.folder / "sot.db").exists()


def test_vectors_of_the_wrong_dimension_are_exit_4_and_the_points_stay(
    kiln: Kiln, sot: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StubOpenAIServer(dimension=24) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("EMBEDDING_MODEL", "text-embedding-3-small")

        answer = sot("sync", "--full", "--execute")

    assert answer.code == 4
    assert "24" in answer.err and "1536" in answer.err
    assert kiln.rows()  # the database was first and is in order
