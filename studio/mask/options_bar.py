"""Above the canvas: the settings of the tool in hand, what can be done to the mask, and the zoom."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from studio.mask.brush import BrushSettings
from studio.mask.operations import OPERATIONS
from studio.mask.slider_field import SliderField
from studio.mask.tool_settings import BRUSHES, Combine, ToolSettings
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.flow import FlowLayout
from studio.widgets.segmented import Segmented

_COMBINE = (
    (Combine.ADD, "Add", "combine_add", "Add the area to what is there (Shift)"),
    (Combine.SUBTRACT, "Subtract", "combine_subtract", "Take the area away (Alt)"),
    (Combine.INTERSECT, "Intersect", "combine_intersect", "Keep only what is in both (Shift+Alt)"),
    (Combine.REPLACE, "Replace", "combine_replace", "Put the area in place of what is there"),
)
_TOLERANT = ("fill", "colour_range")
_NO_AREA = (*BRUSHES, "eyedropper", "move", "transform")
_SPACING = 14


class OptionsBar(QFrame):
    """``operation_chosen`` carries an operation's id (or ``clear``). Where room is short the sliders become
    shorter, then they go and their numbers stay, then a second line begins: the bar never widens the window.
    """

    operation_chosen = Signal(str)

    def __init__(self, settings: ToolSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "topbar")
        self._settings = settings
        size, hardness = tr("Size"), tr("Hardness")
        self.size_ = SliderField(size, 1, 2000, "px", tr("Diameter of the brush ([ and ])"), logarithmic=True)
        self.hardness = SliderField(hardness, 0, 100, "%", tr("How sharp the edge is (Shift+[ and Shift+])"))
        self.opacity = SliderField(tr("Opacity"), 1, 100, "%", tr("The most that one stroke covers"))
        self.flow = SliderField(tr("Flow"), 1, 100, "%", tr("How quickly a stroke builds up to its opacity"))
        self.spacing = SliderField(tr("Spacing"), 1, 200, "%", tr("Distance of the stroke's dabs, in sizes"))
        self.smoothing = SliderField(tr("Smoothing"), 0, 100, "%", tr("Steadies the hand"))
        self.pressure_size = QCheckBox(tr("Pressure changes the size"))
        self.pressure_opacity = QCheckBox(tr("Pressure changes the opacity"))
        self.tolerance = SliderField(tr("Tolerance"), 0, 255, "", tr("How different a colour may be"))
        self.combine = Segmented()
        for value, title, icon, tip in _COMBINE:
            self.combine.add(value.value, tr(title), tr(tip), current_theme().icon(icon, "text2", "text"))
        self.more = self._menu_button(tr("More"), tr("Spacing, smoothing and pen pressure"))
        self.operations = self._menu_button(tr("Mask"), tr("Change the whole mask"))
        self.operations.setIcon(current_theme().icon("mask"))
        self.zoom = QToolButton()
        self.zoom.setProperty("role", "quiet")
        self.zoom.setFont(current_theme().font("number"))
        self.zoom.setMinimumWidth(current_theme().px(52))
        self.zoom.setToolTip(tr("Fit the picture into the view (0); 1 shows it at 100 %"))
        self.zoom.setAccessibleName(tr("Zoom"))
        self.zoom.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._fill_more()
        self._fill_operations()
        self._arrange()
        self._connect()
        settings.changed.connect(self._show)
        current_theme().changed.connect(self._fit_text)
        self._show()

    def _menu_button(self, title: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(title)
        button.setToolTip(tip)
        button.setAccessibleName(title)
        button.setIconSize(QSize(16, 16))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setMenu(QMenu(button))
        return button

    def _fill_more(self) -> None:
        self.more.setIcon(current_theme().icon("settings"))
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(8)
        sliders = (self.spacing, self.smoothing)
        width = max(field.label.sizeHint().width() for field in sliders)
        for field in sliders:
            field.label.setMinimumWidth(width)
        for part in (*sliders, self.pressure_size, self.pressure_opacity):
            column.addWidget(part)
        action = QWidgetAction(self.more)
        action.setDefaultWidget(page)
        self.more.menu().addAction(action)

    def _fill_operations(self) -> None:
        menu = self.operations.menu()
        for operation in OPERATIONS:
            text = tr(operation.title) + ("…" if operation.amount else "")
            if operation.from_picture and menu.actions()[-1].data() == "fill_holes":
                menu.addSeparator()
            action = menu.addAction(text)
            action.setData(operation.id)
        menu.addSeparator()
        menu.addAction(tr("Clear")).setData("clear")
        menu.triggered.connect(lambda action: self.operation_chosen.emit(action.data()))

    def _arrange(self) -> None:
        self.setMinimumHeight(current_theme().px(38))
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 8, 4)
        row.setSpacing(_SPACING)
        self._fields = FlowLayout(spacing=_SPACING)
        parts = (self.size_, self.hardness, self.opacity, self.flow, self.more, self.combine, self.tolerance)
        height = max(part.sizeHint().height() for part in (*parts, self.operations))
        for part in (*parts, self.operations, self.zoom):
            part.setMinimumHeight(height)  # in the middle of one line, whatever they are
        for part in parts:
            self._fields.addWidget(part)
        row.addLayout(self._fields, 1)
        row.addWidget(self.operations, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.zoom, 0, Qt.AlignmentFlag.AlignTop)

    @Slot()
    def _fit_text(self) -> None:
        self.setMinimumHeight(current_theme().px(38))
        self.zoom.setMinimumWidth(current_theme().px(52))
        self._share_room()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_room()

    def _share_room(self) -> None:
        """Give the sliders in equal parts what the rest of the first line leaves."""
        sliders = (self.size_, self.hardness, self.opacity, self.flow, self.tolerance)
        shown = [field for field in sliders if not field.isHidden()]
        if not shown:
            return
        others = (self.more, self.combine, self.operations, self.zoom)
        taken = [part.sizeHint().width() for part in others if not part.isHidden()]
        taken += [field.width_without_slider() for field in shown]
        margins = self._row.contentsMargins()
        room = self.width() - margins.left() - margins.right() - sum(taken) - _SPACING * len(taken)
        for field in shown:
            field.set_slider_room(room // len(shown))

    def _connect(self) -> None:
        change = self._settings.change_brush
        self.size_.value_changed.connect(lambda value: change(size=float(value)))
        for field, name in (
            (self.hardness, "hardness"), (self.opacity, "opacity"), (self.flow, "flow"),
            (self.spacing, "spacing"), (self.smoothing, "smoothing"),
        ):  # fmt: skip
            field.value_changed.connect(lambda value, name=name: change(**{name: value / 100}))
        self.pressure_size.clicked.connect(lambda checked: change(pressure_size=checked))
        self.pressure_opacity.clicked.connect(lambda checked: change(pressure_opacity=checked))
        self.tolerance.value_changed.connect(lambda value: self._settings.change(tolerance=value))
        self.combine.value_changed.connect(lambda value: self._settings.change(combine=Combine(value)))

    @Slot()
    def _show(self) -> None:
        """The values of the tool in hand, and only the fields it has."""
        values, brush = self._settings.values, self._settings.brush
        brushing = values.tool in BRUSHES
        for part in (self.size_, self.hardness, self.opacity, self.more):
            part.setVisible(brushing)
        smudging = values.tool == "smudge"
        self.flow.setVisible(brushing and not smudging)
        self.opacity.label.setText(tr("Strength") if smudging else tr("Opacity"))
        self.combine.setVisible(values.tool not in _NO_AREA)
        self.tolerance.setVisible(values.tool in _TOLERANT)
        self._show_brush(brush)
        self.tolerance.set_value(values.tolerance)
        self.combine.set_value(values.combine.value)
        self._share_room()

    def _show_brush(self, brush: BrushSettings) -> None:
        self.size_.set_value(round(brush.size))
        for field, value in (
            (self.hardness, brush.hardness), (self.opacity, brush.opacity), (self.flow, brush.flow),
            (self.spacing, brush.spacing), (self.smoothing, brush.smoothing),
        ):  # fmt: skip
            field.set_value(round(value * 100))
        self.pressure_size.setChecked(brush.pressure_size)
        self.pressure_opacity.setChecked(brush.pressure_opacity)

    def show_zoom(self, percent: float) -> None:
        """Show how large the picture is seen."""
        self.zoom.setText(f"{percent:.0f} %" if percent >= 1 else f"{percent:.1f} %")

    def set_mask_operations(self, available: bool) -> None:
        """Whether the active layer is a mask."""
        self.operations.setEnabled(available)
