"""Which full-text rows there should be, which there are, and the search over them.

The full text is derived from entries and has fingerprints of its own: each chunk's row carries
the content hash of its entry and how many chunks there are, so that a lost or altered row is seen
without reading any text. How rows are stored and ranked is each database's own `full_text`.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import cast

from sot_pipeline.plan import Plan, Record, RecordKey, diff
from sot_pipeline.targets.chunks import chunk_text
from sot_pipeline.targets.database.engine import Document, Engine, Scored, listed
from sot_pipeline.targets.database.model import TextMatch
from sot_pipeline.targets.database.rows import DAMAGED, keys_of
from sot_pipeline.targets.database.words import names_in, query_words

# Raise it where chunks, words or weights change: every full-text row is then made anew.
LAYOUT = 2
# search.md: chunks by heading of about 400 tokens ranked best.
CHUNK_CHARS = 1_600
# A tsvector holds at most a megabyte.
LONGEST_CHUNK = 60_000
# A title is a line; the rest of an absurd one is found in the rows, not by search.
LONGEST_TITLE = 1_000
RECORDS_AT_A_TIME = 5_000


def documents_of(record: Record) -> list[Document]:
    """The full-text rows of one entry."""
    chunks = chunk_text(record.content, soft_chars=CHUNK_CHARS, hard_chars=LONGEST_CHUNK)
    mark = f"{record.content_hash}/{len(chunks)}/{LAYOUT}"
    title = record.title[:LONGEST_TITLE]
    return [Document(*record.key, number, mark, title, chunk) for number, chunk in enumerate(chunks)]


def fingerprints(engine: Engine, project_id: str, file_type: str | None = None) -> dict[RecordKey, str]:
    """Key → content hash of the entry as it was indexed, `DAMAGED` where its rows are not complete.

    Of one `file_type`, or of all.
    """
    if not engine.full_text.is_ready():
        return {}
    ids, fingerprint = engine.gathered("entry_id"), engine.gathered("fingerprint")
    where, parameters = "project_id = ?", [project_id]
    if file_type is not None:
        where, parameters = f"{where} AND file_type = ?", [project_id, file_type]
    sql = f"SELECT file_type, {ids}, {fingerprint} FROM sot_fulltext WHERE {where} GROUP BY file_type"
    found: dict[RecordKey, str] = {}
    for kind, entry_ids, prints in engine.query(sql, parameters):
        rows = list(zip(listed(entry_ids), listed(prints), strict=True))
        marks = dict(rows)
        counts = Counter(entry_id for entry_id, _ in rows)
        hashes = [_whole(mark, counts[entry_id]) for entry_id, mark in marks.items()]
        found.update(zip(keys_of(project_id, kind, marks), hashes, strict=True))
        if len(set(rows)) > len(marks):  # rows of one entry that say different things
            mixed = [entry_id for entry_id, mark in set(rows) if mark != marks[entry_id]]
            found.update(dict.fromkeys(keys_of(project_id, kind, mixed), DAMAGED))
    return found


def _whole(mark: str, count: int) -> str:
    """The content hash that `count` rows of an entry carry, where that is all of them."""
    content_hash, _, rest = mark.partition("/")
    return content_hash if rest == f"{count}/{LAYOUT}" else DAMAGED


def plan(
    engine: Engine, project_id: str, records: Sequence[Record], *, keep: Collection[str], deep: bool
) -> Plan[RecordKey, Record]:
    """What to do to the full text so that it is that of `records`; file_types in `keep` are left alone.

    With `deep` the stored text is compared as well, and the index with the text.
    """
    wanted = [record for record in records if record.key.file_type not in keep] if keep else records
    present = fingerprints(engine, project_id)
    if keep:
        present = {key: found for key, found in present.items() if key.file_type not in keep}
    if deep and present:
        damaged = engine.full_text.unsound(project_id) | _altered(engine, project_id, wanted)
        present |= dict.fromkeys(damaged & present.keys(), DAMAGED)
    return diff(wanted, present)


def _altered(engine: Engine, project_id: str, records: Iterable[Record]) -> set[RecordKey]:
    """Entries whose stored rows are not the ones that `records` give."""
    wanted = {record.key: record for record in records}
    rows = cast(
        "Iterator[tuple[str, str, str, int, str, str, str]]",
        engine.stream(
            "SELECT project_id, file_type, entry_id, chunk, fingerprint, title, body FROM sot_fulltext "
            "WHERE project_id = ? ORDER BY file_type, entry_id, chunk",
            (project_id,),
        ),
    )
    altered = set()
    for key, stored in groupby(rows, key=lambda row: RecordKey(*row[:3])):
        if key in wanted and [Document(*row) for row in stored] != documents_of(wanted[key]):
            altered.add(key)
    return altered


def write(engine: Engine, plan_of: Callable[[], Plan[RecordKey, Record]], *, sound: bool) -> Plan[RecordKey, Record]:
    """Make the index usable where it is not `sound`, then do what `plan_of` says, and answer that."""
    if not sound:
        engine.full_text.prepare()
    found = plan_of()
    apply(engine, found)
    if not (sound and found.is_empty):
        engine.full_text.finish()
    return found


def apply(engine: Engine, plan: Plan[RecordKey, Record]) -> None:
    """Do what `plan` says, a batch of entries at a time."""
    gone = [*plan.deletes, *(record.key for record in plan.updates)]
    if gone:
        engine.full_text.replace(gone, ())
    for start in range(0, len(plan.upserts), RECORDS_AT_A_TIME):
        batch = plan.upserts[start : start + RECORDS_AT_A_TIME]
        engine.full_text.replace((), [document for record in batch for document in documents_of(record)])


def search(engine: Engine, query: str, *, where: Mapping[str, Sequence[str]], limit: int) -> list[TextMatch]:
    """The entries that fit `query` best, each once, best first.

    An entry that the query names by its id comes before all others: its score is raised by the
    best of theirs.
    """
    words = query_words(query)
    if not words or limit < 1 or not engine.full_text.is_ready():
        return []
    found = engine.full_text.search(words, named=names_in(query), where=where, limit=limit)
    best = max((match.score for match in found), default=0.0)
    return [_match(match, best) for match in found]


def _match(found: Scored, best: float) -> TextMatch:
    score = found.score + best if found.named else found.score
    return TextMatch(found.key, found.chunk, score, found.title, found.body)
