"""What the engine says beside runs: that it is ready or lost, which device draws, models, problems."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pipelines.engine.protocol import Device, Failure, Lost, Models, Problems, Ready
from pipelines.errors import ErrorInfo
from studio.engine.runs import error_info
from studio.parts import Parts
from studio.translate import tr
from studio.window.head import Head
from studio.window.messages import Messages
from studio.window.status_bar import StatusBar

VALIDATE_MS = 300


class EngineNews(QObject):
    """Shows it in the head, the status line and the banner; has the graph checked after each change.

    :attr:`device` and :attr:`problems` are the last that were told; ``problems_told`` when they were.
    """

    problems_told = Signal()

    def __init__(
        self, parts: Parts, head: Head, status: StatusBar, messages: Messages, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._parts, self._head, self._status, self._messages = parts, head, status, messages
        self.device: Device | None = None
        self.problems: tuple[ErrorInfo, ...] = ()
        self._asked = ""
        self._check = QTimer(self)
        self._check.setSingleShot(True)
        self._check.setInterval(VALIDATE_MS)
        self._check.timeout.connect(self._validate)
        bridge = parts.bridge
        parts.document.changed.connect(self._document_changed)
        parts.document.types_changed.connect(self._document_changed)
        parts.models.changed.connect(self._show_model)
        bridge.ready.connect(self._ready)
        bridge.engine_lost.connect(self._lost)
        bridge.failed.connect(self._failed)
        bridge.device_changed.connect(self._device_changed)
        bridge.models_listed.connect(self._models_listed)
        bridge.problems_found.connect(self._problems_found)

    @Slot()
    def _document_changed(self) -> None:
        self._check.start()
        self._show_model()

    @Slot()
    def _validate(self) -> None:
        if self._parts.bridge.state == "ready":
            self._asked = self._parts.bridge.validate(self._parts.document.graph)

    @Slot(object)
    def _problems_found(self, event: Problems) -> None:
        if event.request == self._asked:
            self.problems = tuple(error_info(item) for item in event.problems)
            self.problems_told.emit()

    @Slot(object)
    def _ready(self, event: Ready) -> None:
        self._status.set_engine("")
        self._check.start()

    @Slot(object)
    def _lost(self, event: Lost) -> None:
        self._status.set_engine(
            tr("starting the engine again") if event.restarting else tr("the engine is not running")
        )
        self._messages.show_error(error_info(event.error))

    @Slot(object)
    def _failed(self, event: Failure) -> None:
        """What belongs to no request, as a queue that can't be kept, is said here; the rest by who asked."""
        if not event.request:
            self._messages.show_error(error_info(event.error))

    @Slot(object)
    def _device_changed(self, device: Device) -> None:
        before, self.device = self.device, device
        self._status.set_device(device)
        self._head.show_device(device)
        if device.problem is not None and (before is None or before.problem != device.problem):
            info = error_info(device.problem)
            warning = info if info.severity != "error" else replace(info, severity="warning")
            self._messages.banner.show_error(warning)

    @Slot(object)
    def _models_listed(self, event: Models) -> None:
        self._parts.models.set_models(event)

    @Slot()
    def _show_model(self) -> None:
        model = self._parts.models.find(str(self._parts.binding.value("model") or ""))
        self._status.set_model(model.title if model is not None else "")
