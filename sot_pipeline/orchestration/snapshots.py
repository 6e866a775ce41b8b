"""What `parsed_ledgers` hands on: keys and hashes as a JSON file, locally or in an object store.

The entries themselves are not in it: whoever writes a target reads the ledgers as they are now
and compares with the snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import dagster as dg

from sot_pipeline.ledgers.project import ParsedProject
from sot_pipeline.plan import hash_text

if TYPE_CHECKING:
    from upath import UPath

SNAPSHOT_VERSION = 1


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """The ledgers of one project at one moment.

    `files_hash` covers the bytes of every ledger; `entries` is file_type → entry id → content hash.
    """

    project_id: str
    files_hash: str
    entries: Mapping[str, Mapping[str, str]]


def snapshot_of(parsed: ParsedProject) -> LedgerSnapshot:
    """The snapshot of ledgers that were just read."""
    return LedgerSnapshot(parsed.project.id, parsed.hash, _entries(parsed))


def entries_hash(parsed: ParsedProject) -> str:
    """Fingerprint of all entries (16 hex characters): moving one, or other line ends, keep it."""
    return hash_text(json.dumps(_entries(parsed), sort_keys=True))


def _entries(parsed: ParsedProject) -> dict[str, dict[str, str]]:
    return {
        ledger.spec.file_type: {record.key.entry_id: record.content_hash for record in ledger.records}
        for ledger in parsed.ledgers
    }


def to_json(snapshot: LedgerSnapshot) -> str:
    """The snapshot as one JSON document."""
    return json.dumps({"version": SNAPSHOT_VERSION, **asdict(snapshot)}, ensure_ascii=False, indent=1)


def from_json(text: str) -> LedgerSnapshot:
    """The snapshot that `to_json` wrote. Raises dagster.Failure for anything else."""
    try:
        document = json.loads(text)
        if document["version"] != SNAPSHOT_VERSION:
            raise ValueError(f"version {document['version']} instead of {SNAPSHOT_VERSION}")
        return LedgerSnapshot(document["project_id"], document["files_hash"], document["entries"])
    except (ValueError, KeyError, TypeError) as error:
        raise dg.Failure(f"The snapshot cannot be read ({error}). Materialize parsed_ledgers again.") from None


class SnapshotIOManager(dg.ConfigurableIOManagerFactory["SnapshotStore"]):
    """Keeps snapshots below `base_path`: a folder, or a URL such as `s3://bucket/prefix`."""

    base_path: str

    def create_io_manager(self, context: dg.InitResourceContext) -> SnapshotStore:  # noqa: ARG002
        """The store at `base_path`; nothing is opened before the first snapshot."""
        from upath import UPath

        return SnapshotStore(UPath(self.base_path))


class SnapshotStore(dg.UPathIOManager):
    """One JSON file a partition. An object store needs its fsspec package (s3fs, gcsfs, adlfs)."""

    extension: str | None = ".json"

    def dump_to_path(self, context: dg.OutputContext, obj: LedgerSnapshot, path: UPath) -> None:  # noqa: ARG002
        """Write `obj`; a reader never sees half of it on a local disk."""
        draft = path.with_name(f"{path.name}.new")
        draft.write_text(to_json(obj), encoding="utf-8")
        draft.rename(path)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> LedgerSnapshot:  # noqa: ARG002
        """The snapshot at `path`. Raises dagster.Failure where there is none yet."""
        if not path.exists():
            raise dg.Failure(f"There is no snapshot at {path}. Materialize parsed_ledgers first.", allow_retries=False)
        return from_json(path.read_text(encoding="utf-8"))
