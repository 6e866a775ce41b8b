"""`sot.toml`, right and wrong: every error names the file, the line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.config import read_config
from sot_pipeline.errors import EXIT_USAGE, ConfigError

PROJECT = '[[project]]\nid = "kiln"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sot.toml"


def refused(path: Path, content: str | bytes) -> ConfigError:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert str(path) in error.value.message
    assert error.value.remedy
    assert error.value.exit_code == EXIT_USAGE
    return error.value


def test_one_project_is_enough(path: Path) -> None:
    path.write_text(PROJECT)

    config = read_config(path)

    assert [project.id for project in config.project] == ["kiln"]
    assert config.schedules.nightly_full_rebuild == "0 3 * * *"
    assert config.workspace.max_ledger_mib == 64


@pytest.mark.parametrize(("text", "embed"), [("", False), ("embed = true", True), ("embed = false", False)])
def test_code_is_embedded_only_where_somebody_says_so(path: Path, text: str, embed: bool) -> None:
    path.write_text(f"{PROJECT}[project.code]\n{text}\n")

    section = read_config(path).project[0].code

    assert section and section.embed is embed


@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_windows_files_are_read(path: Path, mark: str) -> None:
    path.write_bytes((mark + PROJECT.replace("\n", "\r\n")).encode())

    assert read_config(path).project[0].id == "kiln"


@pytest.mark.parametrize(
    ("text", "line", "key", "remedy"),
    [
        (f'[workspace]\ndatabase_ul = "x"\n{PROJECT}', 2, "workspace.database_ul", "'database_url'"),
        (f"[wrkspace]\n{PROJECT}", 1, "wrkspace", "'workspace'"),
        (f'{PROJECT}readmee = "x"', 3, "project.readmee", "'readme'"),
        (f'{PROJECT}\n[[project]]\nid = "b"\n\nreedme = "x"', 7, "project.reedme", "'readme'"),
        (f'{PROJECT}[[project.ledger]]\nfile_type = "a"\nprefx = "A"', 5, "project.ledger.prefx", "'prefix'"),
        (f'{PROJECT}[project.skills]\npaths = "x"', 4, "project.skills.paths", "'path'"),
        (f"{PROJECT}[project.code]\nembedd = true", 4, "project.code.embedd", "'embed'"),
        (f'{PROJECT}zzz = "x"', 3, "project.zzz", "Known keys here: code, id, ledger"),
        (f'{PROJECT}5 = "x"', 3, "project.5", "Known keys here: code, id, ledger"),
        (f'{PROJECT}[search]\nzzz = "x"', 4, "search.zzz", "Known keys here: semantic_weight."),
        ('[[project]]\nidd = "kiln"', 2, "project.idd", "'id'"),
        # tables of an array are told apart
        (
            f'{PROJECT}[[project.ledger]]\nfile_type = "a"\n[[project.ledger]]\nprefxi = "A"',
            6,
            "project.ledger.prefxi",
            "'prefix'",
        ),
        (
            f'{PROJECT}[[project.ledger]]\nprefix = "A"\nfile_type = "a"\n{PROJECT}[[project.ledger]]\nprefx = "B"',
            9,
            "project.ledger.prefx",
            "'prefix'",
        ),
        # comments, quotes, and ends of lines that are none in TOML
        (f'# a\u2028b\u0085c\n# qdrnt = 1\n[workspace]\n"qdrnt" = "x"\n{PROJECT}', 4, "workspace.qdrnt", "'qdrant'"),
    ],
)
def test_unknown_key_is_named_with_its_line_and_the_nearest_known_one(
    path: Path, text: str, line: int, key: str, remedy: str
) -> None:
    error = refused(path, text)

    assert error.message == f"{path}:{line}: unknown key '{key}'."
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ('[[project]]\nroot = "."\nid = "Not An Id"\n', 3, "project.id"),
        ('[[project]]\nroot = "."\n', 1, "project.id"),
        # a missing key stands in no line: not in that of another project
        ('\n[[project]]\nroot = "."\n[[project]]\nid = "b"\n', 2, "project.id"),
        ('[[project]]\nid = "../up"\n', 2, "project.id"),
        ('[[project]]\nid = "a\\n"\n', 2, "project.id"),
        (f'workspace = "x"\n{PROJECT}', 1, "workspace"),
        (f"{PROJECT}[schedules]\nkeep_runs = 0\n", 4, "schedules.keep_runs"),
        (f"{PROJECT}[search]\nsemantic_weight = nan\n", 4, "search.semantic_weight"),
        (f'{PROJECT}[[project.ledger]]\nfile_type = "a"\nprefix = "A_B"\n', 5, "project.ledger.prefix"),
        (f'{PROJECT}[project.code]\nembed = "yes"\n', 4, "project.code.embed"),
        (f"{PROJECT}[project.code]\nembed = 1\n", 4, "project.code.embed"),
        (f'[workspace]\ndatabase_url = "  "\n{PROJECT}', 2, "workspace.database_url"),
    ],
)
def test_value_that_cannot_be_used_is_named_with_its_line(path: Path, text: str, line: int, key: str) -> None:
    error = refused(path, text)

    assert error.message.startswith(f"{path}:{line}: '{key}': ")


def test_refused_value_is_not_repeated_since_it_may_be_a_secret(path: Path) -> None:
    error = refused(path, f'{PROJECT}[notify]\nwebhook_url = ["https://h/canary"]\n')

    assert "canary" not in str(error)


@pytest.mark.parametrize("text", ["", '[project]\nid = "a"\n', "project = 1\n", "project = []\n"])
def test_file_without_projects_says_so(path: Path, text: str) -> None:
    assert "no [[project]] is defined" in refused(path, text).message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x = " + "[" * 20_000, "nested too deeply"),
        ("x = " + "{a=" * 20_000, "nested too deeply"),
        ("x = " + "1" * 5_000, "not usable TOML"),
        ("a = 1\na = 2\n", "not valid TOML"),
        ("[workspace", "not valid TOML"),
        (b"\xff\xfe\x00binary", "not valid UTF-8 at byte 0"),
        (b"a = '\x00'", "not valid TOML"),
    ],
    ids=["brackets", "tables", "number", "twice", "open", "binary", "nul"],
)
def test_garbage_is_refused_in_plain_words(path: Path, content: str | bytes, said: str) -> None:
    assert said in refused(path, content).message


def test_missing_file_is_named_with_what_to_do(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sot\.toml: cannot be read .*sot init"):
        read_config(path)


@given(content=st.binary(max_size=200) | st.text(alphabet="[]{}=\"'.,#\n ab1\\", max_size=80).map(str.encode))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(PROJECT.encode() + content)

    try:
        config = read_config(path)
    except ConfigError as error:
        assert str(path) in error.message
    else:
        assert config.project[0].id == "kiln"
