"""The user's library of groups: to place one, or to take one out of it (to the bin: undo can't reach it)."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QListWidget, QPushButton, QWidget

from pipelines.errors import DiptychError
from studio.graph.group_library import GroupLibrary
from studio.pictures import picture_files
from studio.translate import tr
from studio.widgets.dialog import Dialog, ask

MIN_WIDTH, MIN_HEIGHT = 420, 240


class LibraryDialog(Dialog):
    """``place_requested(name)`` for one to put on the canvas; ``failed`` carries an
    :class:`~pipelines.errors.ErrorInfo`."""

    place_requested = Signal(str)
    failed = Signal(object)

    def __init__(self, library: GroupLibrary, parent: QWidget | None = None) -> None:
        super().__init__(tr("Groups in your library"), parent)
        self._library = library
        self.words = QLabel()
        self.words.setProperty("role", "body2")
        self.words.setWordWrap(True)
        self.list = QListWidget()
        self.list.setProperty("role", "boxed")
        self.list.setAccessibleName(tr("Groups in your library"))
        self.list.setMinimumSize(MIN_WIDTH, MIN_HEIGHT)
        self.remove = QPushButton(tr("Remove from the library…"))
        self.place = QPushButton(tr("Put on the canvas"))
        self.place.setProperty("role", "primary")
        self.place.setDefault(True)
        self.remove.setAutoDefault(False)
        self.content.addWidget(self.words)
        self.content.addWidget(self.list, 1)
        self.buttons.insertWidget(0, self.remove)
        self.buttons.addWidget(self.place)
        self.add_close().setDefault(False)
        self.remove.clicked.connect(self._remove)
        self.place.clicked.connect(self._place)
        self.list.itemActivated.connect(self._place)
        self.list.currentRowChanged.connect(self._show)
        self._fill()
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _fill(self) -> None:
        row = max(0, self.list.currentRow())
        self.list.clear()
        self.list.addItems(self._library.names())
        self.list.setCurrentRow(min(row, self.list.count() - 1))
        self._show()

    @Slot()
    def _show(self) -> None:
        some = self.list.currentItem() is not None
        self.place.setEnabled(some)
        self.remove.setEnabled(some)
        empty = tr("Nothing yet. “Keep the group in the library” puts a group here.")
        text = tr("Each can be placed in any document; the palette finds them by their names.")
        self.words.setText(text if self.list.count() else empty)

    @Slot()
    def _place(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.place_requested.emit(item.text())
            self.accept()

    @Slot()
    def _remove(self) -> None:
        item = self.list.currentItem()
        if item is None:
            return
        name = item.text()
        question = tr("Its file goes to the bin. Documents that use the group keep it.")
        title = tr("Remove “{name}” from the library", name=name)
        if not ask(self, title, question, tr("Remove"), tr("Keep")):
            return
        try:
            picture_files.to_bin(str(self._library.path_of(name)))
        except DiptychError as error:
            self.failed.emit(error.info())
        self._fill()
