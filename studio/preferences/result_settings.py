"""Settings of the results that are kept on disk: how much of it they may take, what they take, and away with
them."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pipelines.engine.protocol import ResultsKept
from studio.engine.phases import memory_text
from studio.settings import SettingsStore
from studio.translate import tr
from studio.widgets.field_row import FieldRow
from studio.widgets.number_field import NumberField

APPLY_MS: Final = 1_500
"""A smaller limit deletes files: on the way to 10, a 1 must not count."""


class ResultSettings(QWidget):
    """The engine has the results: it is asked for their number, and told the limit."""

    def __init__(self, settings: SettingsStore, bridge: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings, self._bridge = settings, bridge
        self.limit = NumberField(
            settings.values.results_gb, whole=False, minimum=0, maximum=1024, step=1, unit="GB"
        )
        self.delete = QPushButton(tr("Delete them now"))
        self.delete.setAutoDefault(False)
        self.delete.setEnabled(False)
        self.state = QLabel(tr("Waiting for the engine…"))
        self.state.setProperty("role", "hint")
        self.state.setWordWrap(True)
        box = QWidget()
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.limit, 1)
        line.addWidget(self.delete)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(line)
        column.addWidget(self.state)
        sentence = tr(
            "What need not be made again after the next start. 0 keeps none, and deletes what is there."
        )
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(FieldRow(tr("Keep results of nodes on disk, at most"), box, sentence))
        self._asked = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(APPLY_MS)
        self._timer.timeout.connect(self.apply)
        self.limit.value_changed.connect(self._timer.start)
        self.delete.clicked.connect(self._delete)
        bridge.results_kept.connect(self._show)
        bridge.ready.connect(self._ask)
        if bridge.state == "ready":
            self._ask()

    @Slot()
    def apply(self) -> None:
        """Let the limit count, if it was changed."""
        self._timer.stop()
        limit = float(self.limit.value())
        if limit != self._settings.values.results_gb:
            self._settings.change(results_gb=limit)
            self._asked = self._bridge.keep_results(round(limit * 1e9))

    @Slot()
    def _delete(self) -> None:
        self.delete.setEnabled(False)
        self._asked = self._bridge.keep_results(clear=True)

    @Slot()
    def _ask(self) -> None:
        self._asked = self._bridge.keep_results()

    @Slot(object)
    def _show(self, told: ResultsKept) -> None:
        if told.request != self._asked:
            return
        self.delete.setEnabled(told.results > 0)
        parts = []
        if told.deleted:
            size = memory_text(told.deleted_bytes)
            parts.append(tr("Deleted {count} results, {size}.", count=told.deleted, size=size))
        if told.results:
            size = memory_text(told.bytes)
            parts.append(tr("There are {count} results, {size}.", count=told.results, size=size))
        else:
            parts.append(tr("There are none."))
        self.state.setText(" ".join(parts))
