"""A ledger's bytes to entries and problems: the one function that knows how all rules fit together.

Cutting and reading its parts is `parts.py`, gathering what they say of each entry `gather.py`,
making an entry of it `entries.py`, finding what is wrong `checks.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sot_pipeline.ledgers.checks import Findings, problems_of
from sot_pipeline.ledgers.entries import Definition, record_of
from sot_pipeline.ledgers.gather import define, gather, section_lines, stray_rows
from sot_pipeline.ledgers.meta import NO_BLOCKS, count_definitions
from sot_pipeline.ledgers.model import ParsedLedger
from sot_pipeline.ledgers.parts import NOTHING, KeptParts, Lines, read_parts
from sot_pipeline.plan import Record, RecordKey
from sot_pipeline.workspace import LedgerSpec

BOM = b"\xef\xbb\xbf"


class NotText(ValueError):
    """The bytes are no text: `offset` is the first byte that says so, `reason` why."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(f"{reason} at byte {offset}")


def normalized(data: bytes) -> bytes:
    """`data` as the parser reads it: no byte order mark, line feeds alone; line numbers stay.

    Raises NotText for NUL bytes and for what is not UTF-8.
    """
    nul = data.find(b"\0")
    if nul >= 0:
        raise NotText(nul, "a NUL byte")
    if not data.isascii():
        _decode(data)
    text = data.removeprefix(BOM)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text


# Decoded as a whole, a text with one emoji takes four bytes a character, and eight times as long.
_DECODED_AT_ONCE = 1 << 16


def _decode(data: bytes) -> None:
    """Prove `data` to be UTF-8, so that a slice of it cannot fail later."""
    start = 0
    while start < len(data):
        end = start + _DECODED_AT_ONCE
        while end < len(data) and data[end] & 0xC0 == 0x80:  # within a character
            end += 1
        try:
            data[start:end].decode()
        except UnicodeDecodeError as error:
            raise NotText(start + error.start, "not valid UTF-8") from None
        start = end


@dataclass(frozen=True, slots=True)
class Kept:
    """What reading one version of a ledger leaves for reading the next: its parts, and its entries by id."""

    parts: KeptParts
    definitions: Mapping[str, Definition]
    records: Mapping[str, Record]


NOTHING_KEPT = Kept(NOTHING, {}, {})


def parse_ledger(data: bytes, spec: LedgerSpec, project_id: str) -> ParsedLedger:
    """Every entry of a ledger, where it stands, and what is wrong with the file.

    Raises NotText for bytes that are no text; nothing else, whatever the text.
    """
    return parse_version(data, hashlib.sha256(data).hexdigest(), spec, project_id, None)[0]


def parse_version(
    data: bytes, file_hash: str, spec: LedgerSpec, project_id: str, before: Kept | None
) -> tuple[ParsedLedger, Kept]:
    """`parse_ledger`, and what to hand in as `before` for the next version of this ledger.

    What was kept changes nothing in what it gives. Where `before` is None, nothing is kept.
    """
    text = normalized(data)
    read = read_parts(text, spec.prefix, before.parts if before else None)
    found = gather(read.parts)
    stray = stray_rows(found, spec.prefix)
    definitions, lines = define(found, stray, (before or NOTHING_KEPT).definitions)
    records = _records(definitions, before or NOTHING_KEPT, project_id, spec.file_type)
    findings = Findings(
        text=text,
        blocks=read.parts[0].blocks if read.parts else NO_BLOCKS,
        unclosed=read.unclosed,
        orphans=read.orphans,
        definitions=definitions,
        section_lines=section_lines(read.parts, definitions),
        index_line=found.indexes[0].line if found.indexes else None,
        rows_without_id=found.rows_without_id,
        stray_rows=stray,
        line_of=Lines(text).number,
        truth=count_definitions(definitions),
        prefix=spec.prefix,
    )
    ledger = ParsedLedger(
        spec=spec,
        file_hash=file_hash,
        records=tuple(records.values()),
        lines=lines,
        problems=tuple(problems_of(findings, spec)),
        truth=findings.truth,
    )
    return ledger, Kept(read.kept, definitions, records) if before else NOTHING_KEPT


def _records(definitions: Mapping[str, Definition], before: Kept, project_id: str, file_type: str) -> dict[str, Record]:
    """The entries by id; those whose definition stayed are not made again."""
    records: dict[str, Record] = {}
    for entry_id, definition in definitions.items():
        if before.definitions.get(entry_id) is definition:
            records[entry_id] = before.records[entry_id]
        else:
            records[entry_id] = record_of(RecordKey(project_id, file_type, entry_id), definition)
    return records
