"""What a ledger says never commands the terminal that shows it; ordinary text is shown as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.runtime.visible import visible
from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.security.hostile import OBEYED, TITLES, hostile_ledger
from sot_pipeline_tests.security.terminal import on_terminal
from sot_pipeline_tests.workspaces import Kiln, make_kiln

OWN_STYLES = re.compile(r"\x1b\[[0-9;]*m")
ESCAPING = {"escape sequence", "c1", "right to left", "backspace", "line separators"}
CLI = Path(__file__).parents[2] / "sot_pipeline" / "cli"


@pytest.fixture
def kiln(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Kiln:
    kiln = make_kiln(tmp_path / "kiln", sqlite_url)
    kiln.builds.write_text(hostile_ledger(), newline="")
    monkeypatch.chdir(kiln.folder)
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    return kiln


@pytest.fixture
def sot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


ESCAPES = [f"BUILD-{number}" for number, kind in enumerate(TITLES, start=1) if kind in ESCAPING]
COMMANDS = [
    ["plan", "--db-only"],
    ["sync"],
    ["sync", "--full", "--execute"],
    ["search", "--limit", "50", "click OR alert OR end OR title OR evil OR works"],
    ["search", "--mode", "keyword", "text"],
    *(["show", entry] for entry in ESCAPES),
    ["show", "\x1b[31mBUILD-1"],
    ["status"],
    ["verify"],
    ["ledgers", "refresh"],
]


def test_no_command_lets_a_ledger_command_the_terminal(kiln: Kiln) -> None:
    for command in COMMANDS:
        # The progress bar of a sync moves the cursor; it goes to standard error alone.
        shown = on_terminal(kiln.folder, kiln.environment, *command, errors=command[0] != "sync")

        assert shown, command
        assert [mark for mark in OBEYED if mark in OWN_STYLES.sub("", shown)] == [], command
        assert "\x1b[31mtext" not in shown, command  # what the ledger colours


def test_our_own_styles_reach_a_terminal(kiln: Kiln) -> None:
    assert "\x1b[1mBUILD-1\x1b[0m" in on_terminal(kiln.folder, kiln.environment, "show", "BUILD-1")


def test_styles_do_not_reach_a_file(kiln: Kiln, sot: Command) -> None:
    assert [mark for mark in OBEYED if mark in sot("show", "BUILD-1").out] == []


def test_json_holds_the_text_and_no_command(kiln: Kiln, sot: Command) -> None:
    number = list(TITLES).index("c1") + 1

    answer = sot("show", f"BUILD-{number}", "--json")

    assert TITLES["c1"] in answer.json()["content"]
    assert [mark for mark in OBEYED if mark in answer.out] == []


def test_ordinary_text_is_shown_letter_for_letter(kiln: Kiln, sot: Command) -> None:
    number = list(TITLES).index("letters") + 1

    assert TITLES["letters"] in sot("show", f"BUILD-{number}").out


@given(text=st.text())
def test_nothing_a_terminal_obeys_is_left(text: str) -> None:
    shown = visible(text)

    assert [mark for mark in OBEYED if mark in shown] == []
    assert visible(shown) == shown
    shown.encode()


@given(value=st.recursive(st.text(alphabet=st.characters(codec="utf-8")), st.lists))
def test_json_made_visible_is_the_same_json(value: object) -> None:
    assert json.loads(visible(json.dumps(value, ensure_ascii=False, indent=2))) == value


def test_commands_speak_through_the_one_room_that_makes_text_visible() -> None:
    for module in CLI.glob("*.py"):
        if module.name != "output.py":
            assert not re.search(r"typer\.(style|echo|secho)|\bprint\(|sys\.stdout", module.read_text()), module.name
