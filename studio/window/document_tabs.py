"""The tabs of the open documents; there are none to see while only one is open."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QTabBar, QToolButton, QWidget

from studio.documents.open_documents import OpenDocuments
from studio.documents.sheet import Sheet
from studio.theme import current_theme
from studio.translate import tr

MODIFIED = " •"


def tab_text(sheet: Sheet) -> str:
    """What a document is called on its tab: with a mark if its file doesn't have it as it is."""
    mark = MODIFIED if sheet.path is not None and sheet.is_modified else ""
    return (sheet.title or tr("Untitled")) + mark


class DocumentTabs(QTabBar):
    """``close_requested`` and ``close_others_requested`` carry the place of a tab; ``shown_requested`` says
    that the document whose tab was pressed is to be seen, whatever is shown now."""

    close_requested = Signal(int)
    close_others_requested = Signal(int)
    shown_requested = Signal()

    def __init__(self, tabs: OpenDocuments, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tabs = tabs
        self._filling = False
        self.setProperty("role", "documents")
        self.setAccessibleName(tr("Open documents"))
        self.setMovable(True)
        self.setExpanding(False)
        self.setUsesScrollButtons(True)
        self.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._open_menu)
        self.currentChanged.connect(self._chosen)
        self.tabBarClicked.connect(self._pressed)
        self.tabMoved.connect(self._moved)
        tabs.changed.connect(self._fill)
        current_theme().changed.connect(self._restyle)
        self._fill()

    # --- what is shown ---------------------------------------------------------------------------------

    @Slot()
    def _fill(self) -> None:
        sheets = self._tabs.sheets
        self._filling = True
        try:
            while self.count() > len(sheets):
                self.removeTab(self.count() - 1)
            while self.count() < len(sheets):
                self._add()
            for index, sheet in enumerate(sheets):
                self._describe(index, sheet)
            self.setCurrentIndex(self._tabs.index)
        finally:
            self._filling = False
        self.setVisible(len(sheets) > 1)

    def _add(self) -> None:
        index = self.addTab("")
        button = QToolButton(self)
        button.setProperty("role", "tab_close")
        button.setAutoRaise(True)
        button.setIconSize(QSize(12, 12))
        button.setIcon(current_theme().icon("close"))
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # Ctrl+W closes from the keyboard
        button.clicked.connect(partial(self._close_by, button))
        self.setTabButton(index, QTabBar.ButtonPosition.RightSide, button)

    def _close_by(self, button: QToolButton) -> None:
        side = QTabBar.ButtonPosition.RightSide
        for index in range(self.count()):
            if self.tabButton(index, side) is button:
                self.close_requested.emit(index)
                return

    def _describe(self, index: int, sheet: Sheet) -> None:
        text = tab_text(sheet)
        shown = text.replace("&", "&&")
        if self.tabText(index) != shown:
            self.setTabText(index, shown)
        self.setTabToolTip(index, str(sheet.path) if sheet.path is not None else text)
        button = self.tabButton(index, QTabBar.ButtonPosition.RightSide)
        name = tr("Close {name}", name=sheet.title or tr("Untitled"))
        button.setAccessibleName(name)
        button.setToolTip(name)

    @Slot()
    def _restyle(self) -> None:
        for index in range(self.count()):
            button = self.tabButton(index, QTabBar.ButtonPosition.RightSide)
            if isinstance(button, QToolButton):
                button.setIcon(current_theme().icon("close"))

    def tabSizeHint(self, index: int) -> QSize:
        hint, theme = super().tabSizeHint(index), current_theme()
        return QSize(min(max(hint.width(), theme.px(96)), theme.px(220)), hint.height())

    def minimumTabSizeHint(self, index: int) -> QSize:
        return QSize(current_theme().px(96), super().minimumTabSizeHint(index).height())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setPen(QPen(current_theme().color("line"), 0))
        chosen, bottom = self.tabRect(self.currentIndex()), self.height() - 1
        painter.drawLine(0, bottom, chosen.left() - 1, bottom)
        painter.drawLine(chosen.right() + 1, bottom, self.width(), bottom)
        painter.end()

    # --- what is done ----------------------------------------------------------------------------------

    @Slot(int)
    def _chosen(self, index: int) -> None:
        if not self._filling:
            self._tabs.show(index)

    @Slot(int)
    def _pressed(self, index: int) -> None:
        if index == self._tabs.index:
            self.shown_requested.emit()

    @Slot(int, int)
    def _moved(self, before: int, after: int) -> None:
        if not self._filling:
            self._tabs.move(before, after)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        index = self.tabAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.MiddleButton and index >= 0:
            self.close_requested.emit(index)
            event.accept()
            return
        super().mouseReleaseEvent(event)

    @Slot(QPoint)
    def _open_menu(self, at: QPoint) -> None:
        index = self.tabAt(at)
        if index >= 0:
            menu = self.menu_for(index)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.mapToGlobal(at))

    def menu_for(self, index: int) -> QMenu:
        """What can be done with a tab."""
        menu, path = QMenu(self), self._tabs.sheets[index].path
        menu.addAction(tr("Close")).triggered.connect(partial(self.close_requested.emit, index))
        others = menu.addAction(tr("Close the others"))
        others.triggered.connect(partial(self.close_others_requested.emit, index))
        others.setEnabled(len(self._tabs.sheets) > 1)
        menu.addSeparator()
        copy = menu.addAction(tr("Copy the path of its file"))
        copy.setEnabled(path is not None)
        copy.triggered.connect(lambda: QGuiApplication.clipboard().setText(str(path)))
        return menu
