"""The first page: templates as cards, and what was opened lately."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPixmap,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from pipelines.paths import RESOURCES
from studio.background import in_background
from studio.models.choices import ModelChoices
from studio.theme import current_theme, icons
from studio.translate import tr
from studio.widgets.layouts import empty

RECENT = 5
WIDTH: Final = 272
"""Pixels of a card."""
RADIUS: Final = 7


@dataclass(frozen=True, slots=True)
class Template:
    """A template of ``resources/templates``, with its words and picture."""

    name: str
    title: str
    text: str

    @property
    def art(self) -> str:
        """The icon that illustrates it where there is no picture."""
        return f"art_{self.name}"

    @property
    def picture(self) -> Path:
        """What it made once, with the starter models (see ``packaging/template_pictures.py``)."""
        return RESOURCES / "templates" / f"{self.name}.png"


TEMPLATES: Final = (
    Template("prompt_to_image", "Prompt to image", "Type what you want to see, and watch it form."),
    Template(
        "text_model_writes",
        "Let the text model write the prompt",
        "Give an idea of a few words. A text model turns it into a prompt, an image model draws it.",
    ),
    Template(
        "inpaint",
        "Paint over a picture",
        "Open a picture, brush over what should change, and say what you want there.",
    ),
    Template("variations", "Variations", "One prompt, four seeds, four pictures to choose from."),
)


class TemplateCard(QFrame):
    """A card to press; works by mouse, Enter and Space."""

    pressed = Signal(str)

    def __init__(self, template: Template, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.template = template
        self.setObjectName("card")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(tr(template.title))
        self.setAccessibleDescription(tr(template.text))
        self.art = QLabel()
        self.art.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.art.setObjectName("art")
        self.picture = QPixmap(str(template.picture))
        title = QLabel(tr(template.title))
        title.setProperty("role", "heading")
        title.setWordWrap(True)
        text = QLabel(tr(template.text))
        text.setProperty("role", "body2")
        text.setWordWrap(True)
        words = QVBoxLayout()
        words.setContentsMargins(16, 12, 16, 16)
        words.setSpacing(6)
        words.addWidget(title)
        words.addWidget(text)
        words.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.setSpacing(0)
        layout.addWidget(self.art)
        layout.addLayout(words, 1)
        self.setFixedWidth(current_theme().px(WIDTH))
        self._recolour()
        current_theme().changed.connect(self._recolour)

    @Slot()
    def _recolour(self) -> None:
        theme, ratio = current_theme(), self.devicePixelRatioF()
        if self.picture.isNull():
            shown = icons.pixmap(self.template.art, theme.tokens, "text2", QSize(240, 120), ratio)
        else:
            shown = self._rounded(ratio)
        self.art.setPixmap(shown)
        self._frame()

    def _rounded(self, ratio: float) -> QPixmap:
        """The picture as wide as the card, its upper corners as round."""
        width = self.width() - 4
        size = QSize(width, width * self.picture.height() // self.picture.width())
        shown = QPixmap(size * ratio)
        shown.setDevicePixelRatio(ratio)
        shown.fill(Qt.GlobalColor.transparent)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(0, 0, size.width(), size.height() + RADIUS), RADIUS, RADIUS)
        painter = QPainter(shown)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.setClipPath(outline)
        painter.drawPixmap(QRectF(QPointF(0, 0), size), self.picture, QRectF(self.picture.rect()))
        painter.end()
        return shown

    def _frame(self) -> None:
        tokens = current_theme().tokens
        active = self.hasFocus()
        hover = self.underMouse()
        line = tokens.brass if active else tokens.text3 if hover else tokens.line
        self.setStyleSheet(
            f"#card {{ background: {tokens.bg2 if hover else tokens.bg1};"
            f" border: {2 if active else 1}px solid {line}; margin: {0 if active else 1}px;"
            f" border-radius: 8px; }} #art {{ background: {tokens.bg0}; border-top-left-radius: 7px;"
            f" border-top-right-radius: 7px; padding: {10 if self.picture.isNull() else 0}px 0; }}"
        )

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._frame()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._frame()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._frame()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._frame()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.pressed.emit(self.template.name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.pressed.emit(self.template.name)
        else:
            super().keyPressEvent(event)


class StartPage(QScrollArea):
    """``template_chosen`` carries a template's name, ``file_chosen`` a path, ``open_requested`` asks for
    one, ``models_wanted`` which models there are to get."""

    template_chosen = Signal(str)
    file_chosen = Signal(str)
    open_requested = Signal()
    models_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        page = QWidget()
        page.setProperty("role", "stage")
        self.cards = [TemplateCard(template) for template in TEMPLATES]
        self.recent: dict[str, QPushButton] = {}
        """The buttons of files opened lately, by their paths."""
        self._models: ModelChoices | None = None
        column = QVBoxLayout()
        column.setSpacing(16)
        column.addStretch(2)
        column.addLayout(self._head())
        row = QHBoxLayout()
        row.setSpacing(16)
        for card in self.cards:
            card.pressed.connect(self.template_chosen)
            row.addWidget(card)
        column.addSpacing(8)
        column.addLayout(row)
        column.addLayout(self._foot())
        column.addStretch(3)
        across = QHBoxLayout(page)
        across.setContentsMargins(32, 24, 32, 24)
        across.addStretch(1)
        across.addLayout(column)
        across.addStretch(1)
        self.setWidget(page)
        self.setFocusProxy(self.cards[0])

    def _head(self) -> QVBoxLayout:
        title = QLabel(tr("What would you like to make?"))
        title.setProperty("role", "title")
        text = QLabel(
            tr("Everything runs on this computer. Each of these works at once with the starter models.")
        )
        text.setProperty("role", "body2")
        head = QVBoxLayout()
        head.setSpacing(6)
        head.addWidget(title)
        head.addWidget(text)
        return head

    def _foot(self) -> QVBoxLayout:
        foot = QVBoxLayout()
        foot.setSpacing(4)
        self.open_button = QPushButton(tr("Open a graph or a picture…"))
        self.open_button.clicked.connect(self.open_requested)
        line = QHBoxLayout()
        line.setSpacing(12)
        line.addWidget(self.open_button)
        hint = QLabel(tr("or drop a picture made by Diptych here: its graph opens"))
        hint.setProperty("role", "body2")
        line.addWidget(hint)
        line.addStretch(1)
        self.more = QPushButton(tr("The starter model is small: get a larger one…"))
        self.more.setProperty("role", "link")
        self.more.setProperty("flush", True)
        self.more.clicked.connect(self.models_wanted)
        self.more.hide()
        foot.addSpacing(8)
        foot.addLayout(line)
        foot.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(0)
        foot.addLayout(self._recent)
        return foot

    def follow_models(self, models: ModelChoices) -> None:
        """Offer larger models while there is only the starter."""
        self._models = models
        models.changed.connect(self._show_more)

    @Slot()
    def _show_more(self) -> None:
        self.more.setVisible(self._models is not None and self._models.only_starter())

    def set_recent(self, paths: tuple[str, ...]) -> None:
        """Files opened lately, newest first; those that are gone say so, as soon as that is known."""
        empty(self._recent)
        self.recent = {}
        for path in paths[:RECENT]:
            button = self.recent[path] = QPushButton(Path(path).name)
            button.setProperty("role", "link")
            button.setToolTip(path)
            button.clicked.connect(lambda _=False, path=path: self.file_chosen.emit(path))
            self._recent.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        wanted = tuple(self.recent)
        if wanted:  # in the background: a folder may be on a disk that sleeps, or on another computer
            in_background(self, lambda: [path for path in wanted if not Path(path).exists()], self._gone)

    def _gone(self, paths: list[str]) -> None:
        for path in paths:
            button = self.recent.get(path)
            if button is not None:
                button.setEnabled(False)
                button.setText(tr("{name} — not there any more", name=Path(path).name))
