"""Asks by how many pixels a mask is changed."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QPushButton, QWidget

from studio.mask.operations import Amount, Operation
from studio.mask.slider_field import SliderField
from studio.translate import tr
from studio.widgets.dialog import Dialog


class AmountDialog(Dialog):
    """``accepted_with`` carries the number of pixels."""

    accepted_with = Signal(float)

    def __init__(self, operation: Operation, amount: Amount, parent: QWidget | None = None) -> None:
        super().__init__(tr(operation.title), parent)
        self.field = SliderField(tr(amount.title), 1, round(amount.largest), "px", logarithmic=True)
        self.field.set_value(round(amount.default))
        self.field.slider.setMinimumWidth(160)
        self.content.addWidget(self.field)
        cancel, self.ok = QPushButton(tr("Cancel")), QPushButton(tr(operation.title))
        self.ok.setDefault(True)
        self.buttons.addWidget(cancel)
        self.buttons.addWidget(self.ok)
        cancel.clicked.connect(self.reject)
        self.ok.clicked.connect(self._accept)

    @Slot()
    def _accept(self) -> None:
        self.accepted_with.emit(float(self.field.value()))
        self.accept()
