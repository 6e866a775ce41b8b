"""docs/skills.md says what the program does: its capture is run, its SQL executed, its tables and numbers compared."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sot_pipeline.skills import files, header
from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.cli.test_sync import sot
from sot_pipeline_tests.cli.workshop import Workshop

__all__ = ["sot"]

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "skills.md").read_text()
SKILL = "field/replace-a-sensor"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def statements(block: str) -> list[str]:
    return [statement for statement in block.split(";") if statement.strip()]


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sot: Command, database_url: str) -> Workshop:
    """The skills of the demo, on both sides."""
    shutil.copytree(REPOSITORY / "sot_pipeline" / "examples" / "demo" / "skills", tmp_path / "demo" / "skills")
    demo = Workshop(tmp_path / "demo", database_url)
    demo.configure("demo")
    monkeypatch.chdir(demo.folder)
    assert sot("skills", "export", "--execute").code == 0
    return demo


def test_the_conflict_runs_as_it_is_shown(demo: Workshop, sot: Command) -> None:
    demo.edit(SKILL, "Below 3.2 V the cell", "Below 3.1 V the cell")
    demo.edit(SKILL, "tags: [field, sensors]", "tags: [field, sensors, cells]")
    edits = next(block for block in blocks("sql") if block.startswith("UPDATE"))
    demo.sql(*statements(edits))
    (capture,) = blocks("console")

    shown, code = "", 0
    for command in re.findall(r"^\$ (.*)$", capture, re.MULTILINE):
        shown += f"$ {command}\n"
        if command == "echo $?":
            shown += f"{code}\n"
            continue
        answer = sot(*command.removeprefix("sot ").split())
        code = answer.code
        shown += answer.out + "".join(re.findall(r"^  try: .*\n", answer.err, re.MULTILINE))

    assert shown == capture
    text = demo.document(SKILL).read_text()
    assert "tags: [field, sensors, cells]\n" in text
    assert "weight: 0.7\n" in text
    assert "Below 3.1 V" in text


def test_the_insert_is_all_that_a_new_skill_needs(demo: Workshop, sot: Command) -> None:
    insert = next(block for block in blocks("sql") if block.startswith("INSERT"))
    demo.sql(*statements(insert))

    answer = sot("skills", "sync", "--execute", "--json")

    assert answer.json()["files"]["created"] == ["field/paint-a-rack"]
    assert demo.document("field/paint-a-rack").read_text() == (
        "---\nname: paint-a-rack\ndescription: Paints a rack.\ntags: [field]\n---\n# Paint a rack"
    )


def test_every_column_is_named(demo: Workshop) -> None:
    if demo.url.startswith("sqlite"):
        found = demo.sql("SELECT m.name, p.name FROM sqlite_master AS m, pragma_table_info(m.name) AS p")
    else:
        found = demo.sql("SELECT table_name, column_name FROM information_schema.columns")
    columns: dict[str, set[str]] = {}
    for table, column in found:
        columns.setdefault(str(table), set()).add(str(column))
    documented = {
        table: set(re.findall(r"`(\w+)`", rest))
        for names, rest in re.findall(r"^\| (`skill.*?) \| (`project_id.*|`id`.*) \|$", PAGE, re.MULTILINE)
        for table in re.findall(r"`(\w+)`", names)
    }

    assert len(documented) == 10
    for table, names in documented.items():
        assert names == columns[table], table
    for table in columns:
        assert not table.startswith("skill_") or f"`{table}`" in PAGE


def test_limits_are_those_of_the_code() -> None:
    assert f"a front matter over {header.MAX_BYTES // 1024} KiB, nested over {header.MAX_DEPTH} deep" in PAGE
    assert f"over {header.MAX_ALIASES} aliases, or over {header.MAX_EXPANDED // 1024} Ki characters" in PAGE
    assert f"a file over {files.MAX_FILE_BYTES // 1024**2} MiB" in PAGE


def test_every_option_is_explained(sot: Command) -> None:
    for command in ("export", "import", "sync", "conflicts", "resolve"):
        options = set(re.findall(r"--[a-z-]+", sot("skills", command, "--help").out)) - {"--help"}
        assert options and all(option in PAGE for option in options)
