"""How a long phase tells whoever watches how far it is. Showing it is the watcher's business."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # phase, done, total


def silent(phase: str, done: int, total: int) -> None:  # the shape of Progress
    """Progress for whoever does not watch."""
