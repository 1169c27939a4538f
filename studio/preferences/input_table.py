"""What the tables of keys and of gestures have in common: rows, and below them the editor of one."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from studio.keys import Keymap
from studio.preferences.key_editor import KeyEditor
from studio.widgets.fuzzy import score

ID = Qt.ItemDataRole.UserRole


class InputTable(QWidget):
    """A row has a title, what it is reached by, and where that counts. Changes are written as they are made.

    A subclass adds its rows, then calls :meth:`begin`.
    """

    def __init__(
        self, keymap: Keymap, columns: tuple[str, str, str], name: str, parent: QWidget | None
    ) -> None:
        super().__init__(parent)
        self._keymap, self._wanted = keymap, ""
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(columns)
        self.tree.setRootIsDecorated(False)
        self.tree.setAccessibleName(name)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.editor = KeyEditor()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.editor)
        self._items: dict[str, QTreeWidgetItem] = {}

    def add_row(self, id: str, title: str, where: str) -> None:
        """One more, below the others."""
        item = self._items[id] = QTreeWidgetItem([title, "", where])
        item.setData(0, ID, id)
        self.tree.addTopLevelItem(item)

    def begin(self) -> None:
        """Every row is there: show what is in force, the first one chosen."""
        self.tree.currentItemChanged.connect(self._show_chosen)
        self.editor.removed.connect(self._remove)
        self.editor.taken.connect(self._take)
        self.editor.left.connect(self._show_chosen)
        self.editor.reset.connect(self._reset)
        self._keymap.changed.connect(self.refresh)
        self.refresh()
        self.tree.setCurrentIndex(self.tree.model().index(0, 0))

    @property
    def chosen(self) -> str:
        """What the current row stands for."""
        item = self.tree.currentItem()
        return str(item.data(0, ID)) if item is not None else ""

    def choose(self, id: str) -> None:
        """Make a row the current one."""
        self.tree.setCurrentItem(self._items[id])
        self.tree.scrollToItem(self._items[id])

    # --- what a subclass says --------------------------------------------------------------------------

    def words_of(self, id: str) -> str:
        """What a row is reached by."""
        raise NotImplementedError

    def texts_of(self, id: str) -> tuple[str, ...]:
        """The same, as the keymap has it."""
        raise NotImplementedError

    def show_row(self, id: str) -> None:
        """Have the editor show a row."""
        raise NotImplementedError

    def bind(self, id: str, texts: list[str]) -> None:
        """Have a row reached by these."""
        raise NotImplementedError

    def reset(self, id: str) -> None:
        """Have it as it was."""
        raise NotImplementedError

    def go_on(self) -> None:
        """Give the focus to what adds another."""
        raise NotImplementedError

    # --- showing ---------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Show what is in force now."""
        for id, item in self._items.items():
            item.setText(1, self.words_of(id))
        self._show_chosen()

    @Slot()
    def _show_chosen(self) -> None:
        self._wanted = ""
        if id := self.chosen:
            self.show_row(id)

    def fits(self, id: str, text: str) -> bool:
        """Whether a row has these letters."""
        item = self._items[id]
        words = f"{item.text(0)} {item.text(1)} {item.text(2)}"
        return not text or score(text, words) is not None

    def search(self, text: str) -> None:
        """Show what has these letters; the first of them becomes the current row if that one hasn't."""
        shown = []
        for id, item in self._items.items():
            item.setHidden(not self.fits(id, text.strip()))
            shown += [] if item.isHidden() else [item]
        current = self.tree.currentItem()
        if shown and (current is None or current.isHidden()):
            self.tree.setCurrentItem(shown[0])

    # --- changing --------------------------------------------------------------------------------------

    def add_text(self, text: str) -> None:
        """One more way to reach the chosen row."""
        id = self.chosen
        self.bind(id, [*self.texts_of(id), text])
        self.go_on()

    def ask_to_take(self, text: str, question: str, take: str) -> None:
        """Somebody else has it; the answer is the user's."""
        self._wanted = text
        self.editor.ask(question, take)

    @Slot()
    def _take(self) -> None:
        if self._wanted:
            self.add_text(self._wanted)

    @Slot(str)
    def _remove(self, text: str) -> None:
        id = self.chosen
        self.bind(id, [one for one in self.texts_of(id) if one != text])
        self.go_on()

    @Slot()
    def _reset(self) -> None:
        self.reset(self.chosen)
        self.go_on()
