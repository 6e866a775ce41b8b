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


class _Tails(dict[int, bytes]):
    """The end of a lexeme by how many positions it has, made when first asked for."""

    def __missing__(self, count: int) -> bytes:
        positions = min(count, _MOST_POSITIONS)
        self[count] = b"\0" + struct.pack(f">H{positions}H", positions, *range(1, positions + 1))
        return self[count]


_TAILS = _Tails()


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
    # UTF-8 sorts as its characters do, so the words need not be encoded to be put in order.
    words = sorted(word for word in counts if len(word) <= _LONGEST_WORD)
    return TsVector(len(words).to_bytes(4, "big") + b"".join([word.encode() + _TAILS[counts[word]] for word in words]))
