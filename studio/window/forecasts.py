"""What the next run will need and take, shown before it runs: asked in the background after each change."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QMenu

from pipelines.engine.protocol import Device, ForecastChange, Forecasted
from pipelines.graph.document import Graph
from studio.create.change_edits import ChangeEdits
from studio.create.model_values import ModelValues
from studio.engine import forecast_words as words
from studio.graph.model_changes import SPEED
from studio.parts import Parts
from studio.translate import tr
from studio.window.messages import Messages
from studio.window.status_bar import StatusBar

DELAY_MS = 500
NOTE_MS = 12_000


class Forecasts(QObject):
    """Asks the engine, and shows the answer beside the device; its menu has the details and the change that
    makes a run fit. :attr:`latest` is the last answer, None while nothing is known of the document;
    ``answered`` carries it.
    """

    answered = Signal(object)

    def __init__(self, parts: Parts, status: StatusBar, messages: Messages, parent: QObject) -> None:
        super().__init__(parent)
        self._parts, self._status, self._messages = parts, status, messages
        self.latest: Forecasted | None = None
        self._device: Device | None = None
        self._asked = ""
        self._graph = self._of = Graph()
        self._told: set[tuple[str, str]] = set()
        self.menu = QMenu(status.forecast)
        status.forecast.setMenu(self.menu)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DELAY_MS)
        self._soon.timeout.connect(self._ask)
        bridge = parts.bridge
        for signal in (
            parts.document.changed, parts.document.replaced, parts.models.changed, bridge.run_finished,
        ):  # fmt: skip
            signal.connect(self._changed)
        bridge.device_changed.connect(self._device_changed)
        bridge.forecasted.connect(self._answered)
        bridge.calibrated.connect(self._changed)
        bridge.run_submitted.connect(self._submitted)

    @Slot()
    def _changed(self) -> None:
        self._soon.start()

    @Slot(object)
    def _device_changed(self, device: Device) -> None:
        self._device = device
        self._soon.start()

    @Slot()
    def _ask(self) -> None:
        """Ask, once the engine knows its device: before, it would import torch for this alone."""
        graph = self._parts.document.graph
        if not graph.nodes:
            self._show(None)
        elif self._device is not None and self._parts.bridge.state == "ready":
            self._graph = graph
            self._asked = self._parts.bridge.forecast(graph)

    @Slot(object)
    def _answered(self, made: Forecasted) -> None:
        if made.request == self._asked:
            self._of = self._graph
            self._show(made if made.models else None)

    def _show(self, made: Forecasted | None) -> None:
        self.latest = made
        self.answered.emit(made)
        self.menu.clear()
        if made is None:
            self._status.set_forecast("")
            return
        titles = {info.id: info.title for info in self._parts.models.models}
        facts = words.facts(made, titles)
        self._status.set_forecast(words.short(made), words.icon(made), "\n".join(facts))
        for fact in facts:
            self.menu.addAction(fact).setEnabled(False)
        if made.change is not None and self._can_apply(made.change):
            self.menu.addSeparator()
            self.menu.addAction(words.change_text(made.change)).triggered.connect(self.apply_change)
        if made.openvino and self._can_speed_up():
            self.menu.addSeparator()
            self.menu.addAction(words.openvino_text(made.openvino)).triggered.connect(self.use_openvino)
        if made.seconds is None and made.verdict != "too_large":
            self.menu.addSeparator()
            self.menu.addAction(tr("Measure how fast this computer is")).triggered.connect(self.measure)

    def _can_apply(self, change: ForecastChange) -> bool:
        """Whether all of its nodes are in the document itself; those inside of subgraphs aren't."""
        document = self._parts.document
        return document.read_only is None and set(change.params) <= set(document.graph.nodes)

    @Slot()
    def apply_change(self) -> None:
        """Make the change that makes it fit: one undo step."""
        change = self.latest.change if self.latest is not None else None
        if change is not None and self._can_apply(change):
            values = {
                (node, name): value
                for node, params in change.params.items()
                for name, value in params.items()
            }
            self._parts.document.set_params(values, tr("Make it fit the device"))

    def _speed(self) -> ChangeEdits:
        binding, models = self._parts.binding, self._parts.models
        return ChangeEdits(binding, models, ModelValues(binding, models))

    def _can_speed_up(self) -> bool:
        """Whether the form's model can be told how to compute."""
        edits = self._speed()
        editable = self._parts.document.read_only is None and edits.has(SPEED)
        return editable and edits.changes(SPEED) is not None

    @Slot()
    def use_openvino(self) -> None:
        """Let OpenVINO compute the model of the form: one undo step."""
        if self._can_speed_up():
            self._speed().set_speed("runtime", "openvino")

    @Slot()
    def measure(self) -> None:
        """Have the engine measure its device, so that seconds can be said before anything was drawn."""
        self._parts.bridge.calibrate()
        self._status.note(tr("Measuring for about ten seconds…"))

    @Slot(str)
    def _submitted(self, job: str) -> None:
        """Say once for a document and its models that a run takes long, before it does."""
        made, document = self.latest, self._parts.document
        if made is None or not made.long or made.seconds is None or self._of is not document.graph:
            return
        key = document.sheet.id, " ".join(model.model for model in made.models)
        if key in self._told:
            return
        self._told.add(key)
        heading = tr("This run will take about {time}.", time=words.range_text(*made.seconds))
        body = tr("You can go on working meanwhile, or cancel it at any step.")
        self._messages.show_message(heading, body)
        QTimer.singleShot(NOTE_MS, self._messages.banner, partial(self._hide, heading))

    def _hide(self, heading: str) -> None:
        if self._messages.banner.heading.text() == heading:
            self._messages.banner.hide()
