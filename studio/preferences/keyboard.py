"""Keyboard: commands with their keys, gestures with their modifiers; searched, changed, taken as a set."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QTabWidget, QWidget

from studio.keys import KEY_SETS, Keymap
from studio.preferences.gesture_table import GestureTable
from studio.preferences.key_recorder import KeyRecorder
from studio.preferences.key_table import KeyTable
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.dialog import Dialog, ask

SIZE = (760, 720)


class KeyboardDialog(Dialog):
    """Changes count at once, and are kept."""

    def __init__(self, keymap: Keymap, parent: QWidget | None = None) -> None:
        super().__init__(tr("Keyboard"), parent)
        self._keymap = keymap
        self.resize(*SIZE)
        self.line = QLineEdit()
        self.line.setPlaceholderText(tr("Search"))
        self.line.setAccessibleName(tr("Search"))
        self.line.setClearButtonEnabled(True)
        self.by_key = KeyRecorder(tr("Find by pressing keys"))
        self.sets = ChoiceField([(one.id, one.title) for one in KEY_SETS])
        self.sets.setAccessibleName(tr("Key set"))
        for row, one in enumerate(KEY_SETS):
            self.sets.setItemData(row, tr(one.words), Qt.ItemDataRole.ToolTipRole)
        self.reset_all = QPushButton(tr("Forget all my changes…"))
        self.reset_all.setAutoDefault(False)
        self.keys, self.gestures = KeyTable(keymap), GestureTable(keymap)
        self.tree = self.keys.tree
        self.tabs = QTabWidget()
        self.tabs.addTab(self.keys, tr("Keys"))
        self.tabs.addTab(self.gestures, tr("Gestures"))
        self._lay_out()
        self.line.textChanged.connect(self.keys.search)
        self.line.textChanged.connect(self.gestures.search)
        self.by_key.recorded.connect(self._find_key)
        self.sets.value_changed.connect(self._choose_set)
        self.reset_all.clicked.connect(self._forget)
        self.tabs.currentChanged.connect(self._show_tab)
        keymap.changed.connect(self._refresh)
        self._refresh()
        self.line.setFocus()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.line, 1)
        top.addWidget(self.by_key)
        label = QLabel(tr("Key set"))
        label.setProperty("role", "label")
        label.setBuddy(self.sets)
        top.addWidget(label)
        top.addWidget(self.sets)
        self.content.addLayout(top)
        self.content.addWidget(self.tabs, 1)
        self.buttons.insertWidget(0, self.reset_all)
        self.add_close().setDefault(False)

    @Slot()
    def _refresh(self) -> None:
        self.sets.set_value(self._keymap.key_set.id)
        self.reset_all.setEnabled(self._keymap.has_changes)
        self.keys.search(self.line.text())

    @Slot(int)
    def _show_tab(self, index: int) -> None:
        self.by_key.setEnabled(index == self.tabs.indexOf(self.keys))

    @Slot(str)
    def _find_key(self, key: str) -> None:
        self.line.setText(f'"{key}"')

    @Slot(object)
    def _choose_set(self, id: str) -> None:
        self._keymap.choose(id)

    @Slot()
    def _forget(self) -> None:
        question = tr("Your own keys and gestures go; the chosen set stays.")
        if ask(self, tr("Forget all changes"), question, tr("Forget them"), tr("Keep them")):
            self._keymap.reset_all()
