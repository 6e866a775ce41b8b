"""Hostile texts take time in proportion to their length, whatever they repeat.

Each text is tried at half and at full length: what takes the square of its length takes four times
as long, and at these lengths minutes instead of a second.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from sot_pipeline.errors import ReadmeMarkersError
from sot_pipeline.ledgers.fields import fields_and_links
from sot_pipeline.ledgers.model import Truth
from sot_pipeline.ledgers.parse import parse_ledger
from sot_pipeline.ledgers.refresh import refreshed
from sot_pipeline.redact import redact
from sot_pipeline.search.snippet import snippet, words_in
from sot_pipeline.targets.chunks import chunk_text, utf8_size
from sot_pipeline.targets.readme import with_markers, with_summary
from sot_pipeline.workspace import LedgerSpec
from sot_pipeline_tests.security.limits import run_limited

SPEC = LedgerSpec("build_history", "docs/BUILD_HISTORY.md", "BUILD")
INDEX = "## INDEX\n| Timestamp | BUILD-ID | Phase | Summary | Files |\n|---|---|---|---|---|\n"
ROW = "| 2026-01-01 | BUILD-1 | Work | Summary | 1 "
SECTION = "### BUILD-1 | 2026-01-01 | Work | Title\n\n"
SUMMARY = "<!-- AUTO-GENERATED SUMMARY -->\n"

# Processor seconds a text of LENGTH may take, and how much longer than one of half the length.
LENGTH = 300_000
SECONDS = 10.0
RATIO = 3.2
# Shorter times are measured too badly to tell their ratio.
MEASURABLE = 0.8

MARKS = (
    *"*|`<[]()_~!>#-+=:.\\&{}\t\n 0a✅é\u2028",
    *("((", "[a](", "![", "<a ", "<a b='", "<!--", "-->", "<!--\n", "a <!--", "a <!--\n", "```\n", "~~~\n", "``` "),
    *(
        "` `` ",
        "`a``",
        "<div>\n\n",
        "<a>\n",
        "<?",
        "<![CDATA[",
        "<script>\n",
        "> ",
        "> > ",
        "- ",
        "- > ",
        "1. ",
        "> - ",
    ),
    *("- a\n", "* * ", "--- ", "---\n", "---\n\n", "\n\n", " \n", "\\|", "||a", "|a|\n|-|\n", "# \n", "## a\n"),
    *("## INDEX\n", "## INDEX\n| BUILD-1 |\n", "### BUILD-1\n", SECTION, "BUILD-1", "BUILD-1 ", "BUILD-1.", "1.1"),
    *(
        ROW,
        f"{ROW}|\n",
        "|2026-01-01|",
        "2026-01-01 ",
        "complete ",
        "(complete",
        "✅ ",
        "**Status**: ",
        "**Status",
        "a: ",
    ),
    *("**Status**: a\n", "Total_Builds: ", "Total_Builds: 1\n", "1 build", "1 unique ", "Last_Updated: a "),
    *("```\n### BUILD-1 | 2026-01-01\n", "<!-- META\n", SUMMARY, "a\n=\n", "[a]: b\n", "]: a\n", "a\n", "=\n"),
)
# Where in a ledger the marks stand.
PLACES = {
    "the file": "{}",
    "a heading": "### BUILD-1 | 2026-01-01 | {}",
    "a qualifier": "### BUILD-1 {}",
    "a section": SECTION + "{}",
    "a row": INDEX + "| 2026-01-01 | BUILD-1 | Work | {}",
    "a field": "### BUILD-1\n\n**Status**: {}",
    "META": "<!-- META\n{}\n-->\n" + SECTION,
    "the summary": SUMMARY + "{}\n<!-- END AUTO-GENERATED SUMMARY -->\n" + SECTION,
    "a list": "- a\n{}",
}
URLS = (
    *("://", "://a:b", "http://", "a:b@", "-token-", "token", " token ", "token=", "password = ", "&a=", "&key='"),
    *(":", "@", "://a@", "\n", " ", "'", "?a.", "http://a@ "),
)


def parse(text: str) -> None:
    parse_ledger(text.encode(), SPEC, "demo")


def refresh(text: str) -> None:
    refreshed(text.encode(), Truth(unique=3, entries=4), datetime(2026, 1, 1))


def summarize(text: str) -> None:
    for change in (with_markers, lambda data: with_summary(data, "Summary")):
        with suppress(ReadmeMarkersError):
            change(b"# Title\n" + text.encode())


def chunk(text: str) -> None:
    chunk_text(text, soft_chars=1_600, hard_chars=8_191, measure=utf8_size)


def cut_snippet(text: str) -> None:
    snippet(text, words_in("a build complete"))


def measured(work: Callable[[str], object], text: str) -> float:
    gc.disable()  # it looks at all objects now and then, whoever made them
    try:
        started = time.process_time()
        work(text)
        return time.process_time() - started
    finally:
        gc.enable()


def require_linear(work: Callable[[str], object], mark: str, place: str = "{}", length: int = LENGTH) -> None:
    """`length` characters of marks take under SECONDS, and no more than their share."""

    def of(share: int) -> str:
        return place.replace("{}", mark * (length // share // len(mark)))

    where = f"{mark!r} in {place!r}"
    # A small part first: what is quadratic shows without anybody waiting for an hour.
    for share in (16, 4):
        assert measured(work, of(share)) < SECONDS / share, where
    whole = measured(work, of(1))
    assert whole < SECONDS, where
    if whole > MEASURABLE:
        # The best of some: neighbours on the machine come and go.
        half = min(measured(work, of(2)) for _ in range(2))
        whole = min(whole, *(measured(work, of(1)) for _ in range(2)))
        assert whole < RATIO * half, f"{where}: {half:.2f} s for a half, {whole:.2f} s for the whole"


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_ledger_is_parsed_in_linear_time(place: str) -> None:
    for mark in MARKS:
        require_linear(parse, mark, place, LENGTH // 4)


@pytest.mark.parametrize(
    "work", [refresh, summarize, chunk, cut_snippet, fields_and_links], ids=lambda work: work.__name__
)
def test_text_is_processed_in_linear_time(work: Callable[[str], object]) -> None:
    for mark in MARKS:
        require_linear(work, mark, length=LENGTH // 8)
        require_linear(work, mark, place="x {}x", length=LENGTH // 8)


@pytest.mark.parametrize("mark", [" ", "\t", "a ", "-->", "-"])
def test_time_of_meta_is_refreshed_in_linear_time(mark: str) -> None:
    require_linear(refresh, mark, place="<!-- META\nTotal_Builds: 7\nLast_Updated: a{}a\n-->\n" + SECTION)


def test_redaction_takes_linear_time() -> None:
    for mark in URLS:
        require_linear(redact, mark)
        require_linear(redact, mark, place="a{}=x")


LARGE = """
import sys
from pathlib import Path
from sot_pipeline.config import LedgerSection
from sot_pipeline.ledgers.parse import parse_ledger
from sot_pipeline.workspace import LedgerSpec
parsed = parse_ledger(eval(sys.argv[1]).encode(), LedgerSpec("build_history", "x.md", "BUILD"), "demo")
print(len(parsed.records))
"""


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("'a' * 16_000_000", 0),
        ("'### BUILD-1 | 2026-01-01 | ' + 'a ' * 8_000_000", 1),
        ("'## INDEX\\n' + '| 2026-01-01 | BUILD-1 | Work | s ' * 100_000", 1),
        ("''.join(f'### BUILD-{n} | 2026-01-01 | Work {n}\\n\\n' for n in range(100_000))", 100_000),
        (f"{INDEX!r} + ''.join(f'| 2026-01-01 | BUILD-{{n}} | Work | s | 1 ' for n in range(100_000))", 100_000),
        ("'### BUILD-' + '1' * 5_000_000", 0),
        ("'<!-- META\\nTotal_Builds: ' + '9' * 5_000_000 + '\\n-->\\n### BUILD-1 | 2026-01-01 | a'", 1),
    ],
    ids=["one line", "one heading", "one row again and again", "headings", "rows on one line", "one id", "one number"],
)
def test_large_ledger_is_parsed_with_little_time_and_memory(text: str, entries: int) -> None:
    done = run_limited(LARGE, text, mebibytes=2_048, seconds=30)

    assert done.stdout.strip() == str(entries), done.stderr[-500:]


OVERSIZED = """
import sys
from pathlib import Path
from sot_pipeline.ledgers.read import read_ledger
from sot_pipeline.workspace import load_workspace
project = load_workspace(Path(sys.argv[1]), env={}).projects[0]
print(read_ledger(project, project.ledgers[0]).problem.message)
"""


def test_ledger_over_the_size_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "sot.toml").write_text('[[project]]\nid = "demo"\n')
    with (tmp_path / "docs" / "BUILD_HISTORY.md").open("wb") as sparse:
        sparse.truncate(64 * 1024**3)

    done = run_limited(OVERSIZED, tmp_path / "sot.toml", mebibytes=1_024, seconds=8)

    assert "larger than 64 MiB" in done.stdout, done.stderr[-500:]
