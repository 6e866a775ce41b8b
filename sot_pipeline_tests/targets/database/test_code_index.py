"""The two code tables: what is written is read back, alike in both databases, and tampering shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from hashlib import sha256

import pytest

from sot_pipeline.code.analyze import Analysis
from sot_pipeline.code.encode import encoded
from sot_pipeline.code.model import FILE_METRICS, PROJECT_METRICS, Kind, Metrics, ParseStatus, SourceFile
from sot_pipeline.plan import Counts, Json
from sot_pipeline.targets.database import Database, code_index
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import FILES, METADATA_COLUMNS, CodeTable, FileRow
from sot_pipeline.targets.database.tables import code_files, codebase_metadata
from sot_pipeline_tests.targets.database.ledger import SOON, tamper

HOSTILE = '\'; DROP TABLE code_files; --\t\\N \\. %s ? {} "quoted" 🧨 \u2028 \ufeff é <script>'
SAMPLES: dict[Kind, Json] = {Kind.INTEGER: 7, Kind.REAL: 0.1, Kind.TEXT: "t", Kind.JSON: [{"name": HOSTILE, "line": 1}]}


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def source(path: str, content: str = "x = 1\n", **changes: Json) -> FileRow:
    found = SourceFile(path, "python", content, len(content.encode()), 1, hash_of(content), ParseStatus.OK)
    return row_of(replace(found, **changes), metrics(dict(FILE_METRICS)))


def row_of(file: SourceFile, found: Metrics, tokens: tuple[int, ...] = ()) -> FileRow:
    return FileRow(encoded(Analysis(file, found, tokens)), datetime(2026, 1, 2, 3, 4, 5))


def metrics(columns: dict[str, Kind], **known: Json) -> Metrics:
    """Every metric of `columns`, null with a reason but for those that are `known`."""
    values = {name: known.get(name) for name in columns}
    status: dict[str, Json] = {
        name: {"reason": "not asked for"} if value is None else {"tool": "test", "version": "1"}
        for name, value in values.items()
    }
    return Metrics(values, status)


def metadata(path: str, content: str = "x = 1\n", tokens: tuple[int, ...] = (), **known: Json) -> FileRow:
    file = SourceFile(path, "python", content, 6, 1, hash_of(content), ParseStatus.OK)
    return row_of(file, metrics(dict(FILE_METRICS), **known), tokens)


def relations(**known: Json) -> Metrics:
    return metrics(dict(PROJECT_METRICS), **known)


@pytest.fixture
def index(database: Database) -> CodeIndex:
    return CodeIndex(database, "atlas", "1")


def test_what_is_written_are_all_columns_of_the_tables() -> None:
    assert set(FILES.columns) == {column.name for column in code_files.columns}
    assert tuple(column.name for column in codebase_metadata.columns) == METADATA_COLUMNS


def test_an_index_without_tables_is_empty_and_stays_so(index: CodeIndex, database: Database) -> None:
    assert index.fingerprints(CodeTable.FILES) == {}
    assert index.metadata("a.py") is None
    assert index.symbols(["x"], SOON) == []
    assert (index.unread(), index.values_of("size"), index.damaged(), index.texts(["a.py"])) == ([], [], set(), {})
    assert database.revision() is None


def test_hostile_text_is_stored_byte_for_byte(index: CodeIndex, database_url: str) -> None:
    symbol: Json = {"name": HOSTILE, "line": 3}
    index.apply_files([source("a/ü.py", HOSTILE, symbols=(symbol,))], (), SOON)

    found = tamper(database_url, "SELECT path, content, parse_status FROM code_files")

    assert found == [("a/ü.py", HOSTILE, "ok")]
    assert index.symbols(["drop table"], SOON)[0].symbols == (symbol,)
    assert index.damaged() == set()


def test_every_metric_is_read_back_as_it_was_written(index: CodeIndex) -> None:
    known = {name: SAMPLES[kind] for name, kind in FILE_METRICS.items()}
    row = metadata("a.py", **known)
    index.apply_metadata([row], (), SOON)

    stored = index.metadata("a.py")

    assert stored is not None
    assert {name: stored.metrics.values[name] for name in FILE_METRICS} == known
    assert (stored.path, stored.last_modified, stored.file_type) == ("a.py", row.last_modified, "py")
    assert all(stored.metrics.values[name] is None for name in PROJECT_METRICS)
    assert all("full pass" in str(stored.metrics.status[name]) for name in PROJECT_METRICS)


@pytest.mark.parametrize("table", CodeTable)
def test_fingerprints_are_those_of_the_files_and_deletes_touch_no_other_row(index: CodeIndex, table: CodeTable) -> None:
    texts = {"a.py": "a", "b.py": "b", "it's.py": "c"}
    other = replace(index, project_id="borealis")

    for each in (index, other):
        write(each, table, texts)
    write(index, table, {}, gone=("it's.py", "absent.py"))

    assert index.fingerprints(table) == {"a.py": hash_of("a"), "b.py": hash_of("b")}
    assert index.fingerprints(table, ("b.py", "absent.py")) == {"b.py": hash_of("b")}
    assert len(other.fingerprints(table)) == 3


def write(index: CodeIndex, table: CodeTable, texts: dict[str, str], gone: tuple[str, ...] = ()) -> None:
    if table is CodeTable.FILES:
        index.apply_files([source(path, text) for path, text in texts.items()], gone, SOON)
    else:
        index.apply_metadata([metadata(path, text) for path, text in texts.items()], gone, SOON)


@pytest.mark.parametrize("table", CodeTable)
def test_rows_of_another_analysis_are_stale_until_they_are_written_again(index: CodeIndex, table: CodeTable) -> None:
    write(index, table, {"a.py": "a", "b.py": "b"})
    newer = replace(index, version="2")

    assert newer.fingerprints(table) == {"a.py": "", "b.py": ""}
    write(newer, table, {"a.py": "a"})

    assert newer.fingerprints(table) == {"a.py": hash_of("a"), "b.py": ""}


TAMPERINGS = [
    ("code_files", "content = 'forged'"),
    ("code_files", 'symbols = \'[{"name": "forged", "line": 1}]\''),
    ("code_files", "parse_status = 'partial'"),
    ("codebase_metadata", "cyclomatic_complexity = 99"),
    ("codebase_metadata", "symbols = '[]'"),
    ("codebase_metadata", "language = 'rust'"),
]


@pytest.mark.parametrize(("table", "change"), TAMPERINGS)
def test_a_row_changed_behind_our_back_is_seen_and_healed(
    index: CodeIndex, database_url: str, table: str, change: str
) -> None:
    for each in CodeTable:
        write(index, each, {"a.py": "a", "b.py": "b"})

    tamper(database_url, f"UPDATE {table} SET {change} WHERE path = 'a.py'")

    assert index.fingerprints(CodeTable(table)) == {"a.py": "", "b.py": hash_of("b")}
    write(index, CodeTable(table), {"a.py": "a"})
    assert index.fingerprints(CodeTable(table)) == {"a.py": hash_of("a"), "b.py": hash_of("b")}


def test_content_forged_along_with_its_hash_is_seen_by_reading_it(index: CodeIndex, database_url: str) -> None:
    write(index, CodeTable.FILES, {"a.py": "a", "b.py": "b"})

    tamper(database_url, "UPDATE code_files SET content = 'forged', content_hash = 'f' WHERE path = 'a.py'")

    assert index.damaged() == {"a.py"}
    assert index.texts(["a.py", "absent.py"]) == {"a.py": "forged"}


def test_files_that_were_not_read_wholly_are_known_by_their_status(index: CodeIndex) -> None:
    statuses = {"a.py": ParseStatus.OK, "b.py": ParseStatus.PARTIAL, "c.py": ParseStatus.SKIPPED}
    index.apply_files([source(path, parse_status=status) for path, status in statuses.items()], (), SOON)

    index.apply_metadata([metadata("b.py")], (), SOON)

    assert index.unread() == [
        ("b.py", ParseStatus.PARTIAL, "not asked for"),
        ("c.py", ParseStatus.SKIPPED, "not known yet"),
    ]
    assert [unread.path for unread in index.unread(["a.py", "c.py"])] == ["c.py"]
    assert index.unread([]) == []


def test_relations_are_written_where_they_differ_and_leave_the_file_up_to_date(index: CodeIndex) -> None:
    write(index, CodeTable.METADATA, {"a.py": "a", "b.py": "b"})
    found = {
        "a.py": relations(pagerank_score=1, dependencies=[{"path": "b.py", "weight": 1.0}]),
        "b.py": relations(),
        "without a row.py": relations(),
    }

    first = index.apply_metrics(found, PROJECT_METRICS, SOON)
    second = index.apply_metrics(found, PROJECT_METRICS, SOON)
    third = index.apply_metrics(found | {"b.py": relations(commits_90d=0)}, PROJECT_METRICS, SOON)

    assert (first, second, third) == (
        Counts(updated=2),
        Counts(unchanged=2),
        Counts(updated=1, unchanged=1),
    )
    stored = index.metadata("b.py")
    assert stored is not None
    assert stored.metrics.values["commits_90d"] == 0
    assert stored.metrics.status["commits_90d"] == {"tool": "test", "version": "1"}
    assert stored.metrics.status["domains"] == {"reason": "not asked for"}
    assert index.fingerprints(CodeTable.METADATA) == {"a.py": hash_of("a"), "b.py": hash_of("b")}


def test_what_relating_needs_is_read_back_and_lost_tokens_make_a_row_stale(index: CodeIndex, database_url: str) -> None:
    tokens = (1, -(2**63), 2**63 - 1)
    imported: Json = {"name": "b", "names": ["B"]}
    index.apply_files([source("a.py", imports=(imported,)), source("b.py")], (), SOON)
    index.apply_metadata([metadata("a.py", tokens=tokens, cyclomatic_complexity=4), metadata("b.py")], (), SOON)

    first, second = index.facts()
    tamper(database_url, "DELETE FROM code_tokens WHERE path = 'b.py'")

    assert (first.path, first.imports, first.complexity, tuple(first.tokens)) == ("a.py", [imported], 4, tokens)
    assert (second.complexity, tuple(second.tokens)) == (None, ())
    assert index.fingerprints(CodeTable.METADATA) == {"a.py": hash_of("x = 1\n"), "b.py": ""}


def test_relations_of_more_files_than_are_compared_at_once_are_all_written(
    index: CodeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_index, "_FILES_AT_ONCE", 2)
    paths = [f"{number}.py" for number in range(5)]
    write(index, CodeTable.METADATA, dict.fromkeys(paths, "x"))
    found = {path: relations(commits_90d=number) for number, path in enumerate(paths)}

    first = index.apply_metrics(found, PROJECT_METRICS, SOON)
    second = index.apply_metrics(found, PROJECT_METRICS, SOON)

    assert (first, second) == (Counts(updated=5), Counts(unchanged=5))
    assert sorted(index.values_of("commits_90d")) == [0, 1, 2, 3, 4]


def test_extremes_are_ordered_and_leave_out_what_is_not_known(index: CodeIndex) -> None:
    rows = [metadata(f"{number}.py", cyclomatic_complexity=value) for number, value in enumerate((3, None, 9, 9, 1))]
    index.apply_metadata(rows, (), SOON)

    highest = index.extremes("cyclomatic_complexity", lowest=False, limit=3)
    lowest = index.extremes("cyclomatic_complexity", lowest=True, limit=1)

    assert [row.path for row in highest] == ["2.py", "3.py", "0.py"]
    assert [row.path for row in lowest] == ["4.py"]
    assert sorted(index.values_of("cyclomatic_complexity")) == [1, 3, 9, 9]
    assert index.without("cyclomatic_complexity") == ["1.py"]


def test_of_equal_files_the_more_complex_come_first(index: CodeIndex) -> None:
    complexities = {"a.py": 3, "b.md": None, "c.py": 9, "d.py": 9}
    rows = [metadata(path, cyclomatic_complexity=value, total_lines=5) for path, value in complexities.items()]
    index.apply_metadata(rows, (), SOON)

    found = index.extremes("total_lines", lowest=False, limit=4)

    assert [row.path for row in found] == ["c.py", "d.py", "a.py", "b.md"]


@pytest.mark.parametrize(
    ("word", "paths"),
    [("mark", ["a.py", "b.py"]), ("mark_read", ["a.py"]), ("k%r", []), ("!", ["c.py"]), ('say "', ["c.py"])],
)
def test_symbols_are_found_by_any_part_of_them_taken_literally(index: CodeIndex, word: str, paths: list[str]) -> None:
    names = {"a.py": "mark_read", "b.py": "MarkXRead", "c.py": 'say "hi"!'}
    index.apply_files([source(path, symbols=({"name": name, "line": 1},)) for path, name in names.items()], (), SOON)

    assert [found.path for found in index.symbols([word], SOON)] == paths
