"""Work that takes long, in threads of its own, for a resident process that must not wait for it.

What the work is, and what follows it, is the caller's business.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sot_pipeline.errors import SotError

K = TypeVar("K", bound=Hashable)

# Work that is done at once is waited for; asking again would take longer.
_SHORT_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Ended:
    """That a piece of work has ended, with this error if it failed."""

    error: SotError | None = None


class Background(Generic[K]):
    """One piece of work a key, all of them one after the other. To be asked by one thread.

    The threads are no reason for the process to stay: work must bear being cut short.
    """

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._running: dict[K, _Piece] = {}

    def ended(self, key: K, work: Callable[[], None]) -> Ended | None:
        """How the work of `key` ended, None while it is under way; it begins where none is.

        What ended is forgotten, so that asking again begins anew. Raises what is no SotError.
        """
        piece = self._running.get(key)
        if piece is None:
            piece = self._running[key] = _Piece(work, self._one_at_a_time)
            piece.start()
        piece.join(_SHORT_SECONDS)
        if piece.is_alive():
            return None
        del self._running[key]
        if piece.error is None or isinstance(piece.error, SotError):
            return Ended(piece.error)
        raise piece.error


class _Piece(threading.Thread):
    def __init__(self, work: Callable[[], None], turn: threading.Lock) -> None:
        super().__init__(daemon=True, name="background")
        self._work = work
        self._turn = turn
        self.error: Exception | None = None

    def run(self) -> None:
        with self._turn:
            try:
                self._work()
            except Exception as error:  # raised again in the thread that asks
                self.error = error
