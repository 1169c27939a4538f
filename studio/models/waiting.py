"""The prompt that waits for a model: drawn by itself when the model is here, if its document is as it was.

It waits over sessions too, as its document and its download go on.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Signal, Slot

from pipelines.engine.protocol import DownloadInfo
from pipelines.errors import DiptychError
from pipelines.files import atomic_write
from pipelines.graph.document import Graph
from studio.documents.sheet import Sheet
from studio.models.downloads import Downloads
from studio.parts import Parts

NAME: Final = "waiting.json"
"""Beside the session's documents."""
RUNNABLE = ("create", "models", "graph", "start")
"""Workspaces in which a drawing may begin by itself: the canvas draws into what is painted there."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits: a document, with its model and its nodes as they were; words may be written meanwhile."""

    download: str
    title: str
    sheet: Sheet
    model: Any
    nodes: Hashable


class WaitingDraw(QObject):
    """``changed`` when something waits, or no longer does."""

    changed = Signal()

    def __init__(self, parts: Parts, downloads: Downloads, parent: QObject) -> None:
        super().__init__(parent)
        self._parts, self.downloads = parts, downloads
        self.waiting: Waiting | None = None
        self._path: Path | None = None
        self._kept: dict[str, str] = {}
        """What is in the file."""
        self._before: dict[str, str] = {}
        """What waited last time, until it is known what became of its download."""
        downloads.changed.connect(self._look)
        parts.document.replaced.connect(self.changed)
        parts.document.changed.connect(self._document_changed)

    def keep_in(self, folder: Path) -> None:
        """Go on with what waited when that session ended, as soon as the engine tells of its download; and
        keep there what waits from now on."""
        self._path = folder / NAME
        self._kept = self._before = _read(self._path)
        self.changed.connect(self._keep)
        self._parts.bridge.downloads_listed.connect(self._listed)

    def wait_for(self, download: str, title: str) -> bool:
        """Draw what is in the document when a download is here; False if there is nothing to draw."""
        if not self.can_draw():
            return False
        self._before = {}
        document, binding = self._parts.document, self._parts.binding
        nodes = nodes_of(document.graph)
        self.waiting = Waiting(download, title, document.sheet, binding.value("model"), nodes)
        self.changed.emit()
        return True

    def give_up(self) -> None:
        """Don't draw by itself; the download goes on."""
        if self.waiting is not None:
            self.waiting = None
            self.changed.emit()

    @property
    def shown(self) -> DownloadInfo | None:
        """The download that the document on show waits for."""
        waiting = self.waiting
        if waiting is None or waiting.sheet is not self._parts.document.sheet:
            return None
        return self.downloads.all.get(waiting.download)

    def is_ready(self, download: str, workspace: str) -> bool:
        """Whether the drawing may begin now that a download is here. What waited for it waits no longer."""
        waiting = self.waiting
        if waiting is None or waiting.download != download:
            return False
        self.give_up()
        document = self._parts.document
        return (
            workspace in RUNNABLE
            and waiting.sheet is document.sheet
            and waiting.nodes == nodes_of(document.graph)
            and waiting.model == self._parts.binding.value("model")
            and self.can_draw()
        )

    def can_draw(self) -> bool:
        """Whether the document has a model to be changed, and words to draw."""
        binding = self._parts.binding
        schema = binding.schema("model")
        texts = (binding.value(name) for name in binding.texts() if name not in ("negative", "system"))
        return (
            self._parts.document.read_only is None
            and schema is not None
            and schema.dynamic_choices == "models:diffusion"
            and any(str(text or "").strip() for text in texts)
        )

    @Slot(object)
    def _listed(self, event: object) -> None:
        """Whether what waited last time goes on: its download does, and its document is open."""
        before, self._before = self._before, {}
        told = self.downloads.all.get(before.get("download", ""))
        sheet = next((item for item in self._parts.tabs.sheets if item.id == before.get("sheet")), None)
        if told is not None and told.state != "finished" and sheet is not None:
            self.downloads.judge()  # how it is best run here isn't known otherwise
            self.waiting = Waiting(told.id, told.title, sheet, before["model"], nodes_of(sheet.graph))
        self.changed.emit()

    @Slot()
    def _keep(self) -> None:
        """Write what waits, if that is something else than is written."""
        waiting, path = self.waiting, self._path
        if path is None or self._before:
            return
        now: dict[str, str] = {}
        if waiting is not None:
            now = {"download": waiting.download, "sheet": waiting.sheet.id, "model": str(waiting.model)}
        if now == self._kept:
            return
        self._kept = now
        with contextlib.suppress(DiptychError, OSError):  # then it isn't drawn by itself, and nothing else
            if now:
                atomic_write(path, json.dumps(now))
            else:
                path.unlink(missing_ok=True)

    @Slot()
    def _look(self) -> None:
        """A download that was given up brings nothing to draw with."""
        waiting = self.waiting
        if waiting is not None and waiting.download not in self.downloads.all:
            self.give_up()

    @Slot()
    def _document_changed(self) -> None:
        """Who chooses another model, or takes the graph apart, doesn't wait any more."""
        waiting, document = self.waiting, self._parts.document
        if waiting is None or waiting.sheet is not document.sheet:
            return
        changed = waiting.model != self._parts.binding.value("model")
        if changed or waiting.nodes != nodes_of(document.graph):
            self.give_up()


def _read(path: Path) -> dict[str, str]:
    """What a session left, if it left all of it."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    names = ("download", "sheet", "model")
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in names):
        return {}
    return {name: found[name] for name in names}


def nodes_of(graph: Graph) -> Hashable:
    """The nodes of a graph and their wires, whatever is set in them."""
    return tuple(
        (
            node,
            record.type,
            record.mode,
            tuple(sorted((port, str(link)) for port, link in record.inputs.items())),
        )
        for node, record in sorted(graph.nodes.items())
    )
