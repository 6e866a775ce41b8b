"""The metrics of one parsed file: each of FILE_METRICS has a value, or a reason for having none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sot_pipeline.code.complexity import Complexity, complexity_of
from sot_pipeline.code.definitions import Definition
from sot_pipeline.code.grammar import Grammar, Role
from sot_pipeline.code.halstead import Halstead, halstead
from sot_pipeline.code.lines import BLANK, CODE, COMMENT
from sot_pipeline.code.model import FILE_METRICS
from sot_pipeline.code.semantics import domains_of, features_of, patterns_of
from sot_pipeline.code.smells import debt_ratio, maintainability_index, quality_score, smells_of
from sot_pipeline.code.symbols import Symbols, counts_of, documentation_coverage, symbols_of
from sot_pipeline.code.walk import Walk
from sot_pipeline.plan import Json

_NO_CODE = "the file has no code"
_REASONS: Mapping[str, str] = {
    "security_score": "no security scanner has looked at this file",
    "vulnerability_count": "no security scanner has looked at this file",
    "maintainability_index": _NO_CODE,
    "technical_debt_ratio": _NO_CODE,
    "quality_score": _NO_CODE,
    "documentation_coverage": "the file defines nothing public",
    "exports": "this language has no exports",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Values of all FILE_METRICS (None where unknown), a reason for each None, and the lists of the row."""

    values: Mapping[str, Json]
    reasons: Mapping[str, str]
    symbols: Symbols


def measure(walk: Walk, grammar: Grammar, definitions: Sequence[Definition], broken: str | None) -> Measured:
    """All metrics of a file; where it is `broken` (the reason), the lists of its sound symbols and nothing else."""
    table = grammar.table
    if broken is not None:
        symbols = symbols_of(definitions, walk.marks, table, {})
        return _measured(_lists(symbols), dict.fromkeys(FILE_METRICS, broken), symbols)
    if table.is_data:
        symbols = symbols_of(definitions, walk.marks, table, {})
        known = {**_lines(walk), "symbols": list[Json](symbols.symbols)}
        return _measured(known, dict.fromkeys(FILE_METRICS, f"not defined for {table.title}"), symbols)
    functions = {definition.mark for definition in definitions if definition.role == Role.FUNCTION}
    file, complexities = complexity_of(walk.marks, table, functions.__contains__)
    symbols = symbols_of(definitions, walk.marks, table, complexities)
    halsteads = halstead(walk.operators, walk.operands)
    values: dict[str, Json] = {
        **_lines(walk),
        **_lists(symbols),
        **counts_of(definitions),
        **_sizes(halsteads, file),
        **_judgements(walk, definitions, file, complexities, halsteads.volume),
        "domains": list(domains_of(symbols.imports)),
        "patterns": list(patterns_of(definitions)),
        "features": list(features_of(walk.operators, grammar)),
    }
    known = {column: value for column, value in values.items() if column not in table.absent}
    return _measured(known, {**_REASONS, **table.absent}, symbols)


def _measured(known: Mapping[str, Json], reasons: Mapping[str, str], symbols: Symbols) -> Measured:
    values = {column: known.get(column) for column in FILE_METRICS}
    return Measured(values, {column: reasons[column] for column, value in values.items() if value is None}, symbols)


def _lines(walk: Walk) -> dict[str, Json]:
    kinds = walk.kinds
    return {
        "total_lines": len(kinds),
        "code_lines": kinds.count(CODE),
        "comment_lines": kinds.count(COMMENT),
        "blank_lines": kinds.count(BLANK),
    }


def _lists(symbols: Symbols) -> dict[str, Json]:
    return {
        "imports": list(symbols.imports),
        "exports": list(symbols.exports),
        "symbols": list(symbols.symbols),
    }


def _sizes(halsteads: Halstead, file: Complexity) -> dict[str, Json]:
    return {
        "cyclomatic_complexity": file.cyclomatic,
        "cognitive_complexity": file.cognitive,
        "nesting_depth": file.nesting,
        "halstead_vocabulary": halsteads.vocabulary,
        "halstead_length": halsteads.length,
        "halstead_volume": halsteads.volume,
        "halstead_difficulty": halsteads.difficulty,
        "halstead_effort": halsteads.effort,
    }


def _judgements(
    walk: Walk,
    definitions: Sequence[Definition],
    file: Complexity,
    complexities: Mapping[int, Complexity],
    volume: float,
) -> dict[str, Json]:
    code_lines = walk.kinds.count(CODE)
    smells = smells_of(definitions, complexities, walk.comments, code_lines)
    maintainability = maintainability_index(volume, file.cyclomatic, code_lines)
    debt = debt_ratio(smells, code_lines)
    documentation = documentation_coverage(definitions)
    return {
        "maintainability_index": maintainability,
        "technical_debt_ratio": debt,
        "code_smells_count": len(smells),
        "documentation_coverage": documentation,
        "quality_score": quality_score(maintainability, debt, documentation),
    }
