"""Noticing that models came, went or changed: by looking at the folders now and then.

A look costs one call of the system for each folder; only where one has changed is the catalogue searched.
What is being copied grows without its folder changing, so a search is repeated until two find the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pipelines.engine.protocol import ModelInfo
from pipelines.models.catalogue.catalogue import Catalogue

LOOK_SECONDS: Final = 2.0
SEARCH_EVERY: Final = 30
"""Looks after which everything is searched, for what was written over without a change of its folder."""


class Watch:
    """Looks at a catalogue's folders from a thread of its own until it is closed.

    ``changed`` is called from that thread with all models, each time they are others than before; ``known``
    are those that were told already, if any were.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        changed: Callable[[tuple[ModelInfo, ...]], None],
        seconds: float = LOOK_SECONDS,
        known: tuple[ModelInfo, ...] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._known = known
        self._changed = changed
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="diptych-models", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; returns when the thread has ended."""
        self._over.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        known = self._catalogue.list() if self._known is None else self._known
        looks, settled = 0, True
        while not self._over.wait(self._seconds):
            looks += 1
            if settled and not self._differs() and looks % SEARCH_EVERY:
                continue
            found = self._catalogue.list()
            settled = found == known
            if not settled and not self._over.is_set():
                known = found
                self._changed(found)

    def _differs(self) -> bool:
        """Whether a folder that was searched has another time, or a root that was missing is there."""
        folders = self._catalogue.seen.folders
        if any(_time(folder) != time for folder, time in folders.items()):
            return True
        roots = (str(root.path) for root in self._catalogue.roots)
        return any(root not in folders and _time(root) is not None for root in roots)


def _time(folder: str) -> int | None:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return None
