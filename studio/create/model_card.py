"""What is known of the chosen model: a few sentences, example prompts, and the way to a model of one's
own."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QLabel, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from studio.create.binding import Binding
from studio.engine.phases import memory_text
from studio.models.choices import ModelChoices
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.choice_field import below
from studio.widgets.flow import FlowLayout
from studio.widgets.layouts import empty

CHIPS = 2


class ModelCard(QFrame):
    """A small card that folds; :attr:`chips` is its row of examples, placed by the form below the prompt."""

    example_chosen = Signal(str)
    own_requested = Signal()
    more_requested = Signal()

    def __init__(self, models: ModelChoices, binding: Binding, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models, self._binding = models, binding
        self._shown: object = None
        self.about = QToolButton()
        self.about.setProperty("role", "quiet")
        self.about.setProperty("flush", True)
        self.about.setText(tr("About this model"))
        self.about.setIcon(current_theme().icon("info"))
        self.about.setIconSize(QSize(14, 14))
        self.about.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.about.setCheckable(True)
        self.about.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.text = QLabel()
        self.text.setProperty("role", "body2")
        self.text.setWordWrap(True)
        self.own = QPushButton(tr("Use a model of my own…"))
        self.own.setProperty("role", "link")
        self.own.clicked.connect(self.own_requested)
        self.more = QPushButton(tr("Get a larger model…"))
        self.more.setProperty("role", "link")
        self.more.setProperty("flush", True)
        self.more.setToolTip(tr("The starter is small. There are larger ones that this computer can run."))
        self.more.clicked.connect(self.more_requested)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.about, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.text)
        layout.addWidget(self.own, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        self.chips = QWidget()
        self._flow = FlowLayout(self.chips)
        self.about.toggled.connect(self._toggle)
        models.changed.connect(self.refresh)
        binding.changed.connect(self.refresh)
        self._toggle(False)
        self.refresh()

    @Slot(bool)
    def _toggle(self, shown: bool) -> None:
        self.text.setVisible(shown)
        self.own.setVisible(shown)

    @Slot()
    def refresh(self) -> None:
        """Show the chosen model; while there is no other that draws, the way to larger ones."""
        self.more.setVisible(self._models.only_starter())
        model = self._models.find(str(self._binding.value("model") or ""))
        if model is self._shown and model is not None:
            return
        self._shown = model
        if model is None:
            words = tr("What this model can do will be known once it is read.")
            examples: tuple[str, ...] = ()
        else:
            facts = [model.family, memory_text(model.bytes) if model.bytes else ""]
            if model.native_size is not None:
                facts.append(f"{model.native_size[0]} × {model.native_size[1]} px")
            words = "\n".join(
                part for part in (tr(model.card), " · ".join(fact for fact in facts if fact)) if part
            )
            examples = model.examples
        self.text.setText(words)
        self._show_examples(examples)

    def _show_examples(self, examples: tuple[str, ...]) -> None:
        empty(self._flow)
        self.chips.setVisible(bool(examples))
        for text in examples[:CHIPS]:
            self._flow.addWidget(self._chip(text, text))
        if len(examples) > CHIPS:
            more = self._chip(tr("More…"), "")
            menu = QMenu(more)
            for text in examples[CHIPS:]:
                menu.addAction(text).triggered.connect(
                    lambda _=False, text=text: self.example_chosen.emit(text)
                )
            more.clicked.connect(lambda: menu.popup(below(more)))
            self._flow.addWidget(more)

    def _chip(self, title: str, text: str) -> QPushButton:
        chip = QPushButton(title)
        chip.setProperty("role", "chip")
        chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        chip.setAccessibleName(title)
        if text:
            chip.setToolTip(tr("Use this example: {text}", text=text))
            chip.clicked.connect(lambda: self.example_chosen.emit(text))
        return chip
