"""Below the layers: the settings of the active one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.mask.layer_words import control_titles, leads_titles
from studio.mask.layers import LayerKind
from studio.mask.paint_document import PaintDocument
from studio.mask.slider_field import SliderField
from studio.mask.tool_bar import ColourButton
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.prompt_editor import PromptEditor


class LayerProperties(QWidget):
    """Opacity, use and colour of every layer; prompt and weight of a region; what a control or a
    reference is and when it counts. ``derive_requested`` carries the id of a control layer to be made from
    the picture."""

    derive_requested = Signal(str)

    def __init__(self, document: PaintDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.opacity = SliderField(tr("Opacity"), 0, 100, "%")
        self.colour = ColourButton(tr("Colour of the mask"), "#000000")
        self.colour.setFixedSize(30, 30)
        self.counts = QCheckBox(tr("Used for generation"))
        self.counts.setToolTip(tr("Without it the layer is shown, but the model doesn't see it"))
        self.prompt = PromptEditor(2, 6)
        self.prompt.setPlaceholderText(tr("What is to be drawn here"))
        self.prompt.setAccessibleName(tr("Prompt of the region"))
        self.kind = ChoiceField(list(control_titles().items()))
        self.kind.setAccessibleName(tr("What the layer holds"))
        self.leads = ChoiceField(list(leads_titles().items()))
        self.leads.setAccessibleName(tr("What is taken over from the reference"))
        self.kind_label, self.leads_label = QLabel(tr("What it holds")), QLabel(tr("What is taken over"))
        self.derive = QPushButton(tr("From the picture…"))
        self.derive.setToolTip(tr("Find the lines, depths or pose in the picture and put them here"))
        self.weight = SliderField(tr("Weight"), 0, 200, "%", tr("How strongly it is followed"))
        self.start = SliderField(tr("Start"), 0, 100, "%", tr("From which part of the steps it counts"))
        self.end = SliderField(tr("End"), 0, 100, "%", tr("Up to which part of the steps it counts"))
        self.region, self.control = QWidget(), QWidget()
        self.reason = QLabel()
        self.reason.setProperty("role", "hint")
        self.reason.setWordWrap(True)
        self._reasons: Mapping[LayerKind, str] = {}
        self._arrange()
        self._connect()
        self.show_layer()

    def _arrange(self) -> None:
        sliders = (self.opacity, self.weight, self.start, self.end)
        width = max(field.label.sizeHint().width() for field in sliders)
        for field in sliders:
            field.label.setMinimumWidth(width)
            field.setSizePolicy(self.sizePolicy().Policy.Expanding, self.sizePolicy().Policy.Fixed)
            field.slider.setMaximumWidth(400)
        first = QHBoxLayout()
        first.setSpacing(6)
        first.addWidget(self.opacity, 1)
        first.addWidget(self.colour)
        region = QVBoxLayout(self.region)
        label = QLabel(tr("Prompt of the region"))
        label.setProperty("role", "label")
        label.setBuddy(self.prompt)
        region.addWidget(label)
        region.addWidget(self.prompt)
        control = QVBoxLayout(self.control)
        labelled = ((self.kind_label, self.kind), (self.leads_label, self.leads))
        for name, choice in labelled:
            name.setProperty("role", "label")
            name.setBuddy(choice)
        rows: tuple[QWidget, ...] = (self.start, self.end, *chain(*labelled), self.derive)
        for row in rows:
            control.addWidget(row)
        column = QVBoxLayout(self)
        column.addLayout(first)
        for part in (self.reason, self.counts, self.region, self.weight, self.control):
            column.addWidget(part)
        for layout in (column, region, control):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(6)

    def _connect(self) -> None:
        self.opacity.value_changed.connect(self._set_opacity)
        self.colour.colour_chosen.connect(self._set_colour)
        self.counts.clicked.connect(self._set_counts)
        self.prompt.value_changed.connect(self._set_prompt)
        self.kind.value_changed.connect(self._set_kind)
        self.leads.value_changed.connect(self._set_leads)
        self.derive.clicked.connect(self._derive)
        self.weight.value_changed.connect(self._set_weight)
        self.start.value_changed.connect(self._set_start)
        self.end.value_changed.connect(self._set_end)

    def set_unavailable(self, reasons: Mapping[LayerKind, str]) -> None:
        """Say of these kinds why they are of no use now."""
        self._reasons = reasons
        self.show_layer()

    @Slot()
    def show_layer(self) -> None:
        """Show the active layer, and only the settings it has."""
        layer = self._document.active
        self.setEnabled(layer is not None)
        kind = None if layer is None else layer.kind
        self.colour.setVisible(layer is not None and layer.is_mask)
        self.region.setVisible(kind is LayerKind.REGION)
        self.control.setVisible(kind in (LayerKind.CONTROL, LayerKind.REFERENCE))
        for widget in (self.kind_label, self.kind, self.derive):
            widget.setVisible(kind is LayerKind.CONTROL)
        for widget in (self.leads_label, self.leads):
            widget.setVisible(kind is LayerKind.REFERENCE)
        self.weight.setVisible(kind in (LayerKind.REGION, LayerKind.CONTROL, LayerKind.REFERENCE))
        reason = "" if kind is None else self._reasons.get(kind, "")
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        if layer is None:
            return
        self.opacity.set_value(round(layer.opacity * 100))
        self.colour.set_colour(layer.overlay_colour().name())
        with QSignalBlocker(self.counts):
            self.counts.setChecked(layer.counts)
        self.prompt.set_value(layer.prompt)
        if kind is LayerKind.CONTROL:
            self.kind.set_value(layer.control)
        elif kind is LayerKind.REFERENCE:
            self.leads.set_value(layer.leads)
        for field, value in ((self.weight, layer.weight), (self.start, layer.start), (self.end, layer.end)):
            field.set_value(round(value * 100))

    def _change(self, text: str, merge: str = "", **changes: Any) -> None:
        layer = self._document.active
        if layer is not None:
            self._document.change_layer(layer.id, text, merge, **changes)

    @Slot(int)
    def _set_opacity(self, value: int) -> None:
        self._change(tr("Opacity of a layer"), "opacity", opacity=value / 100)

    @Slot(str)
    def _set_colour(self, colour: str) -> None:
        self._change(tr("Colour of a mask"), colour=QColor(colour).name())

    @Slot(bool)
    def _set_counts(self, checked: bool) -> None:
        self._change(tr("What counts for generation"), counts=checked)

    @Slot(object)
    def _set_prompt(self, value: str) -> None:
        self._change(tr("Prompt of a region"), "prompt", prompt=value)

    @Slot(object)
    def _set_kind(self, value: str) -> None:
        self._change(tr("What a control holds"), control=value)

    @Slot(object)
    def _set_leads(self, value: str) -> None:
        self._change(tr("What a reference leads"), leads=value)

    @Slot(int)
    def _set_weight(self, value: int) -> None:
        self._change(tr("Weight of a layer"), "weight", weight=value / 100)

    @Slot(int)
    def _set_start(self, value: int) -> None:
        layer = self._document.active
        if layer is not None:
            end = max(layer.end, value / 100)
            self._change(tr("When a layer counts"), "steps", start=value / 100, end=end)

    @Slot(int)
    def _set_end(self, value: int) -> None:
        layer = self._document.active
        if layer is not None:
            start = min(layer.start, value / 100)
            self._change(tr("When a layer counts"), "steps", start=start, end=value / 100)

    @Slot()
    def _derive(self) -> None:
        layer = self._document.active
        if layer is not None and layer.kind is LayerKind.CONTROL:
            self.derive_requested.emit(layer.id)
