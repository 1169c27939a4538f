"""The table of keys: every command, what it is reached by, where that counts; all of it can be changed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from studio.keys import Keymap
from studio.keys.latin import normal
from studio.keys.words import native, scope_words
from studio.preferences.input_table import InputTable
from studio.preferences.key_recorder import KeyRecorder
from studio.translate import tr


class KeyTable(InputTable):
    """Every command and its keys. Enter on a row records keys for it."""

    def __init__(self, keymap: Keymap, parent: QWidget | None = None) -> None:
        super().__init__(keymap, (tr("Action"), tr("Keys"), tr("Where")), tr("Keys"), parent)
        self.tree.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.recorder = KeyRecorder(tr("Add keys…"))
        self.editor.adding.addWidget(self.recorder)
        for entry in keymap.entries:
            title = f"{tr(entry.menu)} · {tr(entry.title).rstrip('…')}"
            self.add_row(entry.id, title, scope_words(entry.scope))
        self.tree.itemActivated.connect(self.recorder.start)
        self.tree.installEventFilter(self)
        self.recorder.recorded.connect(self._add)
        self.begin()

    # --- showing ---------------------------------------------------------------------------------------

    def words_of(self, id: str) -> str:
        words = ", ".join(map(native, self._keymap.keys(id)))
        return tr("{keys} (yours)", keys=words or tr("none")) if self._keymap.is_changed(id) else words

    def texts_of(self, id: str) -> tuple[str, ...]:
        return tuple(self._keymap.keys(id))

    def show_row(self, id: str) -> None:
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

    def fits(self, id: str, text: str) -> bool:
        """A text in double quotes is a key."""
        if text.startswith('"') and (key := normal(text.strip('"'))):
            return key in self._keymap.keys(id)
        return super().fits(id, text)

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
            self.add_text(key)
            return
        title = tr(other.title).rstrip("…")
        question = tr("{keys} is “{title}” already.", keys=native(key), title=title)
        self.ask_to_take(key, question, tr("Take it from “{title}”", title=title))

    def bind(self, id: str, texts: list[str]) -> None:
        self._keymap.bind(id, texts)

    def reset(self, id: str) -> None:
        self._keymap.reset(id)

    def go_on(self) -> None:
        self.recorder.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in keys:
            self.recorder.start()
            return True
        return super().eventFilter(watched, event)
