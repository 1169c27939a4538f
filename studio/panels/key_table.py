"""The table of keys: every command, what it is reached by, where that counts; all of it can be changed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from studio.keys import Entry, Keymap
from studio.keys.latin import normal
from studio.keys.words import native, scope_words
from studio.panels.key_editor import KeyEditor
from studio.panels.key_recorder import KeyRecorder
from studio.translate import tr
from studio.widgets.fuzzy import score

ID = Qt.ItemDataRole.UserRole


class KeyTable(QWidget):
    """Changes are written as they are made. Enter on a row records keys for it."""

    def __init__(self, keymap: Keymap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keymap, self._wanted = keymap, ""
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels([tr("Action"), tr("Keys"), tr("Where")])
        self.tree.setRootIsDecorated(False)
        self.tree.setAccessibleName(tr("Keys"))
        self.tree.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.editor = KeyEditor()
        self.recorder = KeyRecorder(tr("Add keys…"))
        self.editor.adding.addWidget(self.recorder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.editor)
        self._items = {entry.id: self._item(entry) for entry in keymap.entries}
        self.tree.currentItemChanged.connect(self._show_chosen)
        self.tree.itemActivated.connect(self.recorder.start)
        self.tree.installEventFilter(self)
        self.recorder.recorded.connect(self._add)
        self.editor.removed.connect(self._remove)
        self.editor.taken.connect(self._take)
        self.editor.left.connect(self._show_chosen)
        self.editor.reset.connect(self._reset)
        keymap.changed.connect(self.refresh)
        self.refresh()
        self.tree.setCurrentIndex(self.tree.model().index(0, 0))

    def _item(self, entry: Entry) -> QTreeWidgetItem:
        title = f"{tr(entry.menu)} · {tr(entry.title).rstrip('…')}"
        item = QTreeWidgetItem([title, "", scope_words(entry.scope)])
        item.setData(0, ID, entry.id)
        self.tree.addTopLevelItem(item)
        return item

    @property
    def chosen(self) -> str:
        """The command of the current row."""
        item = self.tree.currentItem()
        return str(item.data(0, ID)) if item is not None else ""

    def choose(self, id: str) -> None:
        """Make the row of a command the current one."""
        self.tree.setCurrentItem(self._items[id])
        self.tree.scrollToItem(self._items[id])

    # --- showing ---------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Show what is in force now."""
        for id, item in self._items.items():
            words = ", ".join(map(native, self._keymap.keys(id)))
            changed = self._keymap.is_changed(id)
            item.setText(1, tr("{keys} (yours)", keys=words or tr("none")) if changed else words)
        self._show_chosen()

    @Slot()
    def _show_chosen(self) -> None:
        self._wanted = ""
        id = self.chosen
        if not id:
            return
        keymap, entry = self._keymap, self._keymap.entry(id)
        keys = [(key, native(key)) for key in keymap.keys(id)]
        notes = [
            tr("{keys} is “{title}” now.", keys=native(key), title=tr(other.title))
            for key in self._own(id)
            if (other := keymap.holder(id, key)) is not None
        ]
        notes += [
            tr("{keys} is also “{title}” ({where}).", keys=native(key), title=tr(other.title),
               where=scope_words(other.scope))
            for key, _ in keys
            for other in keymap.elsewhere(id, key)
        ]  # fmt: skip
        title = f"{tr(entry.title)} — {scope_words(entry.scope)}"
        self.editor.show_keys(title, keys, " ".join(notes), changed=keymap.is_changed(id))

    def _own(self, id: str) -> list[str]:
        """The keys that the set, or else the command itself, has for it."""
        given = self._keymap.key_set.keys.get(id, self._keymap.entry(id).keys)
        return [normal(key) for key in given] if not self._keymap.is_changed(id) else []

    def search(self, text: str) -> None:
        """Show what has these letters; a text in double quotes is a key."""
        text = text.strip()
        key = normal(text.strip('"')) if text.startswith('"') else ""
        for id, item in self._items.items():
            words = f"{item.text(0)} {item.text(1)} {item.text(2)}"
            fits = key in self._keymap.keys(id) if key else not text or score(text, words) is not None
            item.setHidden(not fits)
        current = self.tree.currentItem()
        if current is None or current.isHidden():
            rows = (self.tree.topLevelItem(index) for index in range(self.tree.topLevelItemCount()))
            for row in rows:
                if row is not None and not row.isHidden():
                    self.tree.setCurrentItem(row)
                    return

    # --- changing --------------------------------------------------------------------------------------

    @Slot(str)
    def _add(self, key: str) -> None:
        id = self.chosen
        if not id or key in self._keymap.keys(id):
            return
        if self._keymap.is_needed(id, key):
            self.editor.ask(tr("{keys} moves about or leads out of things: it stays what it is.",
                               keys=native(key)), "")  # fmt: skip
            return
        other = self._keymap.holder(id, key)
        if other is None:
            self._keymap.bind(id, (*self._keymap.keys(id), key))
            self.recorder.setFocus()
            return
        self._wanted = key
        title = tr(other.title).rstrip("…")
        question = tr("{keys} is “{title}” already.", keys=native(key), title=title)
        self.editor.ask(question, tr("Take it from “{title}”", title=title))

    @Slot()
    def _take(self) -> None:
        if self._wanted:
            id, key = self.chosen, self._wanted
            self._keymap.bind(id, (*self._keymap.keys(id), key))
            self.recorder.setFocus()

    @Slot(str)
    def _remove(self, key: str) -> None:
        id = self.chosen
        self._keymap.bind(id, [one for one in self._keymap.keys(id) if one != key])
        self.recorder.setFocus()

    @Slot()
    def _reset(self) -> None:
        self._keymap.reset(self.chosen)
        self.recorder.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in keys:
            self.recorder.start()
            return True
        return super().eventFilter(watched, event)
