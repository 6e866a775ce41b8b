"""Source files → points: a chunk's text with its path and the names of what is defined in it in front. Pure.

How a file is cut is `targets/code_chunks.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sot_pipeline.plan import RecordKey
from sot_pipeline.targets.chunks import CHARS_PER_TOKEN, shortened, utf8_size
from sot_pipeline.targets.code_chunks import Chunk, FileText, Limits, cut_code, definitions_in
from sot_pipeline.targets.vectors.kinds import CODE
from sot_pipeline.targets.vectors.points import AROUND_A_CHUNK, point_of
from sot_pipeline.targets.vectors.store import Point

# Raise it where the same file gives other points: those of another version are made anew.
CUT_VERSION = "1"


def chunks_of(file: FileText, *, chunk_tokens: int, max_tokens: int) -> tuple[Chunk, ...]:
    """The chunks of a file, at least one; with its head none has more than `max_tokens` tokens (see `points_of`)."""
    hard = max_tokens - utf8_size(_path(file, max_tokens)) - max_tokens // 8 - AROUND_A_CHUNK
    limits = Limits(chunk_tokens * CHARS_PER_TOKEN, hard)
    return cut_code(file.content, definitions_in(file.symbols), limits)


def code_points_of(project_id: str, file: FileText, *, chunk_tokens: int, max_tokens: int) -> tuple[Point, ...]:
    """The points of one file, one for each chunk; their title is what is defined in the chunk, else the path."""
    record = RecordKey(project_id, CODE, file.path)
    path = _path(file, max_tokens)
    points = []
    for number, chunk in enumerate(chunks_of(file, chunk_tokens=chunk_tokens, max_tokens=max_tokens)):
        names = _listed(chunk.names, max_tokens // 8 - len("\n"))
        head = f"{path}\n{names}" if names else path
        text = f"{head}\n\n{chunk.text}"
        points.append(point_of(record, number, names or file.path, file.path, text, file.content_hash))
    return tuple(points)


def _path(file: FileText, max_tokens: int) -> str:
    """The path as it stands in front of a chunk."""
    return shortened(file.path, max_tokens // 4)


def _listed(names: Sequence[str], limit: int) -> str:
    """As many of the names, in their order, as `limit` bytes take."""
    listed = ""
    for name in names:
        longer = f"{listed}, {name}" if listed else name
        if utf8_size(longer) > limit:
            break
        listed = longer
    return listed
