"""Pictures of messages, for several views: the engine's files can be read once only, so the last ones are
kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from PySide6.QtGui import QImage

from pipelines.engine.protocol import ImageRef
from studio.engine import EngineBridge

KEPT_BYTES = 96 * 2**20


class SharedBridge(EngineBridge):
    """An engine bridge whose :meth:`image` answers the same for every view that asks."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pictures: OrderedDict[str, QImage] = OrderedDict()
        self._bytes = 0

    def image(self, ref: ImageRef) -> QImage:
        found = self._pictures.get(ref.file)
        if found is None:
            found = super().image(ref)
            self._pictures[ref.file] = found
            self._bytes += found.sizeInBytes()
            while self._bytes > KEPT_BYTES and len(self._pictures) > 1:
                self._bytes -= self._pictures.popitem(last=False)[1].sizeInBytes()
        return found
