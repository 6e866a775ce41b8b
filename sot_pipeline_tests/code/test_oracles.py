"""Other tools on the same sources: lizard (cyclomatic), complexipy (cognitive), multimetric (Halstead, index).

Where their definitions differ from ours the function is left out, by what its syntax tree holds;
docs/code-metrics.md gives the reasons. Of the rest nearly every value has to be the same.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import cast

import complexipy
import lizard
import pytest

from sot_pipeline.code.analyze import analyze
from sot_pipeline.code.halstead import halstead
from sot_pipeline.code.smells import maintainability_index
from sot_pipeline_tests.code.sources import EXAMPLES

LIBRARY = Path(sysconfig.get_path("stdlib"))
MODULES = (
    "argparse.py",
    "configparser.py",
    "csv.py",
    "dataclasses.py",
    "difflib.py",
    "fractions.py",
    "heapq.py",
    "http/client.py",
    "json/decoder.py",
    "queue.py",
    "shutil.py",
    "tarfile.py",
    "textwrap.py",
    "tokenize.py",
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Place = tuple[int, str]


@cache
def functions(module: str) -> dict[Place, Function]:
    tree = ast.parse((LIBRARY / module).read_bytes())
    return {(node.lineno, node.name): node for node in ast.walk(tree) if isinstance(node, Function)}


@cache
def ours(module: str) -> dict[Place, dict[str, int]]:
    found = analyze(module, (LIBRARY / module).read_bytes(), "python").file
    rows = [cast("dict[str, int]", row) for row in found.functions]
    return {(row["line"], str(row["name"])): row for row in rows}


def compared(
    column: str, theirs: Callable[[str], Iterator[tuple[Place, int]]], differs: Callable[[Function], bool]
) -> list[bool]:
    """For each function of the sample that both define alike, whether the values are the same."""
    same = []
    for module in MODULES:
        for place, value in theirs(module):
            node = functions(module).get(place)
            if node is not None and not differs(node):
                same.append(ours(module)[place][column] == value)
    return same


def test_every_function_of_the_sample_is_found() -> None:
    for module in MODULES:
        assert set(ours(module)) == set(functions(module)), module


# Lizard counts `finally` as a decision.
def differs_from_lizard(node: Function) -> bool:
    return any(isinstance(each, ast.Try) and each.finalbody for each in ast.walk(node))


def by_lizard(module: str) -> Iterator[tuple[Place, int]]:
    for found in lizard.analyze_file(str(LIBRARY / module)).function_list:
        yield (found.start_line, found.name.rpartition(".")[2]), found.cyclomatic_complexity


def test_cyclomatic_complexity_is_lizards() -> None:
    same = compared("cyclomatic", by_lizard, differs_from_lizard)

    assert len(same) > 500
    assert sum(same) / len(same) > 0.99


# complexipy adds one for a recursive call and for a comprehension (with its nesting), takes an `else`
# of loops and handlers for free, and sees boolean operators in conditions and assignments alone.
def differs_from_complexipy(node: Function) -> bool:
    return any(
        isinstance(each, ast.comprehension | ast.Lambda | ast.Match)
        or (isinstance(each, Function) and each is not node)
        or (isinstance(each, ast.Try | ast.For | ast.While) and each.orelse)
        or (isinstance(each, ast.Call) and node.name in (getattr(each.func, "id", ""), getattr(each.func, "attr", "")))
        or (isinstance(each, ast.BinOp | ast.Compare | ast.Call) and _holds_boolean(each))
        or (isinstance(each, ast.BoolOp) and any(_holds_boolean(part) for part in each.values))
        for each in ast.walk(node)
    )


def _holds_boolean(node: ast.AST) -> bool:
    return any(isinstance(each, ast.BoolOp) for each in ast.walk(node))


def by_complexipy(module: str) -> Iterator[tuple[Place, int]]:
    for found in complexipy.file_complexity(str(LIBRARY / module)).functions:
        yield (found.line_start, found.name.rpartition("::")[2]), found.complexity


def test_cognitive_complexity_is_complexipys() -> None:
    same = compared("cognitive", by_complexipy, differs_from_complexipy)

    assert len(same) > 400
    assert sum(same) / len(same) > 0.99


# What lizard counts otherwise: `case _` of Python, no `loop` of Rust, function values of Go as functions of
# their own. It reads neither Bash, Elixir nor Nix as we do.
LIZARD_DIFFERS = ("python: handlers and cases", "rust: loops", "go: function value", "bash", "elixir", "nix")
LIZARD_AGREES = [name for name in EXAMPLES if not name.startswith(LIZARD_DIFFERS)]


@pytest.mark.parametrize("name", LIZARD_AGREES)
def test_lizard_agrees_on_the_examples(name: str) -> None:
    example = EXAMPLES[name]

    (found,) = lizard.analyze_file.analyze_source_code(example.path, example.source).function_list

    assert found.cyclomatic_complexity == example.cyclomatic


@pytest.fixture(scope="module")
def multimetrics() -> dict[str, dict[str, float]]:
    """What multimetric says of the sample, by module."""
    files = [str(LIBRARY / module) for module in MODULES]
    code = "from multimetric.__main__ import main; main()"
    printed = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, check=True).stdout
    found = json.loads(printed)["files"]
    return {module: found[str(LIBRARY / module)] for module in MODULES}


def test_halsteads_formulas_are_multimetrics(multimetrics: dict[str, dict[str, float]]) -> None:
    for module, theirs in multimetrics.items():
        operators = [number % int(theirs["operators_uniq"]) for number in range(int(theirs["operators_sum"]))]
        operands = [b"%d" % (number % int(theirs["operands_uniq"])) for number in range(int(theirs["operands_sum"]))]

        found = halstead(operators, operands)

        assert found.volume == pytest.approx(theirs["halstead_volume"], rel=1e-3), module
        assert found.difficulty == pytest.approx(theirs["halstead_difficulty"], rel=1e-3), module
        assert found.effort == pytest.approx(theirs["halstead_effort"], rel=1e-3), module


def test_halsteads_counts_are_near_multimetrics(multimetrics: dict[str, dict[str, float]]) -> None:
    """The tokens are cut otherwise (see the docs), so the volumes differ, but by less than a quarter."""
    for module, theirs in multimetrics.items():
        values = analyze(module, (LIBRARY / module).read_bytes(), "python").metrics.values

        assert cast("float", values["halstead_volume"]) == pytest.approx(theirs["halstead_volume"], rel=0.25), module


def test_the_maintainability_index_is_multimetrics_rescaled(multimetrics: dict[str, dict[str, float]]) -> None:
    for module, theirs in multimetrics.items():
        found = maintainability_index(
            theirs["halstead_volume"], int(theirs["cyclomatic_complexity"]), int(theirs["loc"])
        )

        assert found == pytest.approx(max(0, theirs["maintainability_index"] * 100 / 171), abs=0.05), module
