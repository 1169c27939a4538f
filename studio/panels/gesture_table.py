"""The table of gestures: which button and which modifiers begin each; all of it can be changed."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from studio.keys import GESTURE_TABLE, Keymap, Trigger
from studio.keys.gestures import BUTTONS, MODIFIERS, SHAKE, gesture_of, suits
from studio.keys.words import gesture_words, modifier_name, trigger_words, triggers_words
from studio.panels.key_editor import KeyEditor
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.fuzzy import score

ID = Qt.ItemDataRole.UserRole


class GestureTable(QWidget):
    """Changes are written as they are made."""

    def __init__(self, keymap: Keymap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keymap, self._wanted = keymap, ""
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels([tr("Gesture"), tr("Begins with"), tr("Where")])
        self.tree.setRootIsDecorated(False)
        self.tree.setAccessibleName(tr("Gestures"))
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.editor = KeyEditor()
        self._put_adding()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.editor)
        self._items: dict[str, QTreeWidgetItem] = {}
        for gesture in GESTURE_TABLE:
            item = QTreeWidgetItem([tr(gesture.title), "", tr(gesture.where)])
            item.setData(0, ID, gesture.id)
            self.tree.addTopLevelItem(item)
            self._items[gesture.id] = item
        self.tree.currentItemChanged.connect(self._show_chosen)
        self.editor.removed.connect(self._remove)
        self.editor.taken.connect(self._take)
        self.editor.left.connect(self._show_chosen)
        self.editor.reset.connect(self._reset)
        keymap.changed.connect(self.refresh)
        self.refresh()
        self.tree.setCurrentIndex(self.tree.model().index(0, 0))

    def _put_adding(self) -> None:
        """Modifiers, Space and the button, to be put together without a mouse."""
        self.modifiers = {name: QCheckBox(modifier_name(name)) for name in MODIFIERS}
        self.space = QCheckBox(tr("Space"))
        self.button = ChoiceField(
            [(name, trigger_words(Trigger(button=button))) for name, button in BUTTONS.items()]
        )
        self.button.setAccessibleName(tr("Button"))
        self.add = QPushButton(tr("Add"))
        self.add.setAutoDefault(False)
        self.add.clicked.connect(self._add)
        self.shake = QPushButton(tr("Add a shake"))
        self.shake.setAutoDefault(False)
        self.shake.clicked.connect(self._add_shake)
        for widget in (*self.modifiers.values(), self.space, self.button, self.add, self.shake):
            self.editor.adding.addWidget(widget)

    @property
    def chosen(self) -> str:
        """The gesture of the current row."""
        item = self.tree.currentItem()
        return str(item.data(0, ID)) if item is not None else ""

    def choose(self, id: str) -> None:
        """Make the row of a gesture the current one."""
        self.tree.setCurrentItem(self._items[id])

    # --- showing ---------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Show what is in force now."""
        for id, item in self._items.items():
            words = triggers_words(self._keymap.gestures.triggers(id)) or tr("none")
            changed = self._keymap.is_gesture_changed(id)
            item.setText(1, tr("{keys} (yours)", keys=words) if changed else words)
        self._show_chosen()

    @Slot()
    def _show_chosen(self) -> None:
        self._wanted = ""
        if not self.chosen:
            return
        gesture, keymap = gesture_of(self.chosen), self._keymap
        triggers = [
            (trigger.text, trigger_words(trigger)) for trigger in keymap.gestures.triggers(gesture.id)
        ]
        note = tr("Without modifiers: “{command}” in the Graph menu.", command=tr(gesture.arm).rstrip("…"))
        self.editor.show_keys(
            gesture_words(gesture), triggers, note, changed=keymap.is_gesture_changed(gesture.id)
        )
        self.space.setVisible(not gesture.held)
        self.button.setVisible(not gesture.held)
        self.shake.setVisible(gesture.can_shake and not keymap.gestures.shakes(gesture.id))

    def search(self, text: str) -> None:
        """Show what has these letters."""
        for item in self._items.values():
            words = f"{item.text(0)} {item.text(1)} {item.text(2)}"
            item.setHidden(bool(text.strip()) and score(text.strip(), words) is None)

    # --- changing --------------------------------------------------------------------------------------

    @Slot()
    def _add(self) -> None:
        parts = [name for name, box in self.modifiers.items() if box.isChecked()]
        if not gesture_of(self.chosen).held:
            parts += ["Space"] if self.space.isChecked() else []
            parts.append(self.button.value())
        self._want("+".join(parts))

    @Slot()
    def _add_shake(self) -> None:
        self._want(SHAKE)

    def _want(self, text: str) -> None:
        id, trigger = self.chosen, Trigger.read(text) if text else None
        if trigger is None or not suits(gesture_of(id), trigger):
            self.editor.ask(tr("Choose at least one key to hold."), "")
            return
        if trigger.text in self._keymap.gesture_texts(id):
            return
        other = self._keymap.gesture_holder(id, trigger.text)
        if other is None:
            self._bind(id, trigger.text)
            return
        self._wanted = trigger.text
        words, title = trigger_words(trigger), tr(other.title)
        question = tr("{keys} is “{title}” already.", keys=words, title=title)
        self.editor.ask(question, tr("Take it from “{title}”", title=title))

    def _bind(self, id: str, text: str) -> None:
        self._keymap.bind_gesture(id, (*self._keymap.gesture_texts(id), text))
        for box in (*self.modifiers.values(), self.space):
            box.setChecked(False)

    @Slot()
    def _take(self) -> None:
        if self._wanted:
            self._bind(self.chosen, self._wanted)
            self.add.setFocus()

    @Slot(str)
    def _remove(self, text: str) -> None:
        id = self.chosen
        self._keymap.bind_gesture(id, [one for one in self._keymap.gesture_texts(id) if one != text])
        self.add.setFocus()

    @Slot()
    def _reset(self) -> None:
        self._keymap.reset_gesture(self.chosen)
        self.add.setFocus()
