"""Complexity and lines of small sources, against values computed by hand."""

from __future__ import annotations

import pytest

from sot_pipeline.code.analyze import Analysis, analyze
from sot_pipeline.code.languages import language_of
from sot_pipeline.code.model import ParseStatus
from sot_pipeline_tests.code.sources import EXAMPLES, LINE_EXAMPLES, MODULE_LEVEL, Example, LineExample


def analysed(path: str, source: str) -> Analysis:
    language = language_of(path)
    assert language is not None
    return analyze(path, source.encode(), language)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_a_function_is_as_complex_as_computed_by_hand(example: Example) -> None:
    found = analysed(example.path, example.source)

    (function,) = found.file.functions
    assert isinstance(function, dict)
    values = found.metrics.values
    assert found.file.parse_status == ParseStatus.OK
    assert (function["cyclomatic"], function["nesting"]) == (example.cyclomatic, example.nesting)
    assert (values["cyclomatic_complexity"], values["nesting_depth"]) == (example.cyclomatic, example.nesting)
    assert values["cognitive_complexity"] == example.cognitive
    assert function["largest"] is True


def test_decisions_outside_of_functions_count_for_the_file() -> None:
    values = analysed(MODULE_LEVEL.path, MODULE_LEVEL.source).metrics.values

    assert values["function_count"] == 0
    assert (values["cyclomatic_complexity"], values["cognitive_complexity"]) == (2, 2)


def test_a_nested_function_counts_for_itself_and_burdens_the_one_around_it() -> None:
    # g: 1 + if = 2, cognitive if +1. f: 1, cognitive if +2, being one level deeper there. File: 3 and 2.
    found = analysed("a.py", "def f():\n    def g(a):\n        if a:\n            pass\n")

    outer, inner = found.file.functions
    assert isinstance(outer, dict)
    assert isinstance(inner, dict)
    assert (outer["cyclomatic"], outer["cognitive"], outer["nesting"]) == (1, 2, 1)
    assert (inner["cyclomatic"], inner["cognitive"], inner["nesting"]) == (2, 1, 1)
    assert found.metrics.values["cyclomatic_complexity"] == 3
    assert found.metrics.values["cognitive_complexity"] == 2


def test_what_follows_an_else_is_no_else_if() -> None:
    # if +1, else +1, if +1: the second if begins anew
    found = analysed("a.py", "def f(a):\n    if a:\n        b()\n    else:\n        c()\n    if a:\n        d()\n")

    assert found.metrics.values["cognitive_complexity"] == 3


def test_the_largest_function_is_marked_once() -> None:
    found = analysed(
        "a.py", "def f(a):\n    pass\ndef g(a):\n    if a:\n        pass\ndef h(a):\n    if a:\n        pass\n"
    )

    largest = [f["name"] for f in found.file.functions if isinstance(f, dict) and "largest" in f]
    assert largest == ["g"]


def test_attributes_and_types_decide_nothing() -> None:
    source = "defmodule A do\n  @spec f((a -> b)) :: c when a: var, b: var\n  def f(g), do: g\nend\n"

    assert analysed("a.ex", source).metrics.values["cyclomatic_complexity"] == 1


@pytest.mark.parametrize("path", ["a.ex", "a.sh"])
def test_cognitive_complexity_of_a_language_its_definition_leaves_out_is_marked_adapted(path: str) -> None:
    example = next(example for example in EXAMPLES.values() if example.path == path)

    status = analysed(path, example.source).metrics.status["cognitive_complexity"]

    assert isinstance(status, dict)
    assert status["adapted"] is True


@pytest.mark.parametrize("example", LINE_EXAMPLES.values(), ids=LINE_EXAMPLES)
def test_each_line_is_code_comment_or_blank(example: LineExample) -> None:
    found = analysed(example.path, example.source)

    values = found.metrics.values
    lines = tuple(values[f"{kind}_lines"] for kind in ("total", "code", "comment", "blank"))
    assert lines == example.lines
    assert found.file.line_count == example.lines[0]


HALSTEAD = "def f(a, b):\n    return a + b - 1\n"


def test_halstead_as_computed_by_hand() -> None:
    values = analysed("a.py", HALSTEAD).metrics.values

    # n1 = 7 (def ( , : return + -), N1 = 7, n2 = 4 (f a b 1), N2 = 6
    assert values["halstead_vocabulary"] == 11
    assert values["halstead_length"] == 13
    assert values["halstead_volume"] == pytest.approx(44.97, abs=0.01)  # 13 · log2 11
    assert values["halstead_difficulty"] == pytest.approx(5.25)  # 7/2 · 6/4
    assert values["halstead_effort"] == pytest.approx(236.1, abs=0.1)


def test_maintainability_index_as_computed_by_hand() -> None:
    # V = 44.97, CC = 1, 2 lines: (171 - 5.2 · 3.806 - 0.23 - 16.2 · 0.693) · 100 / 171 = 81.7
    assert analysed("a.py", HALSTEAD).metrics.values["maintainability_index"] == pytest.approx(81.73, abs=0.05)
