"""docs/code-metrics.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from sot_pipeline.code import coverage, duplication, graph, parse, security, smells, text, walk
from sot_pipeline.code.model import FILE_METRICS, PROJECT_METRICS

PAGE = (Path(__file__).parents[2] / "docs" / "code-metrics.md").read_text()


def test_every_column_is_explained() -> None:
    explained = set(re.findall(r"`(\w+)`", PAGE)) | {"halstead_length", "halstead_difficulty", "halstead_effort"}

    assert {*FILE_METRICS, *PROJECT_METRICS} <= explained


def test_every_smell_is_listed_with_its_threshold_and_minutes() -> None:
    for rule in smells.RULES:
        (row,) = re.findall(rf"^\| {rule.name} \|.*\| {rule.minutes} \|$", PAGE, re.MULTILINE)
        assert rule.above == 0 or re.search(rf"\b{rule.above:,}\b", row), rule.name


def test_numbers_in_the_text_are_those_of_the_code() -> None:
    for number in (
        text.LONG_LINE,
        walk.MAX_DEPTH,
        walk.MAX_NODES,
        parse.MAX_READS,
        graph.EXACT_UP_TO,
        graph.SOURCES,
        graph.MOST_RELATED,
        graph.DAMPING,
        duplication.WINDOW_LINES,
        duplication.WINDOW_TOKENS,
        smells.MINUTES_A_LINE,
        *security.PENALTIES.values(),
    ):
        assert re.search(rf"(?<![\d.,]){number:,}(?![\d,]*\d)", PAGE), number
    assert text.MAX_BYTES == 2**20
    assert {"coverage.xml", "lcov.info"} <= set(coverage.USUAL)
