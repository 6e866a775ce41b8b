from __future__ import annotations

import re

import pytest

from sot_pipeline.errors import UsageError, VectorStoreUnavailable
from sot_pipeline.outcome import Mode
from sot_pipeline.search.answer import SearchMode, answer_document
from sot_pipeline.search.search import QUERIES_AT_A_TIME, open_search
from sot_pipeline_tests.search.workspaces import Desk, ids, soon


def test_a_keyword_search_says_what_and_where(desk: Desk) -> None:
    desk.sync()

    answer = desk.search("ranking")

    assert answer_document(answer) == {
        "fresh": True,
        "behind": [],
        "results": [
            {
                "project_id": "atlas",
                "file_type": "build_history",
                "entry_id": "BUILD-2",
                "title": "Keyword ranking",
                "path": "docs/BUILD_HISTORY.md",
                "line": 13,
                "score": 1.0,
                "snippet": answer.results[0].snippet,
                "fresh": True,
            },
            {
                "project_id": "atlas",
                "file_type": "architecture_decisions",
                "entry_id": "DEC-1",
                "title": "SQLite is the default database",
                "path": "docs/ARCHITECTURE_DECISIONS.md",
                "line": 5,
                "score": answer.results[1].score,
                "snippet": answer.results[1].snippet,
                "fresh": True,
            },
        ],
    }
    assert 0 < answer.results[1].score < 1
    assert "a ranking by words" in answer.results[1].snippet


def test_an_entry_of_the_index_alone_has_the_line_of_its_row(desk: Desk) -> None:
    desk.sync()

    hit = desk.search("leases taken over").results[0]

    assert (hit.key.entry_id, hit.line) == ("BUILD-3", 7)


def test_lines_are_those_of_the_file_as_it_is_now(desk: Desk) -> None:
    desk.sync()
    desk.builds.write_text("# A line more\n\n" + desk.builds.read_text())

    hit = desk.search("BM25").results[0]

    assert (hit.line, hit.fresh) == (15, True)


def test_lines_of_a_file_with_other_line_ends_are_the_same(desk: Desk) -> None:
    desk.builds.write_bytes(b"\xef\xbb\xbf" + desk.builds.read_bytes().replace(b"\n", b"\r\n"))
    desk.sync()

    assert [desk.search(query).results[0].line for query in ("BM25", "leases")] == [13, 7]


def test_an_id_finds_its_entry_first(desk: Desk) -> None:
    desk.sync()

    assert ids(desk.search("build-1 ranking words database"))[0] == "BUILD-1"


def test_a_type_narrows_the_search(desk: Desk) -> None:
    desk.sync()

    assert ids(desk.search("ranking", file_types=("architecture_decisions",))) == ["DEC-1"]


def test_an_unknown_type_is_an_error_that_names_the_known_ones(desk: Desk) -> None:
    with pytest.raises(UsageError, match="build_history, architecture_decisions, debug_log"):
        desk.search("ranking", file_types=("novels",))


def test_the_limit_is_kept(desk: Desk) -> None:
    desk.sync()

    assert ids(desk.search("ranking", limit=1)) == ["BUILD-2"]


def test_an_empty_query_is_an_error(desk: Desk) -> None:
    with pytest.raises(UsageError, match="empty"):
        desk.search("  \t")


HOSTILE = [
    '"',
    '"unclosed',
    "-",
    "--execute",
    "*",
    "rank*",
    ":",
    "title:ranking",
    "(",
    "(ranking",
    ")",
    "NEAR",
    "NEAR(ranking words, 2)",
    "ranking AND",
    "NOT OR AND",
    "^ranking",
    "{title}:",
    "ranking + words",
    "'; DROP TABLE sot_entries; --",
    "%s ? $1 :name @x",
    "🎉",
    "👩\u200d👩\u200d👧",
    "\x00ranking",
    "\ud800ranking",
    "\\",
    "&& || ! <-> ranking:*",
    "ranking " * 1_250,
    " ".join(f"word{number}" for number in range(1_200)),
]


def test_everything_in_a_query_is_text(desk: Desk) -> None:
    desk.sync()
    plain = [" ".join(re.findall(r"[^\W_]+", query)) for query in HOSTILE]

    found = {query: ids(answer) for query, answer in zip(HOSTILE, desk.search_all(HOSTILE), strict=True)}

    assert found == {
        query: ids(desk.search(words)) if words else [] for query, words in zip(HOSTILE, plain, strict=True)
    }
    assert found["^ranking"] == found["\x00ranking"] == found["\ud800ranking"] == ["BUILD-2", "DEC-1"]


def test_everything_in_a_query_has_a_meaning(vector_desk: Desk) -> None:
    vector_desk.sync(Mode.FULL)

    for answer in vector_desk.search_all(HOSTILE, SearchMode.HYBRID):
        assert sorted(ids(answer)) == ["BUILD-1", "BUILD-2", "BUILD-3", "DEC-1"]
        assert answer.fresh


def test_a_semantic_search_needs_no_common_word(vector_desk: Desk) -> None:
    vector_desk.sync(Mode.FULL)

    answer = vector_desk.search("mutual exclusion timeouts", SearchMode.SEMANTIC)

    assert ids(answer)[0] == "BUILD-3"
    assert all(-1 <= hit.score <= 1 for hit in answer.results)
    assert answer.fresh


def test_a_hybrid_search_gives_each_entry_once(vector_desk: Desk) -> None:
    vector_desk.edit(
        vector_desk.builds,
        "Nothing is embedded yet.",
        "".join(f"\n#### Part {n}\n\n{'ranking ' * 200}\n" for n in range(9)),
    )
    vector_desk.sync(Mode.FULL)

    for mode in SearchMode:
        found = ids(vector_desk.search("ranking by words", mode))

        assert "BUILD-1" in found
        assert len(found) == len(set(found))


def test_a_hybrid_search_without_vectors_is_one_by_keyword_and_says_so(desk: Desk) -> None:
    desk.sync()
    workspace = desk.workspace

    with open_search(workspace, workspace.projects, mode=SearchMode.HYBRID, deadline=soon()) as searching:
        answer = next(searching.answers(["ranking"]))

    assert ids(answer) == ["BUILD-2", "DEC-1"]
    assert [note for note in searching.notes if "Qdrant is not configured" in note]


def test_a_semantic_search_without_vectors_is_an_error_with_exit_code_4(desk: Desk) -> None:
    with pytest.raises(VectorStoreUnavailable, match="--mode keyword") as error:
        desk.search("ranking", SearchMode.SEMANTIC)

    assert error.value.exit_code == 4


def test_the_weight_of_meaning_is_a_setting(vector_desk: Desk) -> None:
    vector_desk.sync(Mode.FULL)
    config = vector_desk.folder / "sot.toml"
    query = "mutual exclusion timeouts database"
    by_words = ids(vector_desk.search(query, SearchMode.KEYWORD))

    config.write_text("[search]\nsemantic_weight = 0.0\n" + config.read_text())
    without = ids(vector_desk.search(query, SearchMode.HYBRID))
    config.write_text(config.read_text().replace("0.0", "1.0"))
    alone = ids(vector_desk.search(query, SearchMode.HYBRID))

    assert without[: len(by_words)] == by_words == ["DEC-1"]
    assert alone == ids(vector_desk.search(query, SearchMode.SEMANTIC))
    assert alone[0] == "BUILD-3"


def test_many_queries_are_answered_in_their_order(vector_desk: Desk) -> None:
    vector_desk.sync(Mode.FULL)
    queries = ["leases", "BM25", "skeleton", "installed"] * QUERIES_AT_A_TIME

    answers = vector_desk.search_all(queries, SearchMode.HYBRID, limit=1)

    assert [ids(answer) for answer in answers] == [["BUILD-3"], ["BUILD-2"], ["BUILD-1"], ["DEC-1"]] * QUERIES_AT_A_TIME


def test_rows_of_a_ledger_that_is_no_longer_configured_are_not_found(desk: Desk) -> None:
    desk.sync()
    config = desk.folder / "sot.toml"
    config.write_text(
        config.read_text() + '[[project]]\nid = "other"\nroot = "docs"\n'
        '[[project.ledger]]\nfile_type = "journal"\nprefix = "J"\npath = "JOURNAL.md"\n'
    )
    workspace = desk.workspace
    only = tuple(project for project in workspace.projects if project.id == "other")

    with open_search(workspace, only, mode=SearchMode.KEYWORD, deadline=soon()) as searching:
        answer = next(searching.answers(["ranking"]))

    assert answer.results == ()
