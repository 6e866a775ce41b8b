"""What the files of a project tell together: imports between them, copies, history and coverage."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from posixpath import commonprefix

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sot_pipeline.code import churn, coverage, graph
from sot_pipeline.code.analyze import analyze
from sot_pipeline.code.duplication import WINDOW_LINES, duplication
from sot_pipeline.code.encode import packed, unpacked
from sot_pipeline.code.graph import places_of, sampled_betweenness
from sot_pipeline.code.languages import language_of
from sot_pipeline.code.model import PROJECT_METRICS, Metrics
from sot_pipeline.code.relate import relate
from sot_pipeline.code.resolve import FileFacts, dependencies_of

NOW = datetime(2030, 6, 1, 12, 0, 0)


def facts(files: Mapping[str, str]) -> list[FileFacts]:
    made = []
    for path, source in files.items():
        language = language_of(path)
        assert language is not None
        found = analyze(path, source.encode(), language)
        complexity = found.metrics.values["cyclomatic_complexity"]
        assert complexity is None or isinstance(complexity, int)
        file = found.file
        made.append(FileFacts(path, language, file.parse_status, file.imports, file.classes, complexity, found.tokens))
    return made


def related(root: Path, files: Mapping[str, str], report: Path | None = None) -> dict[str, Metrics]:
    for path, source in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(source)
    return relate(root, facts(files), coverage_file=report, now=NOW)


def reason(metrics: Metrics, column: str) -> str:
    status = metrics.status[column]
    assert isinstance(status, dict)
    return str(status["reason"])


# Imports.


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {
                "src/pkg/__init__.py": "",
                "src/pkg/a.py": "import os\nfrom . import b\nfrom .sub import c, name\nfrom .b import f\n",
                "src/pkg/b.py": "import pkg.sub.c as c\n",
                "src/pkg/sub/__init__.py": "from ..b import g\nfrom ... import nothing\n",
                "src/pkg/sub/c.py": "import pkg\nimport src.pkg.a\nimport pkg.sub.c\n",
                "script.py": "from pkg import a, b\n",
            },
            {
                "src/pkg/a.py": ("src/pkg/b.py", "src/pkg/sub/__init__.py", "src/pkg/sub/c.py"),
                "src/pkg/b.py": ("src/pkg/sub/c.py",),
                "src/pkg/sub/__init__.py": ("src/pkg/b.py",),
                "src/pkg/sub/c.py": ("src/pkg/__init__.py", "src/pkg/a.py"),
                "script.py": ("src/pkg/a.py", "src/pkg/b.py"),
            },
            id="python",
        ),
        pytest.param(
            {
                "one/x.py": "import settings\n",
                "one/settings.py": "",
                "two/x.py": "import settings\n",
                "two/settings.py": "",
            },
            {"one/x.py": ("one/settings.py",), "two/x.py": ("two/settings.py",)},
            id="python: of two modules of one name the nearer",
        ),
        pytest.param(
            {
                "a/main.ts": 'import x from "./util";\nimport "../b";\nimport z from "./gone.js";\nimport "react";\n',
                "a/util.tsx": 'export * from "./late.js";',
                "a/late.ts": "",
                "b/index.js": 'require("../a/util.tsx");',
            },
            {
                "a/main.ts": ("a/util.tsx", "b/index.js"),
                "a/util.tsx": ("a/late.ts",),
                "b/index.js": ("a/util.tsx",),
            },
            id="javascript and typescript",
        ),
        pytest.param(
            {
                "core/src/lib.rs": "mod a;\nmod b;\nuse std::io;\n",
                "core/src/a.rs": "use crate::b::c::Thing;\nuse super::b;\nmod inner;\n",
                "core/src/a/inner.rs": "use super::super::b::f;\nuse self::gone::x;\n",
                "core/src/b/mod.rs": "mod c;\n",
                "core/src/b/c.rs": "",
                "app/src/main.rs": "use core::a::x;\nuse core::Unknown;\n",
            },
            {
                "core/src/lib.rs": ("core/src/a.rs", "core/src/b/mod.rs"),
                "core/src/a.rs": ("core/src/a/inner.rs", "core/src/b/c.rs", "core/src/b/mod.rs"),
                "core/src/a/inner.rs": ("core/src/b/mod.rs",),
                "core/src/b/mod.rs": ("core/src/b/c.rs",),
                "app/src/main.rs": ("core/src/a.rs",),
            },
            id="rust",
        ),
        pytest.param(
            {
                "main.go": 'package main\nimport (\n"fmt"\n"example.org/m/store"\n"example.org/other"\n)\n',
                "store/a.go": "package store\n",
                "store/b.go": 'package store\nimport "example.org/m"\n',
                "store/a_test.go": "package store\n",
            },
            {"main.go": ("store/a.go", "store/b.go"), "store/b.go": ("main.go",)},
            id="go",
        ),
        pytest.param(
            {
                "lib/a.ex": "defmodule App.A do\n  alias App.{B, C}\n  use GenServer\nend\n",
                "lib/b.ex": "defmodule App.B do\n  defmodule Inner do\n  end\n  import App.C\nend\n",
                "lib/c.ex": "defprotocol App.C do\n  alias App.B.Inner\nend\n",
            },
            {"lib/a.ex": ("lib/b.ex", "lib/c.ex"), "lib/b.ex": ("lib/c.ex",), "lib/c.ex": ("lib/b.ex",)},
            id="elixir",
        ),
    ],
)
def test_imports_lead_to_files(tmp_path: Path, files: dict[str, str], expected: dict[str, tuple[str, ...]]) -> None:
    (tmp_path / "go.mod").write_text("module example.org/m\n\ngo 1.22\n")

    found = dependencies_of(tmp_path, facts(files))

    assert {path: found[path] for path in expected} == expected
    assert all(not found[path] for path in files if path not in expected)


_FOLDERS = st.lists(st.sampled_from(["a", "ab", "b", "b-", "é"]), max_size=3).map("/".join)


@given(st.sets(_FOLDERS, min_size=1), _FOLDERS)
def test_of_modules_of_one_name_the_nearest_is_meant(folders: set[str], importing: str) -> None:
    modules = sorted(f"{folder}/util.py".lstrip("/") for folder in folders)
    path = f"{importing}/main.py".lstrip("/")

    found = dependencies_of(Path("nowhere"), facts({**dict.fromkeys(modules, ""), path: "import util\n"}))

    assert found[path] == (max(modules, key=lambda each: len(commonprefix([each, path]))),)


def test_the_graph_becomes_columns(tmp_path: Path) -> None:
    found = related(
        tmp_path, {"a.py": "import b\n", "b.py": "import c\n", "c.py": "", "d.sh": "x\n", "e.py": "import (\n"}
    )

    values = {path: metrics.values for path, metrics in found.items()}
    assert values["b.py"]["dependencies"] == ["c.py"]
    assert values["b.py"]["related_files"] == ["c.py", "a.py"]
    assert (values["b.py"]["dependency_count"], values["b.py"]["dependent_count"]) == (1, 1)
    assert values["b.py"]["centrality_score"] == pytest.approx(1 / 6)  # one path of 3 · 2 pairs leads through b
    assert sum(
        float(str(values[path]["pagerank_score"])) for path in ("a.py", "b.py", "c.py", "e.py")
    ) == pytest.approx(1)
    assert reason(found["d.sh"], "pagerank_score") == "imports of bash are not resolved"
    assert values["e.py"]["dependencies"] is None
    assert values["e.py"]["dependent_count"] == 0
    assert "could not be parsed" in reason(found["e.py"], "dependency_count")
    for metrics in found.values():
        assert set(metrics.values) == set(metrics.status) == set(PROJECT_METRICS)


def test_pagerank_as_computed_by_hand() -> None:
    # a → b: r(a) = (0.15 + 0.85 r(b)) / 2 as b leads nowhere and gives half to each, r(b) = r(a) + 0.85 r(a)
    # so r(a) = 1 / 2.85, r(b) = 1.85 / 2.85
    places = places_of({"a": ("b",), "b": ()})

    assert places["a"].pagerank == pytest.approx(1 / 2.85, abs=1e-5)
    assert places["b"].pagerank == pytest.approx(1.85 / 2.85, abs=1e-5)


@given(
    edges=st.integers(2, 12).flatmap(
        lambda size: st.lists(st.lists(st.integers(0, size - 1), unique=True, max_size=4), min_size=size, max_size=size)
    )
)
def test_betweenness_sampled_at_every_node_is_exact(edges: list[list[int]]) -> None:
    paths = {str(number): [str(target) for target in those if target != number] for number, those in enumerate(edges)}
    targets = [[int(target) for target in paths[str(number)]] for number in range(len(edges))]

    exact = {path: place.centrality for path, place in places_of(paths).items()}
    sampled = sampled_betweenness(targets, len(targets))

    assert {str(number): value for number, value in enumerate(sampled)} == pytest.approx(exact)


def test_betweenness_of_a_large_graph_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = {f"{number:03}": (f"{number + 1:03}",) if number < 99 else () for number in range(100)}
    exact = places_of(chain)["050"].centrality
    monkeypatch.setattr(graph, "EXACT_UP_TO", 50)

    assert places_of(chain)["050"].centrality == pytest.approx(exact, rel=0.1)


def test_no_files_no_graph() -> None:
    assert places_of({}) == {}
    assert sampled_betweenness([], 3) == []


# Copies.


def lines(count: int, start: int = 0) -> str:
    return "".join(f"value{n} = compute(alpha{n}, beta{n}, 'text{n}')\n" for n in range(start, start + count))


def test_a_copy_is_found_in_both_files_and_as_a_share_of_their_lines(tmp_path: Path) -> None:
    copied = lines(8)
    other = copied.replace("'text", '"other').replace("')", '")').replace(", ", ",   ") + "# a comment\n"

    found = related(tmp_path, {"a.py": copied, "b.py": "def f():\n    pass\n" * 4 + other, "c.py": lines(8, 100)})

    assert found["a.py"].values["duplication_percentage"] == 1.0
    assert found["b.py"].values["duplication_percentage"] == 0.5  # 8 of 16 lines
    assert found["c.py"].values["duplication_percentage"] == 0.0


def test_short_copies_and_rows_of_equal_lines_are_no_copies() -> None:
    short, equal = facts({"a.py": lines(WINDOW_LINES - 1), "b.py": "compute(a, b, c, d, e, f)\n" * 9})

    found = duplication({"a": short.tokens, "a2": short.tokens, "b": equal.tokens})

    assert found == {"a": 0.0, "a2": 0.0, "b": 0.0}


def test_few_tokens_are_no_copy() -> None:
    (few,) = facts({"a.py": "".join(f"x{n}\n" for n in range(20))})

    assert duplication({"a": few.tokens, "b": few.tokens, "empty": ()}) == {"a": 0.0, "b": 0.0}
    assert duplication({"empty": ()}) == {}


def test_a_file_may_copy_itself() -> None:
    (twice,) = facts({"a.py": lines(7) + "x = 1\n" * 2 + lines(7)})

    assert duplication({"a": twice.tokens})["a"] == 14 / 16


def test_tokens_survive_as_bytes() -> None:
    (some,) = facts({"a.py": lines(3)})

    assert tuple(unpacked(packed(some.tokens))) == some.tokens
    with pytest.raises(ValueError, match="bytes"):
        unpacked(b"123")


# History.


def commit(root: Path, author: str, when: datetime, message: str = "x") -> None:
    date = when.replace(tzinfo=UTC).isoformat()
    person = {"GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": f"{author}@example.org", "GIT_AUTHOR_DATE": date}
    committer = {"GIT_COMMITTER_NAME": "c", "GIT_COMMITTER_EMAIL": "c@example.org", "GIT_COMMITTER_DATE": date}
    for command in (["add", "-A"], ["commit", "-q", "-m", message]):
        subprocess.run(["git", "-C", root, *command], check=True, env={**os.environ, **person, **committer})


def test_commits_and_authors_of_ninety_days(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    root = tmp_path / "inner"
    files = {"a.py": "if a:\n    b()\n", "b.py": "x = 1\n", "c é.py": "if a and b:\n    b()\n"}
    related(root, files)
    commit(tmp_path, "ann", NOW - timedelta(days=100))
    for number, author in enumerate(("ann", "bob", "ann")):
        (root / "a.py").write_text(f"if a:\n    b({number})\n")
        commit(tmp_path, author, NOW - timedelta(days=30 - number))
    (root / "c é.py").write_text("if a or b:\n    b()\n")
    (tmp_path / "outside.py").write_text("x\n")
    commit(tmp_path, "cem", NOW - timedelta(days=1))

    found = relate(root, facts(files), now=NOW)

    values = {path: metrics.values for path, metrics in found.items()}
    assert [values[path]["commits_90d"] for path in files] == [3, 0, 1]
    assert [values[path]["authors_90d"] for path in files] == [2, 0, 1]
    # 3 of 3 commits · 1 of 2 decisions, none, 1 of 3 · 2 of 2
    assert [values[path]["hotspot_score"] for path in files] == pytest.approx([0.5, 0, 1 / 3])


def test_without_history_churn_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (metrics,) = related(tmp_path, {"a.py": "x = 1\n"}).values()
    assert metrics.values["commits_90d"] is None
    assert reason(metrics, "hotspot_score") == "not in a git repository"

    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert churn.churn_of(tmp_path, NOW) == "the git repository has no commits"

    (tmp_path / ".git" / "config").write_text("[broken")
    assert "git log failed" in str(churn.churn_of(tmp_path, NOW))

    monkeypatch.setattr(churn, "SECONDS", 0)
    assert churn.churn_of(tmp_path, NOW) == "git log took more than 0 s"

    monkeypatch.setenv("PATH", str(tmp_path))
    assert churn.churn_of(tmp_path, NOW) == "git is not installed"


def test_a_file_of_unknown_complexity_is_no_hotspot(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "a.json").write_text("{}")
    commit(tmp_path, "ann", NOW - timedelta(days=1))

    metrics = relate(tmp_path, facts({"a.json": "{}"}), now=NOW)["a.json"]

    assert metrics.values["commits_90d"] == 1
    assert reason(metrics, "hotspot_score") == "its complexity is not known"
    assert reason(metrics, "duplication_percentage").startswith("nothing to compare")


# Coverage.

COBERTURA = """<?xml version="1.0" ?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage line-rate="0.5"><sources><source>{root}/src</source></sources><packages><package><classes>
<class filename="a.py"><methods><method><lines><line number="1" hits="3"/></lines></method></methods>
<lines><line number="1" hits="3"/><line number="2" hits="0"/></lines></class>
<class filename="empty.py"><lines/></class>
</classes></package></packages></coverage>
"""
LCOV = "TN:\nSF:{root}/src/a.py\nDA:1,3\nDA:2,0\nDA:3,1,abc\nDA:4,0\nend_of_record\nSF:b.py\nDA:1,0\nend_of_record\n"


def test_cobertura_and_lcov_reports(tmp_path: Path) -> None:
    files = {"src/a.py": "x = 1\n", "src/empty.py": "", "lib/b.py": "x = 1\n", "c.py": "x = 1\n"}
    related(tmp_path, files)
    (tmp_path / "coverage.xml").write_text(COBERTURA.format(root=tmp_path))
    os.utime(tmp_path / "coverage.xml", (2e9, 2e9))

    found = relate(tmp_path, facts(files), now=NOW)
    assert found["src/a.py"].values["test_coverage"] == 0.5
    assert found["src/a.py"].status["test_coverage"] == {"tool": "cobertura"}
    assert reason(found["src/empty.py"], "test_coverage") == "the file has no line that a test could run"
    assert reason(found["c.py"], "test_coverage") == "the coverage report does not name this file"

    (tmp_path / "lcov.info").write_text(LCOV.format(root=tmp_path))
    os.utime(tmp_path / "lcov.info", (2.1e9, 2.1e9))  # the newer of the usual reports
    found = relate(tmp_path, facts(files), now=NOW)
    assert found["src/a.py"].values["test_coverage"] == 0.5
    assert found["src/a.py"].status["test_coverage"] == {"tool": "lcov"}
    assert found["lib/b.py"].values["test_coverage"] == 0.0  # only one file ends like that


def test_a_report_older_than_the_source_says_nothing(tmp_path: Path) -> None:
    report = tmp_path / "lcov.info"
    report.write_text("SF:a.py\nDA:1,1\nend_of_record\n")
    os.utime(report, (1e9, 1e9))

    (metrics,) = related(tmp_path, {"a.py": "x = 1\n"}, report).values()
    assert reason(metrics, "test_coverage") == "the coverage report is older than the file"

    (tmp_path / "a.py").unlink()
    (metrics,) = relate(tmp_path, facts({"a.py": "x = 1\n"}), coverage_file=report, now=NOW).values()
    assert reason(metrics, "test_coverage") == "the file is gone"


BOMB = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY c "&a;&a;">]><coverage>&c;</coverage>'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "it declares entities"),
        ("<coverage", "unclosed token"),
        ("hello", "neither LCOV nor XML"),
        ("SF:a.py\nDA:x,1\n", "invalid literal"),
        ('<c><class filename="a"><line number="1" hits="x"/></class></c>', "invalid literal"),
    ],
)
def test_a_report_that_cannot_be_read_is_a_reason(tmp_path: Path, text: str, says: str) -> None:
    report = tmp_path / "report"
    report.write_text(text)

    (metrics,) = related(tmp_path, {"a.py": "x = 1\n"}, report).values()

    assert says in reason(metrics, "test_coverage")


def test_missing_and_huge_reports_are_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot be read" in str(coverage.read_report(tmp_path / "gone", tmp_path, ()))

    (tmp_path / "lcov.info").write_text("SF:a.py\n")
    monkeypatch.setattr(coverage, "MAX_BYTES", 5)
    assert "larger than" in str(coverage.read_report(tmp_path / "lcov.info", tmp_path, ()))
    assert coverage.find_report(tmp_path / "gone") is None
