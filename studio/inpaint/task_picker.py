"""The six tasks as buttons, two rows of three."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QSizePolicy, QToolButton, QWidget

from studio.inpaint.tasks import TASKS
from studio.theme import current_theme
from studio.translate import tr

COLUMNS = 3
ICON = 20


class TaskPicker(QWidget):
    """``task_chosen`` carries the id of the task the user pressed."""

    task_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for index, item in enumerate(TASKS):
            button = QToolButton()
            button.setProperty("role", "task")
            button.setText(tr(item.title))
            button.setToolTip(tr(item.sentence))
            button.setAccessibleName(tr(item.title))
            button.setAccessibleDescription(tr(item.sentence))
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(QSize(ICON, ICON))
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self._group.addButton(button, index)
            self.buttons[item.id] = button
            grid.addWidget(button, index // COLUMNS, index % COLUMNS)
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)
        self.setFocusProxy(self.buttons[TASKS[0].id])
        self._group.idClicked.connect(self._clicked)
        current_theme().changed.connect(self._recolour)
        self._recolour()

    @Slot()
    def _recolour(self) -> None:
        for item in TASKS:
            self.buttons[item.id].setIcon(current_theme().icon(item.icon, "text2", "brass"))

    def set_task(self, id: str) -> None:
        """Show a task without telling anyone."""
        self.buttons[id].setChecked(True)

    def set_unavailable(self, reasons: dict[str, str]) -> None:
        """Tasks that can't be chosen now, with the reason."""
        for item in TASKS:
            reason = reasons.get(item.id, "")
            self.buttons[item.id].setEnabled(not reason)
            self.buttons[item.id].setToolTip(reason or tr(item.sentence))

    @Slot(int)
    def _clicked(self, index: int) -> None:
        self.task_chosen.emit(TASKS[index].id)
