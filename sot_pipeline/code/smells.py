"""Code smells, what they cost, and the indices computed from them: maintainability, debt, quality.

The rules are published in docs/code-metrics.md; a threshold is changed in both places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from sot_pipeline.code.complexity import Complexity
from sot_pipeline.code.definitions import Definition
from sot_pipeline.code.lines import Comment

# What a line of new code costs, in minutes: the default of the SQALE method's implementation in SonarQube.
MINUTES_A_LINE = 30


@dataclass(frozen=True, slots=True)
class Rule:
    """A smell: its name, above which number it is one, and the minutes that mending it takes."""

    name: str
    above: int
    minutes: int


LONG_FILE = Rule("long file", 1000, 60)
LONG_FUNCTION = Rule("long function", 75, 20)
COMPLEX_FUNCTION = Rule("complex function", 10, 30)
UNREADABLE_FUNCTION = Rule("hard to follow", 15, 30)
DEEP_NESTING = Rule("deep nesting", 4, 15)
MANY_PARAMETERS = Rule("many parameters", 7, 20)
TASK_COMMENT = Rule("open task in a comment", 0, 10)
RULES = (
    LONG_FILE,
    LONG_FUNCTION,
    COMPLEX_FUNCTION,
    UNREADABLE_FUNCTION,
    DEEP_NESTING,
    MANY_PARAMETERS,
    TASK_COMMENT,
)

_TASK = re.compile(rb"\b(?:TODO|FIXME|XXX|HACK)\b")


def smells_of(
    definitions: Sequence[Definition],
    complexities: Mapping[int, Complexity],
    comments: Iterable[Comment],
    code_lines: int,
) -> list[Rule]:
    """The rules a file breaks, each as often as it breaks it."""
    smells = [LONG_FILE] if code_lines > LONG_FILE.above else []
    for definition in definitions:
        found = complexities.get(definition.mark)
        if found is not None:
            smells += _of_function(definition, found)
    smells += [TASK_COMMENT for comment in comments if _TASK.search(comment.text)]
    return smells


def _of_function(function: Definition, found: Complexity) -> list[Rule]:
    measured = (
        (LONG_FUNCTION, function.end_line - function.line + 1),
        (COMPLEX_FUNCTION, found.cyclomatic),
        (UNREADABLE_FUNCTION, found.cognitive),
        (DEEP_NESTING, found.nesting),
        (MANY_PARAMETERS, function.parameters or 0),
    )
    return [rule for rule, value in measured if value > rule.above]


def debt_ratio(smells: Iterable[Rule], code_lines: int) -> float | None:
    """SQALE: minutes to mend all smells, over what writing the file anew costs; None for a file without code."""
    return sum(rule.minutes for rule in smells) / (MINUTES_A_LINE * code_lines) if code_lines else None


def maintainability_index(volume: float, cyclomatic: int, code_lines: int) -> float | None:
    """The 0–100 variant: max(0, (171 - 5.2 ln V - 0.23 CC - 16.2 ln LOC) · 100 / 171).

    Oman and Hagemeister 1992, rescaled as in Visual Studio, of the whole file. None without code.
    """
    if not code_lines:
        return None
    raw = 171 - 5.2 * log(max(volume, 1.0)) - 0.23 * cyclomatic - 16.2 * log(code_lines)
    return min(100.0, max(0.0, raw * 100 / 171))


# SQALE's worst grade, E, begins where mending costs half of writing anew.
_WORST_DEBT = 0.5


def quality_score(maintainability: float | None, debt: float | None, documentation: float | None) -> float | None:
    """0–100, the mean of what is known of: maintainability, 100 · (1 - debt / 0.5), 100 · documentation."""
    if maintainability is None or debt is None:
        return None
    parts = [maintainability, 100 * (1 - min(1.0, debt / _WORST_DEBT))]
    if documentation is not None:
        parts.append(100 * documentation)
    return sum(parts) / len(parts)
