"""Square, landscape or portrait: sizes the model draws well, in the ratio the user likes."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.segmented import Segmented
from studio.widgets.shapes import RATIOS, shape_of, size_for


class ShapePicker(QWidget):
    """``size_chosen`` carries ``(width, height)``; ``ratio_changed`` the ratio to remember; ``follow_chosen``
    whether a reference gives the size."""

    size_chosen = Signal(object)
    follow_chosen = Signal(bool)
    ratio_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        theme = current_theme()
        self._native, self._multiple, self._ratio = (512, 512), 8, (3, 2)
        self._size, self._keeps_area = (512, 512), False
        self.shapes = Segmented()
        for value, title in (
            ("square", tr("Square")),
            ("landscape", tr("Landscape")),
            ("portrait", tr("Portrait")),
        ):
            self.shapes.add(value, title, title, theme.icon(value, "text2", "text"))
        self.ratios = QToolButton()
        self.ratios.setProperty("role", "quiet")
        self.ratios.setToolTip(tr("The ratio of landscape and portrait, and the size"))
        self.ratios.setAccessibleName(tr("Ratio"))
        self.ratios.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.ratios.setMenu(self._menu())
        self.follow = QCheckBox(tr("As the reference"))
        self.follow.setToolTip(tr("The shape of the first reference, at about the model’s own size"))
        self.follow.clicked.connect(self.follow_chosen)
        self.follow.hide()
        self.hint = QLabel()
        self.hint.setProperty("role", "hint")
        self.hint.setWordWrap(True)
        self.hint.hide()
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.shapes, 1)
        row.addWidget(self.ratios)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.follow)
        column.addWidget(self.hint)
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
        menu.addSeparator()
        self._scales = QActionGroup(menu)
        for scale, title in (
            (1, tr("The model’s own size")),
            (2, tr("Twice as wide and high")),
            (4, tr("Four times as wide and high")),
        ):
            action = menu.addAction(title)
            action.setData(scale)
            self._scales.addAction(action)
        self._scales.triggered.connect(self._scale_chosen)
        self.set_any_size(False)
        return menu

    def set_model(self, native: tuple[int, int], multiple: int) -> None:
        """The model's native size and what its sides must be multiples of."""
        self._native, self._multiple = native, multiple
        self._tips()

    def set_size(self, width: int, height: int, *, keep_area: bool = False) -> None:
        """Show the shape of a size. Another shape has the model's native area, or with ``keep_area`` that of
        this size."""
        self._size, self._keeps_area = (width, height), keep_area
        self.shapes.set_value(shape_of(width, height))
        self._tips()

    def set_follow(self, following: bool, possible: bool) -> None:
        """Whether a reference gives the size, and whether one could. No shape is chosen then; choosing one
        leaves the reference."""
        self.follow.setChecked(following)
        self.follow.setVisible(following or possible)
        if following:
            self.shapes.set_value(None)

    def set_any_size(self, possible: bool) -> None:
        """Whether sizes beyond the model are offered, too."""
        self._scales.setVisible(possible)

    def set_hint(self, text: str) -> None:
        """A quiet line below: how the size is reached; empty for none."""
        self.hint.setText(text)
        self.hint.setVisible(bool(text))

    def set_ratio(self, ratio: tuple[int, int]) -> None:
        """The ratio of landscape and portrait."""
        self._ratio = ratio
        self.ratios.setText(f"{ratio[0]} : {ratio[1]} ▾")
        for action in self._group.actions():
            action.setChecked(tuple(action.data()) == ratio)
        self._tips()

    def size_of(self, shape: str, *, native: bool = False) -> tuple[int, int]:
        """The size that choosing ``shape`` gives; with ``native`` in any case of the model's own area."""
        ratio = {"square": (1, 1), "landscape": self._ratio, "portrait": (self._ratio[1], self._ratio[0])}[
            shape
        ]
        area = self._size if self._keeps_area and not native else self._native
        return size_for(ratio, area, self._multiple)

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

    @Slot(object)
    def _scale_chosen(self, action: object) -> None:
        scale = int(action.data())  # type: ignore[attr-defined]
        width, height = self.size_of(shape_of(*self._size), native=True)
        self.size_chosen.emit((width * scale, height * scale))
