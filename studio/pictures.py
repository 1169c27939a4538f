"""Pictures of messages, for several views: the engine's files can be read once only, so the last ones are kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from PySide6.QtGui import QImage

from pipelines.engine.protocol import ImageRef
from studio.engine import EngineBridge

KEPT = 48


class SharedBridge(EngineBridge):
    """An engine bridge whose :meth:`image` answers the same for every view that asks."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pictures: OrderedDict[str, QImage] = OrderedDict()

    def image(self, ref: ImageRef) -> QImage:
        found = self._pictures.get(ref.file)
        if found is None:
            found = super().image(ref)
            self._pictures[ref.file] = found
            while len(self._pictures) > KEPT:
                self._pictures.popitem(last=False)
        return found
