"""Reading a ledger's file: the only I/O of this room. What cannot be read is quarantined, not raised."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import NamedTuple

from sot_pipeline.errors import FileUnusable
from sot_pipeline.ledgers.model import ParsedLedger, Quarantined
from sot_pipeline.ledgers.parse import NOTHING_KEPT, Kept, NotText, parse_version
from sot_pipeline.plan import Problem, Severity
from sot_pipeline.runtime.contained import read_inside
from sot_pipeline.workspace import LedgerSpec, Project

# A resident process (Dagster, a watcher) reads the same bytes again and again: parse them once.
# Of a ledger that was edited, only the parts that the edit touched. Bounded by the bytes of the
# ledgers: the parsed entries are about as large, and so is what is kept for reading the next version.
CACHE_BYTES = 64 * 1024 * 1024


def read_ledger(project: Project, spec: LedgerSpec) -> ParsedLedger | Quarantined | None:
    """The ledger as it is now; None for a default ledger that is not there.

    The file is read once. One that is missing though declared, no regular file, outside the
    project, too large, not permitted or no text, and one whose entries a comment hides, is
    quarantined with a problem of severity error.
    """
    path = project.root / spec.path
    try:
        data = _read(project, spec)
    except (FileNotFoundError, NotADirectoryError):
        if not spec.declared and not path.is_symlink():
            return None
        return _quarantine(spec, "The ledger is missing. Create the file, or remove it from sot.toml.")
    except FileUnusable as error:
        return _quarantine(spec, str(error))
    except OSError as error:
        return _quarantine(spec, f"The ledger cannot be read ({error.strerror}). Mend its permissions.")
    try:
        parsed = _CACHE.parse(data, spec, project.id)
    except NotText as error:
        return _quarantine(spec, f"The ledger is no text: {error}. Save it as UTF-8, or restore it.")
    hidden = next((problem for problem in parsed.problems if problem.severity is Severity.ERROR), None)
    return Quarantined(spec, hidden) if hidden else parsed


def _read(project: Project, spec: LedgerSpec) -> bytes:
    limit = project.max_ledger_bytes
    data = read_inside(project.root, spec.path, limit)
    if len(data) > limit:
        raise FileUnusable(
            f"The ledger is larger than {limit // 1024 // 1024} MiB.",
            remedy="Split it, or raise 'max_ledger_mib' in sot.toml.",
        )
    return data


def _quarantine(spec: LedgerSpec, message: str) -> Quarantined:
    return Quarantined(spec, Problem("entries_parse", Severity.ERROR, spec.path, None, message))


class _Version(NamedTuple):
    """A ledger of `size` bytes, parsed, and what is kept of it for reading its next version."""

    size: int
    parsed: ParsedLedger
    kept: Kept


class ParseCache:
    """The newest version of each ledger, parsed; the ledgers used least recently go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._lock = threading.Lock()
        self._versions: OrderedDict[tuple[str, LedgerSpec], _Version] = OrderedDict()

    def parse(self, data: bytes, spec: LedgerSpec, project_id: str) -> ParsedLedger:
        """`parse_ledger`, or what it gave for these bytes before. Raises NotText."""
        key = (project_id, spec)
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            found = self._versions.get(key)
            if found and found.parsed.file_hash == digest:
                self._versions.move_to_end(key)
                return found.parsed
        before = (found.kept if found else NOTHING_KEPT) if len(data) <= self._limit else None
        parsed, kept = parse_version(data, digest, spec, project_id, before)
        with self._lock:
            if replaced := self._versions.pop(key, None):
                self._size -= replaced.size
            self._size += len(data)
            self._versions[key] = _Version(len(data), parsed, kept)
            while self._size > self._limit:
                self._size -= self._versions.popitem(last=False)[1].size
        return parsed


_CACHE = ParseCache(CACHE_BYTES)
