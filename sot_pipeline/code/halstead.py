"""Halstead's measures (Elements of Software Science, 1977) from a file's operators and operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2


@dataclass(frozen=True, slots=True)
class Halstead:
    """Vocabulary n = n1 + n2, length N = N1 + N2, volume V = N log2 n, difficulty D = n1/2 · N2/n2, effort E = D · V.

    n1, N1 count different and all operators, n2, N2 operands. What holds nothing has volume 0; what
    has no operand has difficulty 0.
    """

    vocabulary: int
    length: int
    volume: float
    difficulty: float
    effort: float


def halstead(operators: Sequence[int], operands: Sequence[bytes]) -> Halstead:
    """The five measures of a file."""
    different_operators, different_operands = len(set(operators)), len(set(operands))
    vocabulary = different_operators + different_operands
    length = len(operators) + len(operands)
    volume = length * log2(vocabulary) if vocabulary else 0.0
    difficulty = different_operators / 2 * len(operands) / different_operands if operands else 0.0
    return Halstead(vocabulary, length, volume, difficulty, difficulty * volume)
