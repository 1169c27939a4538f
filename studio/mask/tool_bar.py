"""The tools, one below the other, with the colour that paint layers are painted with."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QButtonGroup, QColorDialog, QFrame, QToolButton, QVBoxLayout, QWidget

from studio.mask.tool_settings import ToolSettings
from studio.mask.tools import TOOLS, Tool
from studio.theme import current_theme
from studio.theme.tokens import ICON, RADIUS_FIELD
from studio.translate import tr

SIDE = 32
_GROUPS = ("transform", "smudge", "polygon", "gradient")
"""A little room follows these."""


class ColourButton(QToolButton):
    """A swatch; ``colour_chosen`` carries ``#rrggbb`` when the user picks another colour."""

    colour_chosen = Signal(str)

    def __init__(self, title: str, colour: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._colour = title, colour
        self.setToolTip(title)
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.clicked.connect(self._choose)

    def set_colour(self, colour: str) -> None:
        """Show a colour."""
        self._colour = colour
        self.setAccessibleDescription(colour)
        self.update()

    @Slot()
    def _choose(self) -> None:
        dialog = QColorDialog(QColor(self._colour), self)
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.setWindowTitle(self._title)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(self._chosen)
        dialog.open()

    @Slot(QColor)
    def _chosen(self, colour: QColor) -> None:
        self.colour_chosen.emit(colour.name())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(current_theme().color("line"), 1))
        painter.setBrush(QColor(self._colour))
        side = min(self.width(), self.height()) - 14
        box = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        painter.drawRoundedRect(box, RADIUS_FIELD, RADIUS_FIELD)
        painter.end()


def _tip(tool: Tool, keys: str) -> str:
    title = f"{tr(tool.title)} ({keys})" if keys else tr(tool.title)
    return f"{title}\n{tr(tool.tip)}"


class ToolBar(QFrame):
    """Shows the tool in hand, and takes another."""

    def __init__(self, settings: ToolSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAccessibleName(tr("Tools"))
        self._settings = settings
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QToolButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 8, 4, 8)
        column.setSpacing(2)
        for index, tool in enumerate(TOOLS):
            button = self._button(tr(tool.title), tool.icon)
            button.setCheckable(True)
            button.setToolTip(_tip(tool, tool.key))
            self._group.addButton(button, index)
            self.buttons[tool.id] = button
            column.addWidget(button)
            if tool.id in _GROUPS:
                column.addSpacing(8)
        column.addSpacing(8)
        self.colour = ColourButton(tr("Colour of the brush on paint layers"), settings.values.colour)
        self.colour.setFixedSize(SIDE, SIDE)
        self.colour.colour_chosen.connect(lambda colour: settings.change(colour=colour))
        column.addWidget(self.colour)
        column.addStretch(1)
        self._group.idClicked.connect(lambda index: settings.change(tool=TOOLS[index].id))
        settings.changed.connect(self._show)
        self._show()

    def _button(self, title: str, icon: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(current_theme().icon(icon, "text2", "brass"))
        button.setIconSize(QSize(ICON, ICON))
        button.setFixedSize(SIDE, SIDE)
        button.setAccessibleName(title)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def show_keys(self, keys_text: Callable[[str], str]) -> None:
        """Name the keys of the tools, as ``keys_text`` has them by the tool's id."""
        for tool in TOOLS:
            self.buttons[tool.id].setToolTip(_tip(tool, keys_text(tool.id)))

    @Slot()
    def _show(self) -> None:
        self.buttons[self._settings.tool].setChecked(True)
        self.colour.set_colour(self._settings.values.colour)
