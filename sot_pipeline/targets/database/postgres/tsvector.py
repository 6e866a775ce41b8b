"""tsvectors in PostgreSQL's binary format, made from counted words.

Format (src/backend/utils/adt/tsvector.c, tsvectorsend): the number of lexemes as int32, then for
each the lexeme and a zero byte, the number of its positions as uint16, and the positions, 14 bits
of 16 each, ascending. A lexeme has at most 255 positions, and is shorter than 2 kB.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from psycopg.adapt import Dumper
from psycopg.pq import Format

_OID = 3614
_MOST_POSITIONS = 255
# Nobody types a longer word, and a base64 blob is none.
_LONGEST_WORD = 255
# The end of a lexeme with n positions, for each n.
_TAILS = [b"\0" + struct.pack(f">H{count}H", count, *range(1, count + 1)) for count in range(_MOST_POSITIONS + 1)]


class TsVector(bytes):
    """A tsvector in binary format."""


class TsVectorDumper(Dumper):
    """Lets psycopg send a `TsVector` as it is."""

    format = Format.BINARY
    oid = _OID

    def dump(self, obj: TsVector) -> bytes:
        """The bytes that go over the wire."""
        return obj


def tsvector(counts: Mapping[str, int]) -> TsVector:
    """The tsvector in which each word has as many positions as it counts; the words in the server's order."""
    lexemes = sorted(
        (word.encode(), min(count, _MOST_POSITIONS)) for word, count in counts.items() if len(word) <= _LONGEST_WORD
    )
    return TsVector(struct.pack(">i", len(lexemes)) + b"".join([word + _TAILS[count] for word, count in lexemes]))
