"""Events of the file system, as hints: which paths may have changed. The one module that imports watchfiles.

Events get lost (a full queue is silent about it) and tell nothing of contents: what is true is
found out by looking at the files. Folders are watched without those below them, so that nobody
pays for a folder that no source asked for.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

# Documented, in spite of its name, as the interface below `watch`, which cannot wait for as long as we say.
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

# How often the queue is looked at while nothing happens: each look costs some 50 µs of a processor,
# and an event waits for one and a half on average.
_STEP_MS = 12
# Hints that keep coming are handed out after this.
_LONGEST_MS = 30
# Where nothing can be watched, or every look fails, one must not look again and again at once.
_PAUSE_AFTER_LOSS = 0.5


@dataclass(frozen=True, slots=True)
class Hints:
    """Absolute paths that may have changed; `lost` where others may have as well."""

    paths: frozenset[str] = frozenset()
    lost: bool = False


class Events:
    """The watch on some folders, to be used by the main thread: its waiting lets signals through."""

    def __init__(self) -> None:
        self._notify: RustNotify | None = None

    def watch(self, folders: Collection[str]) -> None:
        """Watch exactly these from now on; what happened until now has to be looked for.

        A folder that has just gone is left out. Where nothing can be watched, say because the system
        allows no more watches, every wait says that hints are lost.
        """
        self.close()
        try:
            self._notify = RustNotify(sorted(folders), False, False, 0, False, True)
        except (OSError, WatchfilesRustInternalError):
            self._notify = None

    def wait(self, seconds: float) -> Hints:
        """The hints that come within `seconds`, as soon as there are any."""
        if self._notify is None:
            time.sleep(min(seconds, _PAUSE_AFTER_LOSS))
            return Hints(lost=True)
        try:
            found = self._notify.watch(_LONGEST_MS, _STEP_MS, max(1, round(seconds * 1000)), None)
        except (OSError, WatchfilesRustInternalError):
            self.close()  # a name that is no UTF-8 ends a watch for good
            return self.wait(seconds)
        return Hints() if isinstance(found, str) else Hints(frozenset(path for _, path in found))

    def close(self) -> None:
        """End the watch."""
        if self._notify is not None:
            self._notify.close()
            self._notify = None
