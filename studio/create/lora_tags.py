"""LoRAs that the prompt names (``<lora:name:0.8>``), below Create's list: each can become one of it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pipelines.diffusion.prompts.prompt_tags import Tag
from studio.create.lora_edits import LoraEdits
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.elided_label import ElidedLabel
from studio.widgets.layouts import discard


class LoraTags(QWidget):
    """One line for each tag; nothing where there is none."""

    def __init__(self, edits: LoraEdits) -> None:
        super().__init__()
        self._edits = edits
        self._shown: tuple[tuple[Tag, str], ...] | None = None
        self.lines: list[TagLine] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)

    def refresh(self, listed: bool) -> None:
        """Show the prompt's tags as they are; ``listed``: whether they can become rows of the list."""
        infos = [(tag, self._edits.named(tag)) for tag in self._edits.tags]
        shown = tuple((tag, info.title if info is not None else "") for tag, info in infos)
        if shown != self._shown:
            self._shown = shown
            self._make(shown)
        for line in self.lines:
            line.button.setEnabled(listed)
            line.button.setVisible(bool(line.title))
        self.setVisible(bool(self.lines))

    def _make(self, shown: tuple[tuple[Tag, str], ...]) -> None:
        discard(self._layout, self.lines)
        self.lines = [TagLine(tag, title, self._edits) for tag, title in shown]
        for line in self.lines:
            self._layout.addWidget(line)


class TagLine(QWidget):
    """One tag: what it names and how strongly, or why it isn't used."""

    def __init__(self, tag: Tag, title: str, edits: LoraEdits) -> None:
        super().__init__()
        self.tag, self.title, self._edits = tag, title, edits
        words = tr(
            "{title} · {strength}, from the prompt", title=title or tag.name, strength=f"{tag.strength:g}"
        )
        label = ElidedLabel()
        label.setText(words)
        label.setToolTip(tag.text)
        label.setProperty("role", "label")
        self.button = QPushButton(tr("To the list"))
        self.button.setProperty("role", "chip")
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.setAccessibleName(tr("Move {tag} from the prompt to the list", tag=tag.text))
        self.button.setToolTip(tr("Take it out of the prompt and put it into the list, with its strength."))
        self.button.clicked.connect(self._moved)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(label, 1)
        line.addWidget(self.button)
        self.message = QLabel(tag.problem or ("" if title else tr("None of your LoRAs has just this name.")))
        self.message.setProperty("role", "hint")
        self.message.setWordWrap(True)
        icon = QLabel()
        icon.setPixmap(current_theme().pixmap("warning", 14, "warn", self.devicePixelRatioF()))
        foot = QWidget()
        below = QHBoxLayout(foot)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(5)
        below.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        below.addWidget(self.message, 1)
        foot.setVisible(bool(self.message.text()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(line)
        layout.addWidget(foot)

    @Slot()
    def _moved(self) -> None:
        self._edits.to_row(self.tag)
