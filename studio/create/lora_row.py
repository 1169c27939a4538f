"""One LoRA in Create's list: a switch, its name, a strength, its trigger words, and the way out."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import LoraBlocksUnreadable
from pipelines.graph.registry import Registry
from pipelines.models.lora.blocks import read_blocks
from studio.create.lora_edits import LoraEdits
from studio.graph.loras import LORA, LoraNode
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.elided_label import ElidedLabel
from studio.widgets.flow import FlowLayout
from studio.widgets.layouts import empty
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
        self.more = tool_button("settings", "")
        self.more.setCheckable(True)
        self.more.toggled.connect(self._show_blocks)
        self.blocks = editor_for(registry[LORA].params_by_name["blocks"])
        self.blocks.setToolTip(tr(registry[LORA].params_by_name["blocks"].description))
        self.blocks.value_changed.connect(self._blocks_changed)
        self.blocks.hide()
        self.strength.noticed.connect(self.message.setText)
        self.strength.noticed.connect(self.message.show)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self.switch)
        head.addWidget(self.title, 1)
        head.addWidget(self.more)
        head.addWidget(self.remove)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(self.strength)
        layout.addWidget(self.blocks)
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
            (self.more, tr("Strengths of single blocks of {title}", title=title)),
        ):
            widget.setToolTip(words)
            widget.setAccessibleName(words)
        self.strength.setEnabled(item.on and item.strength is not None)
        self.strength.setAccessibleName(tr("Strength of {title}", title=title))
        if item.strength is not None:
            self.strength.set_value(item.strength)
        self.blocks.setEnabled(item.on and item.blocks is not None)
        self.blocks.setAccessibleName(tr("Block weights of {title}", title=title))
        self.blocks.set_value(item.blocks or "")
        if item.blocks and self.blocks.isHidden():
            self.more.setChecked(True)
        self._show_words(info.trigger_words if info is not None and self._words_wanted else ())
        note = "" if item.strength is not None else tr("Another node of the graph says how strong it is.")
        fault = fault or unreadable(item.blocks or "")
        self.message.setText(fault or note)
        self.message.setVisible(bool(self.message.text()))
        self.icon.setVisible(bool(fault))

    def _show_words(self, words: tuple[str, ...]) -> None:
        if words == self._shown and self._flow.count():
            return
        self._shown = words
        empty(self._flow)
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

    @Slot(bool)
    def _show_blocks(self, shown: bool) -> None:
        self.blocks.setVisible(shown)
        if shown and self.more.hasFocus():
            self.blocks.setFocus()

    @Slot(object)
    def _blocks_changed(self, value: Any) -> None:
        self._edits.set_blocks(self.node, value)


def unreadable(text: str) -> str:
    """What can't be read of a text of block weights; empty if all can."""
    try:
        read_blocks(text)
    except LoraBlocksUnreadable as error:
        return error.info().sentences(tr)[1]
    return ""
