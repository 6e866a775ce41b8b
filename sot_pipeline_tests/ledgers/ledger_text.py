"""Ledgers for the tests: a spec, a parser call, and texts put together from rows and sections."""

from __future__ import annotations

from sot_pipeline.ledgers.model import ParsedLedger
from sot_pipeline.ledgers.parse import parse_ledger
from sot_pipeline.plan import Record
from sot_pipeline.workspace import LedgerSpec

BUILDS = LedgerSpec("build_history", "docs/BUILD_HISTORY.md", "BUILD")
DECISIONS = LedgerSpec("architecture_decisions", "docs/ARCHITECTURE_DECISIONS.md", "DEC")
DEBUGGING = LedgerSpec("debug_log", "docs/DEBUG_LOG.md", "DBG")

INDEX_HEAD = (
    "## INDEX (newest first)\n"
    "| Timestamp | BUILD-ID | Phase | Summary | Files Changed |\n"
    "|-----------|----------|-------|---------|---------------|\n"
)


def parse(text: str | bytes, spec: LedgerSpec = BUILDS) -> ParsedLedger:
    return parse_ledger(text if isinstance(text, bytes) else text.encode(), spec, "demo")


def entries(text: str | bytes, spec: LedgerSpec = BUILDS) -> dict[str, Record]:
    return {record.key.entry_id: record for record in parse(text, spec).records}


def hashes(text: str | bytes, spec: LedgerSpec = BUILDS) -> dict[str, str]:
    return {entry_id: record.content_hash for entry_id, record in entries(text, spec).items()}


def messages(text: str, check: str, spec: LedgerSpec = BUILDS) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.message) for problem in parse(text, spec).problems if problem.check == check]


def row(entry_id: str, summary: str = "Summary", date: str = "2026-01-01", phase: str = "Hotfix") -> str:
    return f"| {date} | {entry_id} | {phase} | {summary} | 1 |\n"
