"""The sensor's memory between two ticks: the state of each project's files, as a text.

What counts as a change is `runtime.tree`; turning a change into a run request is `sensors.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sot_pipeline.plan import Json
from sot_pipeline.runtime.tree import FileState, ProjectState

CURSOR_VERSION = 1


def encode(states: Mapping[str, ProjectState]) -> str:
    """The cursor: JSON that an operator can read in the UI."""
    projects: dict[str, Json] = {
        project_id: {
            "hash": state.hash,
            "generation": state.generation,
            "files": {path: list(file) for path, file in sorted(state.files.items())},
        }
        for project_id, state in sorted(states.items())
    }
    return json.dumps({"version": CURSOR_VERSION, "projects": projects}, separators=(",", ":"))


def decode(cursor: str | None) -> dict[str, ProjectState]:
    """Project id → state. A cursor that cannot be read (edited by hand, another version) is empty.

    Forgetting is safe: every project is then looked at as if for the first time.
    """
    try:
        document = json.loads(cursor or "{}")
        if document.get("version") != CURSOR_VERSION:
            return {}
        return {project_id: _state_from(state) for project_id, state in document["projects"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _state_from(state: Mapping[str, object]) -> ProjectState:
    generation, files = state["generation"], state["files"]
    if not isinstance(generation, int) or not isinstance(files, dict):
        raise TypeError("not a project's state")
    return ProjectState(
        generation, {path: FileState(int(size), int(mtime), str(text)) for path, (size, mtime, text) in files.items()}
    )
