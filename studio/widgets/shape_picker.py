"""Square, landscape or portrait: sizes the model draws well, in the ratio the user likes."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.segmented import Segmented
from studio.widgets.shapes import RATIOS, shape_of, size_for


class ShapePicker(QWidget):
    """``size_chosen`` carries ``(width, height)``; ``ratio_changed`` the ratio to remember."""

    size_chosen = Signal(object)
    ratio_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        theme = current_theme()
        self._native, self._multiple, self._ratio = (512, 512), 8, (3, 2)
        self._size = (512, 512)
        self.shapes = Segmented()
        for value, title in (
            ("square", tr("Square")),
            ("landscape", tr("Landscape")),
            ("portrait", tr("Portrait")),
        ):
            self.shapes.add(value, title, title, theme.icon(value, "text2", "text"))
        self.ratios = QToolButton()
        self.ratios.setProperty("role", "quiet")
        self.ratios.setToolTip(tr("The ratio of landscape and portrait"))
        self.ratios.setAccessibleName(tr("Ratio"))
        self.ratios.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.ratios.setMenu(self._menu())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.shapes, 1)
        row.addWidget(self.ratios)
        self.setFocusProxy(self.shapes)
        self.shapes.value_changed.connect(self._chosen)
        self.set_ratio(self._ratio)

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        self._group = QActionGroup(menu)
        for ratio in RATIOS:
            action = menu.addAction(f"{ratio[0]} : {ratio[1]}")
            action.setCheckable(True)
            action.setData(list(ratio))
            self._group.addAction(action)
        self._group.triggered.connect(self._ratio_chosen)
        return menu

    def set_model(self, native: tuple[int, int], multiple: int) -> None:
        """The model's native size and what its sides must be multiples of."""
        self._native, self._multiple = native, multiple
        self._tips()

    def set_size(self, width: int, height: int) -> None:
        """Show the shape of a size."""
        self._size = (width, height)
        self.shapes.set_value(shape_of(width, height))

    def set_ratio(self, ratio: tuple[int, int]) -> None:
        """The ratio of landscape and portrait."""
        self._ratio = ratio
        self.ratios.setText(f"{ratio[0]} : {ratio[1]} ▾")
        for action in self._group.actions():
            action.setChecked(tuple(action.data()) == ratio)
        self._tips()

    def size_of(self, shape: str) -> tuple[int, int]:
        """The size that choosing ``shape`` gives."""
        ratio = {"square": (1, 1), "landscape": self._ratio, "portrait": (self._ratio[1], self._ratio[0])}[
            shape
        ]
        return size_for(ratio, self._native, self._multiple)

    def _tips(self) -> None:
        for shape in ("square", "landscape", "portrait"):
            width, height = self.size_of(shape)
            button = self.shapes.button(shape)
            button.setToolTip(f"{button.accessibleName()} · {width} × {height} px")

    @Slot(object)
    def _chosen(self, shape: str) -> None:
        self.size_chosen.emit(self.size_of(shape))

    @Slot(object)
    def _ratio_chosen(self, action: object) -> None:
        ratio = tuple(action.data())  # type: ignore[attr-defined]
        self.set_ratio((ratio[0], ratio[1]))
        self.ratio_changed.emit(self._ratio)
        shape = self.shapes.value()
        if shape in ("landscape", "portrait"):
            self.size_chosen.emit(self.size_of(shape))
