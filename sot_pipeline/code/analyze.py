"""One source file, from bytes to its row and its own metrics. Pure: no file is opened here, no clock read.

What needs the other files of the project (graph, duplication, churn, coverage) is in `relate`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from sot_pipeline.code.definitions import definitions_of
from sot_pipeline.code.grammar import Grammar
from sot_pipeline.code.languages import grammar_of
from sot_pipeline.code.measure import Measured, measure
from sot_pipeline.code.model import FILE_METRICS, Metrics, ParseStatus, SourceFile
from sot_pipeline.code.parse import parse
from sot_pipeline.code.text import Text, merge_marker_line, skip_reason, text_of
from sot_pipeline.code.walk import TooMuch, Walk, walk
from sot_pipeline.plan import Json


@dataclass(frozen=True, slots=True)
class Analysis:
    """A file's row, its FILE_METRICS, and its tokens for finding copies (one integer a line: `walk.Walk`)."""

    file: SourceFile
    metrics: Metrics
    tokens: tuple[int, ...] = ()


def analyze(path: str, data: bytes, language: str) -> Analysis:
    """What is to be known of one file by itself; the same bytes give the same answer, and no bytes raise.

    `path` is relative to the project root, `language` one that `language_of` gives. A file that is
    not read (`text.skip_reason`, or a tree beyond the limits of `parse` and `walk`) is SKIPPED; one
    with syntax errors, merge markers or undecodable bytes is PARTIAL: everything syntactic is None
    and the symbols are those that hold no error.
    """
    reason = skip_reason(data)
    if reason is not None:
        return skipped(path, data, language, reason)
    text = text_of(data, language)
    grammar = grammar_of(language)
    try:
        found = walk(parse(text.data, grammar), text.data, grammar)
    except TooMuch as error:
        return skipped(path, data, language, str(error))
    return _read(replace(_blank(path, data, language), content=text.content), text, found, grammar)


def skipped(path: str, data: bytes, language: str, reason: str) -> Analysis:
    """A file of which only size and hash are kept, and why."""
    status: dict[str, Json] = {column: {"reason": reason} for column in FILE_METRICS}
    return Analysis(_blank(path, data, language), Metrics(dict.fromkeys(FILE_METRICS), status))


def _blank(path: str, data: bytes, language: str) -> SourceFile:
    return SourceFile(
        path=path,
        language=language,
        content=None,
        size=len(data),
        line_count=data.count(b"\n") + (not data.endswith(b"\n") and bool(data)),
        content_hash=hashlib.sha256(data).hexdigest(),
        parse_status=ParseStatus.SKIPPED,
    )


def _read(file: SourceFile, text: Text, found: Walk, grammar: Grammar) -> Analysis:
    definitions = definitions_of(found, grammar.table)
    broken = _broken(text, found, grammar)
    measured = measure(found, grammar, definitions, broken)
    row = replace(
        file,
        parse_status=ParseStatus.PARTIAL if broken else ParseStatus.OK,
        functions=measured.symbols.functions,
        classes=measured.symbols.classes,
        imports=measured.symbols.imports,
        exports=measured.symbols.exports,
        symbols=measured.symbols.symbols,
    )
    metrics = _metrics(measured, grammar, text.note)
    return Analysis(row, metrics, () if broken or grammar.table.is_data else found.tokens)


def _broken(text: Text, found: Walk, grammar: Grammar) -> str | None:
    """Why a file that was parsed cannot be measured; None where it can."""
    line = merge_marker_line(text.data)
    if line is not None:
        return f"an unresolved merge, line {line}"
    if found.root.has_error and not grammar.table.takes_any_text:
        return "syntax errors: the parser could not read all of it"
    return text.note


def _metrics(measured: Measured, grammar: Grammar, note: str | None) -> Metrics:
    tool: dict[str, Json] = {"tool": grammar.table.package, "version": grammar.version}
    status: dict[str, Json] = {
        column: tool if measured.values[column] is not None else {"reason": measured.reasons[column]}
        for column in FILE_METRICS
    }
    if grammar.table.is_adapted and measured.values["cognitive_complexity"] is not None:
        status["cognitive_complexity"] = {**tool, "adapted": True}
    if note is not None:
        status["content"] = {"reason": note}
    return Metrics(measured.values, status)
