"""`sot search` as a person or a program calls it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sot_pipeline.outcome import Mode
from sot_pipeline_tests.cli.command import Command
from sot_pipeline_tests.search.workspaces import BUILDS, Desk
from sot_pipeline_tests.skill_workspaces import Guild, make_guild


@pytest.fixture
def sot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    for name in ("DATABASE_URL", "QDRANT_HOST", "OPENAI_API_KEY", "OPENAI_BASE_URL", "EMBEDDING_MODEL", "SOT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return Command(monkeypatch, capsys)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A synced workspace without vectors as current folder."""
    folder = tmp_path / "desk"
    folder.mkdir()
    desk = Desk(folder, f"sqlite:///{folder / 'sot.db'}")
    desk.sync()
    monkeypatch.chdir(folder)
    return desk


def test_a_person_sees_id_place_score_title_and_a_snippet(desk: Desk, sot: Command) -> None:
    answer = sot("search", "BM25", "--mode", "keyword")

    assert answer.code == 0
    assert answer.out.splitlines() == [
        "BUILD-2  docs/BUILD_HISTORY.md:13  1.00  Keyword ranking",
        (
            "    Problem: readers could not find an entry by its words. "
            "Solution: rank with BM25 over chunks, see the notes."
        ),
    ]
    assert answer.err == ""


def test_the_document_has_the_keys_of_the_contract_and_stands_alone_on_stdout(desk: Desk, sot: Command) -> None:
    answer = sot("search", "BM25", "--json")

    document = answer.json()
    assert list(document) == ["fresh", "behind", "results"]
    assert list(document["results"][0]) == [
        *("project_id", "file_type", "entry_id", "title", "path", "line", "score", "snippet", "fresh"),
    ]
    assert "Qdrant is not configured" in answer.err


def test_words_without_quotes_are_one_query(desk: Desk, sot: Command) -> None:
    assert sot("search", "BM25", "chunks", "--json").json() == sot("search", "BM25 chunks", "--json").json()


def test_a_query_after_two_dashes_may_begin_with_one(desk: Desk, sot: Command) -> None:
    answer = sot("search", "--json", "--", "--json -BM25 (x:*")

    assert [hit["entry_id"] for hit in answer.json()["results"]] == ["BUILD-2"]


@pytest.mark.parametrize("query", [(), ("",), ("   ",)])
def test_an_empty_query_is_a_usage_error(desk: Desk, sot: Command, query: tuple[str, ...]) -> None:
    answer = sot("search", *query)

    assert (answer.code, answer.out) == (2, "")
    assert "empty" in answer.err


def test_nothing_found_is_said_with_the_targets_that_were_asked(desk: Desk, sot: Command) -> None:
    answer = sot("search", "zeppelin")

    assert (answer.code, answer.out) == (0, "Nothing found.\n")
    assert "sot.db" in answer.err


def test_an_answer_that_lags_names_the_file_and_the_command_that_mends_it(desk: Desk, sot: Command) -> None:
    desk.edit(desk.builds, "over chunks", "over pages")

    answer = sot("search", "BM25")

    assert answer.code == 0
    assert answer.out.splitlines()[0].endswith("stale")
    assert "behind: docs/BUILD_HISTORY.md moved on since the last sync." in answer.err
    assert "sot sync --db-only --execute" in answer.err


def test_what_was_never_synced_says_how_to_sync_it(desk: Desk, sot: Command) -> None:
    answer = sot("search", "BM25", "--database-url", "sqlite:///other.db", "--json")

    assert answer.code == 0
    assert answer.json() == {
        "fresh": False,
        "behind": ["docs/BUILD_HISTORY.md", "docs/ARCHITECTURE_DECISIONS.md"],
        "results": [],
    }
    assert not (desk.folder / "other.db").exists()


def test_refresh_syncs_before_it_answers(desk: Desk, sot: Command) -> None:
    desk.edit(desk.builds, "over chunks", "over pages")

    answer = sot("search", "pages", "--refresh", "--json").json()

    assert answer["fresh"]
    assert [hit["entry_id"] for hit in answer["results"]] == ["BUILD-2"]


def test_refresh_says_what_it_could_not_sync(desk: Desk, sot: Command) -> None:
    desk.builds.write_bytes(b"\xff")

    answer = sot("search", "BM25", "--refresh", "--json")

    assert answer.json()["behind"] == ["docs/BUILD_HISTORY.md"]
    assert "error: docs/BUILD_HISTORY.md" in answer.err


def test_refresh_covers_the_points_that_the_mode_asks(tmp_path: Path, sot: Command) -> None:
    folder = tmp_path / "points"
    folder.mkdir()
    desk = Desk(folder, f"sqlite:///{folder / 'sot.db'}", vectors=True)
    config = ("--config", str(folder / "sot.toml"))
    desk.sync(Mode.FULL)
    desk.edit(desk.builds, "over chunks", "over pages")

    assert not sot("search", "pages", *config, "--mode", "semantic", "--json").json()["fresh"]
    assert sot("search", "pages", *config, "--mode", "semantic", "--refresh", "--json").json()["fresh"]
    assert sot("search", "pages", *config, "--json").json()["fresh"]


def test_a_semantic_search_without_qdrant_exits_4(desk: Desk, sot: Command) -> None:
    answer = sot("search", "BM25", "--mode", "semantic", "--json")

    assert answer.code == 4
    assert answer.json()["exit_code"] == 4
    assert "--mode keyword" in answer.json()["remedy"]


def test_an_unreachable_database_exits_2(desk: Desk, sot: Command) -> None:
    answer = sot("search", "BM25", "--database-url", "postgresql://nobody@127.0.0.1:9/none")

    assert answer.code == 2
    assert "error:" in answer.err


def test_type_limit_and_project_narrow_the_answer(desk: Desk, sot: Command) -> None:
    def found(*flags: str) -> list[str]:
        return [hit["entry_id"] for hit in sot("search", "ranking", "--json", *flags).json()["results"]]

    assert found() == ["BUILD-2", "DEC-1"]
    assert found("--limit", "1") == ["BUILD-2"]
    assert found("--type", "architecture_decisions") == ["DEC-1"]
    assert found("--project", "atlas") == ["BUILD-2", "DEC-1"]
    assert sot("search", "ranking", "--project", "nowhere").code == 2


def test_several_projects_are_told_apart(desk: Desk, sot: Command) -> None:
    other = desk.folder / "other" / "docs"
    other.mkdir(parents=True)
    (other / "BUILD_HISTORY.md").write_text(BUILDS)
    config = desk.folder / "sot.toml"
    config.write_text(config.read_text() + '[[project]]\nid = "borealis"\nroot = "other"\n')

    answer = sot("search", "BM25")

    assert answer.out.startswith("atlas  BUILD-2  docs/BUILD_HISTORY.md:13")
    assert "behind: borealis:docs/BUILD_HISTORY.md moved on" in answer.err


def test_a_batch_answers_line_by_line(desk: Desk, sot: Command) -> None:
    Path("queries.txt").write_text("BM25\nleases -- taken:over (\nzeppelin\n")

    answer = sot("search", "--batch", "queries.txt", "--limit", "1")

    documents = [json.loads(line) for line in answer.out.splitlines()]
    assert [[hit["entry_id"] for hit in document["results"]] for document in documents] == [
        ["BUILD-2"],
        ["BUILD-3"],
        [],
    ]
    assert documents[0] == sot("search", "BM25", "--limit", "1", "--json").json()


def test_a_batch_may_come_from_stdin(desk: Desk, sot: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("BM25\nskeleton"))

    assert len(sot("search", "--batch", "-").out.splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"BM25\n\nskeleton\n", "queries.txt:2: no query"),
        (b"\xff", "queries.txt: cannot be read"),
        (b"", ":1: no query"),
    ],
)
def test_a_batch_that_cannot_be_answered_says_where(desk: Desk, sot: Command, content: bytes, message: str) -> None:
    Path("queries.txt").write_bytes(content)

    answer = sot("search", "--batch", "queries.txt")

    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_a_batch_takes_no_query_beside_it(desk: Desk, sot: Command) -> None:
    assert sot("search", "BM25", "--batch", "queries.txt").code == 2


HEAVY = ["alembic", "dagster", "numpy", "openai", "psycopg", "qdrant_client", "qdrant_edge", "rich", "sqlalchemy"]


def test_a_keyword_search_loads_nothing_heavy(desk: Desk) -> None:
    script = (
        "import sys; sys.argv = ['sot', 'search', 'BM25', '--mode', 'keyword']\n"
        "from sot_pipeline.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        f"heavy = set({HEAVY!r})\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=desk.folder)

    assert done.stdout.splitlines()[0].startswith("BUILD-2")
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def guild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guild:
    """Synced skills without vectors as current folder."""
    folder = tmp_path / "guild"
    guild = make_guild(folder, f"sqlite:///{folder / 'sot.db'}")
    guild.sync()
    monkeypatch.chdir(folder)
    return guild


def test_skills_are_found_by_type_one_query_or_many(guild: Guild, sot: Command, tmp_path: Path) -> None:
    (tmp_path / "queries").write_text("straw\nceladon\n")

    one = sot("search", "straw", "--type", "skill", "--mode", "keyword")
    many = sot("search", "--type", "skill", "--mode", "keyword", "--batch", str(tmp_path / "queries"))

    assert one.out.startswith("pack  skills/pack/SKILL.md:1  1.00  pack\n")
    assert one.err == ""
    found = [json.loads(line)["results"][0]["entry_id"] for line in many.out.splitlines()]
    assert found == ["pack", "craft/glaze"]


def test_skills_that_lag_are_told_with_the_command_that_mends_it_and_refreshed(guild: Guild, sot: Command) -> None:
    guild.edit("pack/SKILL.md", "Straw", "Wool")

    stale = sot("search", "pots", "--type", "skill", "--mode", "keyword")
    fresh = sot("search", "wool", "--type", "skill", "--mode", "keyword", "--refresh", "--json")

    assert "behind: skills/pack/SKILL.md" in stale.err
    assert "try: sot skills sync --execute" in stale.err
    assert fresh.json()["fresh"] is True
    assert fresh.json()["results"][0]["entry_id"] == "pack"


def test_a_refresh_names_skills_that_cannot_be_read_as_problems(guild: Guild, sot: Command) -> None:
    guild.write({"pack/SKILL.md": "---\nname: [\n"})

    answer = sot("search", "straw", "--type", "skill", "--mode", "keyword", "--refresh", "--json")

    assert (answer.json()["fresh"], answer.json()["behind"]) == (False, ["skills/pack/SKILL.md"])
    assert "error: pack line 1" in answer.err
