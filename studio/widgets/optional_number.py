"""A number that may be left out: an empty field stands for what the node does without it."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QLineEdit, QWidget

from pipelines.errors import fill
from pipelines.graph import types
from pipelines.graph.registry import ParamSchema
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.arithmetic import NotArithmetic, evaluate
from studio.widgets.number_field import written
from studio.widgets.param_editor import ParamEditor


class OptionalNumberEditor(ParamEditor):
    """Arithmetic is taken as everywhere; the words for “empty” stand in the field in grey."""

    def __init__(self, param: ParamSchema, parent: QWidget | None = None) -> None:
        super().__init__(param, parent)
        self._value: int | float | None = None
        self.field = QLineEdit()
        self.field.setFont(current_theme().font("number"))
        self.field.setPlaceholderText(tr(param.empty or "Not set"))
        self._add(self.field, 1)
        self.field.editingFinished.connect(self._commit)
        self.set_value(param.default)

    def value(self) -> int | float | None:
        return self._value

    def set_value(self, value: Any) -> None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        self._value = value if number else None
        self.field.setText(written(value) if number else "")

    @Slot()
    def _commit(self) -> None:
        text = self.field.text().strip()
        try:
            value = self._within(evaluate(text)) if text else None
        except NotArithmetic:
            words = tr("“{text}” is not a number; the field stays as it was.", text=text[:40])
            self.noticed.emit(words)
            value = self._value
        changed = value != self._value
        self.set_value(value)
        if changed:
            self.value_changed.emit(value)

    def _within(self, number: float) -> int | float:
        low, high = self.param.minimum, self.param.maximum
        value = min(max(number, -math.inf if low is None else low), math.inf if high is None else high)
        if value != number:
            side = tr("The highest is {value}.") if value < number else tr("The lowest is {value}.")
            self.noticed.emit(fill(side, {"value": written(value)}))
        return round(value) if self.param.type == types.Integer else float(value)
