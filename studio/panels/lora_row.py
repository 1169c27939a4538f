"""One LoRA in Create's list: a switch, its name, a strength, its trigger words, and the way out."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pipelines.engine.protocol import ModelInfo
from pipelines.graph.registry import Registry
from studio.graph.loras import LORA, LoraNode
from studio.panels.lora_edits import LoraEdits
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.elided_label import ElidedLabel
from studio.widgets.flow import FlowLayout
from studio.widgets.param_editor import tool_button
from studio.widgets.param_editors import editor_for

WORDS: Final = 6
"""Trigger words that are shown; the tooltip has them all."""


class LoraRow(QWidget):
    """``words_wanted``: whether there is a prompt that trigger words can be added to."""

    def __init__(self, node: str, registry: Registry, edits: LoraEdits, words_wanted: bool) -> None:
        super().__init__()
        self.node, self._edits, self._words_wanted = node, edits, words_wanted
        self._shown: tuple[str, ...] = ()
        self.switch = QCheckBox()
        self.switch.clicked.connect(self._switched)
        self.title = ElidedLabel()
        self.title.setProperty("role", "label")
        self.remove = tool_button("close", "")
        self.remove.clicked.connect(self._removed)
        self.strength = editor_for(registry[LORA].params_by_name["strength"])
        self.strength.value_changed.connect(self._strength_changed)
        self.words = QWidget()
        self._flow = FlowLayout(self.words)
        self.icon = QLabel()
        self.icon.setPixmap(current_theme().pixmap("warning", 14, "warn", self.devicePixelRatioF()))
        self.message = QLabel()
        self.message.setProperty("role", "hint")
        self.message.setWordWrap(True)
        self.strength.noticed.connect(self.message.setText)
        self.strength.noticed.connect(self.message.show)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self.switch)
        head.addWidget(self.title, 1)
        head.addWidget(self.remove)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(self.strength)
        layout.addWidget(self.words)
        foot = QHBoxLayout()
        foot.setSpacing(5)
        foot.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignTop)
        foot.addWidget(self.message, 1)
        layout.addLayout(foot)

    def show_values(self, item: LoraNode, title: str, info: ModelInfo | None, fault: str) -> None:
        """Show a LoRA as the document has it; ``fault``: why it can't be used."""
        self.title.setText(title)
        self.title.setToolTip("\n".join(filter(None, (title, info.card if info is not None else ""))))
        self.switch.setChecked(item.on)
        for widget, words in (
            (self.switch, tr("Use {title}", title=title)),
            (self.remove, tr("Remove {title}", title=title)),
        ):
            widget.setToolTip(words)
            widget.setAccessibleName(words)
        self.strength.setEnabled(item.on and item.strength is not None)
        self.strength.setAccessibleName(tr("Strength of {title}", title=title))
        if item.strength is not None:
            self.strength.set_value(item.strength)
        self._show_words(info.trigger_words if info is not None and self._words_wanted else ())
        note = "" if item.strength is not None else tr("Another node of the graph says how strong it is.")
        self.message.setText(fault or note)
        self.message.setVisible(bool(self.message.text()))
        self.icon.setVisible(bool(fault))

    def _show_words(self, words: tuple[str, ...]) -> None:
        if words == self._shown and self._flow.count():
            return
        self._shown = words
        while (taken := self._flow.takeAt(0)) is not None:
            if (widget := taken.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for word in words[:WORDS]:
            chip = QPushButton(word)
            chip.setProperty("role", "chip")
            chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            chip.setToolTip(tr("Add “{word}” to the prompt", word=word))
            chip.clicked.connect(lambda _=False, word=word: self._edits.add_word(word))
            self._flow.addWidget(chip)
        self.words.setToolTip(", ".join(words))
        self.words.setVisible(bool(words))

    @Slot(bool)
    def _switched(self, on: bool) -> None:
        self._edits.switch(self.node, on)

    @Slot()
    def _removed(self) -> None:
        self._edits.remove(self.node)

    @Slot(object)
    def _strength_changed(self, value: Any) -> None:
        self._edits.set_strength(self.node, value)
