"""Copied code: the share of a file's lines that also stand elsewhere in the project.

Lines are compared as tokens, without white space and comments and with literals written as 0
(`walk.Walk.tokens`), so that a copy is found after reformatting and with other numbers and texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy
from numpy.typing import NDArray

# A copy: so many lines that hold code, with so many tokens. Fewer are idiom (as in jscpd's default of 50 tokens).
WINDOW_LINES = 6
WINDOW_TOKENS = 50

# Any odd number with many bits mixes well under multiplication modulo 2^64.
_MIX = numpy.uint64(0x9E3779B97F4A7C15)


def duplication(files: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """For each file that has tokens the fraction of its lines that lie in a window found elsewhere too.

    Windows that overlap in one file are one place: a row of equal lines is no copy of itself.
    """
    with_code = {path: tokens for path, tokens in files.items() if tokens}
    if not with_code:
        return {}
    lengths = numpy.fromiter((len(tokens) for tokens in with_code.values()), dtype=numpy.int64)
    lines = numpy.concatenate([numpy.asarray(tokens, dtype=numpy.uint64) for tokens in with_code.values()])
    starts = numpy.concatenate(([0], numpy.cumsum(lengths)))
    copied = _copied_lines(lines, starts)
    sums = numpy.concatenate(([0], numpy.cumsum(copied)))
    shares = (sums[starts[1:]] - sums[starts[:-1]]) / lengths
    return dict(zip(with_code, shares.tolist(), strict=True))


def _copied_lines(lines: NDArray[numpy.uint64], starts: NDArray[numpy.int64]) -> NDArray[numpy.bool_]:
    """For each line of all files, one after the other, whether it is in a copied window."""
    copied = numpy.zeros(len(lines), dtype=bool)
    windows = len(lines) - WINDOW_LINES + 1
    if windows <= 0:
        return copied
    texts, counts = lines & numpy.uint64(0xFFFFFFFF), (lines >> numpy.uint64(32)) & numpy.uint64(0xFF)
    hashes = numpy.zeros(windows, dtype=numpy.uint64)
    tokens = numpy.zeros(windows, dtype=numpy.uint64)
    for offset in range(WINDOW_LINES):
        hashes = (hashes + texts[offset : offset + windows]) * _MIX
        tokens += counts[offset : offset + windows]
    files = numpy.searchsorted(starts, numpy.arange(len(lines)), side="right")
    complete = (files[:windows] == files[WINDOW_LINES - 1 :]) & (tokens >= WINDOW_TOKENS)
    places = numpy.flatnonzero(complete)
    for place in _repeated(hashes[places], places).tolist():
        copied[place : place + WINDOW_LINES] = True
    return copied


def _repeated(hashes: NDArray[numpy.uint64], places: NDArray[numpy.int64]) -> NDArray[numpy.int64]:
    """The places of windows whose hash is found at least a window's length away as well."""
    if not len(places):
        return places
    order = numpy.argsort(hashes, kind="stable")
    hashes, places = hashes[order], places[order]
    firsts = numpy.flatnonzero(numpy.concatenate(([True], hashes[1:] != hashes[:-1])))
    lasts = numpy.concatenate((firsts[1:], [len(hashes)])) - 1
    apart = places[lasts] - places[firsts] >= WINDOW_LINES
    found: NDArray[numpy.int64] = places[numpy.repeat(apart, lasts - firsts + 1)]
    return found
