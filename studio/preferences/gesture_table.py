"""The table of gestures: which button and which modifiers begin each; all of it can be changed."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QPushButton, QWidget

from studio.keys import GESTURE_TABLE, Keymap, Trigger
from studio.keys.gestures import BUTTONS, MODIFIERS, SHAKE, gesture_of, suits
from studio.keys.words import gesture_words, modifier_name, trigger_words, triggers_words
from studio.preferences.input_table import InputTable
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField


class GestureTable(InputTable):
    """Every gesture of the graph and what begins it."""

    def __init__(self, keymap: Keymap, parent: QWidget | None = None) -> None:
        super().__init__(keymap, (tr("Gesture"), tr("Begins with"), tr("Where")), tr("Gestures"), parent)
        self._put_adding()
        for gesture in GESTURE_TABLE:
            self.add_row(gesture.id, tr(gesture.title), tr(gesture.where))
        self.begin()

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

    # --- showing ---------------------------------------------------------------------------------------

    def words_of(self, id: str) -> str:
        words = triggers_words(self._keymap.gestures.triggers(id)) or tr("none")
        return tr("{keys} (yours)", keys=words) if self._keymap.is_gesture_changed(id) else words

    def texts_of(self, id: str) -> tuple[str, ...]:
        return tuple(self._keymap.gesture_texts(id))

    def show_row(self, id: str) -> None:
        gesture, keymap = gesture_of(id), self._keymap
        triggers = [(trigger.text, trigger_words(trigger)) for trigger in keymap.gestures.triggers(id)]
        note = tr("Without modifiers: “{command}” in the Graph menu.", command=tr(gesture.arm).rstrip("…"))
        self.editor.show_keys(gesture_words(gesture), triggers, note, changed=keymap.is_gesture_changed(id))
        self.space.setVisible(not gesture.held)
        self.button.setVisible(not gesture.held)
        self.shake.setVisible(gesture.can_shake and not keymap.gestures.shakes(id))

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
            self.add_text(trigger.text)
            return
        words, title = trigger_words(trigger), tr(other.title)
        question = tr("{keys} is “{title}” already.", keys=words, title=title)
        self.ask_to_take(trigger.text, question, tr("Take it from “{title}”", title=title))

    def add_text(self, text: str) -> None:
        super().add_text(text)
        for box in (*self.modifiers.values(), self.space):
            box.setChecked(False)

    def bind(self, id: str, texts: list[str]) -> None:
        self._keymap.bind_gesture(id, texts)

    def reset(self, id: str) -> None:
        self._keymap.reset_gesture(id)

    def go_on(self) -> None:
        self.add.setFocus()
