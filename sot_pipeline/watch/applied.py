"""One applied batch of one project, as a value: what the command prints and the reporter gets."""

from __future__ import annotations

from dataclasses import dataclass

from sot_pipeline.watch.source import Result


@dataclass(frozen=True, slots=True)
class Applied:
    """`paths` (below the project's root) changed since the last batch; `files_hash` is of all files of the source,
    with skills of what differed.

    `milliseconds` is what applying took. With an error in `result` all tries failed; the watcher
    goes on, and comes back to it.
    """

    source: str
    project_id: str
    paths: tuple[str, ...]
    files_hash: str
    milliseconds: int
    result: Result
