"""Chunks of source files: nothing is lost, limits hold, cuts fall between definitions."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sot_pipeline.code.analyze import analyze
from sot_pipeline.targets.chunks import utf8_size
from sot_pipeline.targets.code_chunks import Chunk, Definition, FileText, Limits, cut_code, definitions_in
from sot_pipeline.targets.vectors.code_points import code_points_of

LINES = st.one_of(
    st.sampled_from(["", "x = 1", "# note", "    y = 2", "é" * 30, "z" * 90, "\u2028\r"]), st.text(max_size=30)
)
CONTENT = st.one_of(st.lists(LINES, max_size=40).map("\n".join), st.text(max_size=60))
SPANS = st.lists(st.tuples(st.integers(-1, 45), st.integers(-1, 45)), max_size=15)


def cut(content: str, soft_chars: int, language: str = "python", hard_bytes: int = 10_000) -> tuple[Chunk, ...]:
    """The chunks of a file as its parser sees it."""
    symbols = analyze("a", content.encode(), language).file.symbols
    found = definitions_in(symbol for symbol in symbols if isinstance(symbol, dict))
    return cut_code(content, found, Limits(soft_chars, hard_bytes))


@given(CONTENT, SPANS, st.integers(0, 80), st.integers(4, 80))
@example("a\n", [(1, 1), (1, 45), (-1, 2)], 0, 4)
@settings(max_examples=300)
def test_the_chunks_are_the_file_whatever_was_said_to_be_defined_in_it(
    content: str, spans: list[tuple[int, int]], soft: int, hard: int
) -> None:
    definitions = [Definition(f"d{number}", *span) for number, span in enumerate(spans)]

    chunks = cut_code(content, definitions, Limits(soft, hard))

    assert "".join(chunk.text for chunk in chunks) == content
    assert all(utf8_size(chunk.text) <= hard for chunk in chunks)
    position = 0
    for chunk in chunks:
        assert chunk.line == content.count("\n", 0, position) + 1
        position += len(chunk.text)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(40, 400))
def test_no_function_that_fits_a_chunk_is_cut(functions: int, lines: int, soft: int) -> None:
    parts = [f"def f{number}():\n" + "    work()\n" * lines for number in range(functions)]

    chunks = cut("\n\n".join(parts), soft)

    if len(parts[0]) <= soft:
        assert all(sum(part in chunk.text for chunk in chunks) == 1 for part in parts)
    assert all(len(chunk.text) <= soft for chunk in chunks)


SHOP = '''import os
import sys

# One shelf, or several:
# it depends.
class Shelf:
    """Holds pots."""

    def put(self, pot):
        self.pots.append(pot)

    def take(self):
        return self.pots.pop()


def main():
    Shelf().put(1)
'''


def test_a_small_file_is_one_chunk_with_the_names_of_all_that_is_in_it() -> None:
    assert cut(SHOP, 1_000) == (Chunk(1, SHOP, ("Shelf", "Shelf.put", "Shelf.take", "main")),)


def test_a_larger_file_is_cut_between_its_definitions_and_comments_go_with_them() -> None:
    first, second, third = cut(SHOP, 190)

    assert (first.line, first.text, first.names) == (1, "import os\nimport sys\n\n", ())
    assert second.text.startswith("# One shelf") and second.text.endswith("self.pots.pop()\n\n\n")
    assert (second.line, second.names) == (4, ("Shelf", "Shelf.put", "Shelf.take"))
    assert third.text.endswith("def main():\n    Shelf().put(1)\n")
    assert third.names == ("main",)


def test_a_definition_that_is_too_large_is_cut_at_those_inside_of_it() -> None:
    names = [chunk.names for chunk in cut(SHOP, 80)]

    assert names == [(), ("Shelf",), ("Shelf", "Shelf.put"), ("Shelf", "Shelf.take"), ("main",)]


def test_a_function_that_is_too_large_is_cut_by_lines_each_chunk_with_its_name() -> None:
    chunks = cut("def long():\n" + "    work()\n" * 50, 120)

    assert len(chunks) == 6
    assert {chunk.names for chunk in chunks} == {("long",)}
    assert all(chunk.text.endswith("\n") for chunk in chunks)


def test_a_file_without_definitions_is_cut_by_lines() -> None:
    chunks = cut_code("x = 1\n" * 100, (), Limits(60, 10_000))

    assert [(chunk.line, chunk.text) for chunk in chunks] == [(row, "x = 1\n" * 10) for row in range(1, 101, 10)]


def test_an_empty_file_has_one_chunk() -> None:
    assert cut_code("", (), Limits(10, 10)) == (Chunk(1, "", ()),)


def test_symbols_without_lines_are_no_definitions() -> None:
    found = definitions_in(
        [{"name": "a"}, {"name": "b", "line": 1, "end_line": 2, "parent": "P"}, {"line": 1, "end_line": 1}]
    )

    assert found == (Definition("P.b", 1, 2),)


def test_a_large_file_with_many_definitions_takes_no_time() -> None:
    content = "".join(f"def f{number}():\n    return {number}\n\n" for number in range(8_000))
    definitions = [Definition(f"f{number}", 3 * number + 1, 3 * number + 2) for number in range(8_000)]
    nested = [Definition(f"n{number}", number + 1, 24_000 - number) for number in range(8_000)]
    started = time.process_time()

    cut_code(content, definitions, Limits(1_600, 1_250))
    cut_code(content, nested, Limits(1_600, 1_250))

    assert time.process_time() - started < 5


@pytest.mark.parametrize("letter", ["a", "é", "語"])
@pytest.mark.parametrize("path", ["a.py", "語" * 300 + "/a.py"])
def test_no_text_exceeds_the_tokens_that_a_model_takes(letter: str, path: str) -> None:
    names = [{"name": f"{letter * 40}{number}", "line": 1, "end_line": 1} for number in range(40)]
    file = FileText(path, letter * 3000, "0" * 64, names)

    points = code_points_of("p", file, chunk_tokens=100, max_tokens=512)

    assert max(utf8_size(point.text) for point in points) <= 512 - 2
    assert "".join(point.text.rpartition("\n\n")[2] for point in points) == letter * 3000


def test_a_point_says_path_and_names_before_the_text_and_has_the_path_as_its_entry() -> None:
    file = FileText("src/a_b.py", "x = 1\n", "f" * 64, [{"name": "x", "line": 1, "end_line": 1}])

    (point,) = code_points_of("shop", file, chunk_tokens=100, max_tokens=512)

    assert point.key == "shop_code_src/a_b.py#0"
    assert point.record == ("shop", "code", "src/a_b.py")
    assert point.text == "src/a_b.py\nx\n\nx = 1\n"
    assert (point.title, point.path, point.entry_hash) == ("x", "src/a_b.py", "f" * 64)


def test_where_nothing_is_defined_the_path_is_the_title() -> None:
    (point,) = code_points_of("shop", FileText("a.md", "Text.\n", "f" * 64, ()), chunk_tokens=100, max_tokens=512)

    assert (point.title, point.text) == ("a.md", "a.md\n\nText.\n")
