"""The big picture: live while it forms, then finished; messages above it, tools and words below."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.background import in_background
from studio.pictures.results import Result, read_image
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.banner import Banner
from studio.widgets.elided_label import ElidedLabel
from studio.widgets.image_view import ImageView


class ResultPanel(QFrame):
    """``example_requested`` comes from the empty state's one button."""

    example_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "stage")
        self.view = ImageView()
        self.banner = Banner()
        self.caption = ElidedLabel()
        self.caption.setProperty("role", "body2")
        self.zoom = QToolButton()
        self.zoom.setProperty("role", "quiet")
        self.zoom.setToolTip(tr("100 %: one pixel of the picture on one of the screen"))
        self.zoom.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.zoom.setMinimumWidth(52)
        self.zoom.clicked.connect(self.view.actual_size)
        self._text = ""
        self._empty = self._empty_state()
        self._pages = QStackedWidget()
        self._pages.addWidget(self._empty)
        self._pages.addWidget(self.view)
        self._tools = QHBoxLayout()
        self._tools.setContentsMargins(12, 4, 12, 4)
        self._tools.setSpacing(2)
        self._tools.addWidget(self.caption, 1)
        self._tools.addWidget(self.zoom)
        self._foot = QWidget()
        self._foot.setLayout(self._tools)
        self._result: Result | None = None
        self._lay_out()
        self.view.scale_changed.connect(self._scaled)

    def _lay_out(self) -> None:
        margins = QVBoxLayout()
        margins.setContentsMargins(12, 12, 12, 0)
        margins.addWidget(self.banner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(margins)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self._foot)
        self._foot.hide()

    def add_tools(self, actions: list[QAction]) -> None:
        """Buttons of the command table, at the right below the picture."""
        for action in actions:
            button = QToolButton()
            button.setDefaultAction(action)
            button.setIconSize(QSize(18, 18))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setAccessibleName(action.text().replace("&", ""))
            self._tools.addWidget(button)

    def _empty_state(self) -> QWidget:
        page = QWidget()
        page.setProperty("role", "stage")
        self._art = QLabel()
        self._art.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._words, self._hint = QLabel(), QLabel()
        self._words.setProperty("role", "heading")
        self._words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setProperty("role", "body2")
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setWordWrap(True)
        self.example = QPushButton(tr("Draw an example"))
        self.example.clicked.connect(self.example_requested)
        column = QVBoxLayout(page)
        column.setSpacing(10)
        column.addStretch(3)
        column.addWidget(self._art)
        column.addWidget(self._words)
        column.addWidget(self._hint)
        column.addSpacing(6)
        column.addWidget(self.example, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(4)
        self._paint_art()
        self.set_phase("")
        current_theme().changed.connect(self._paint_art)
        return page

    def set_phase(self, phase: str) -> None:
        """What the run is doing, shown as long as there is no picture; empty when nothing runs."""
        if not phase:
            self._text = ""
            self._words.setText(tr("Say what you want to see, then press Generate."))
            self._hint.setText(tr("The picture appears here while it forms, and is saved by itself."))
        else:
            self._words.setText(phase[:1].upper() + phase[1:])
            self._hint.setText(f"“{self._text}”" if self._text else "")
        self.example.setVisible(not phase)

    @Slot()
    def _paint_art(self) -> None:
        from studio.theme import icons

        size, ratio = QSize(240, 120), self.devicePixelRatioF()
        self._art.setPixmap(icons.pixmap("art_empty", current_theme().tokens, "text2", size, ratio))

    # --- what is shown ---------------------------------------------------------------------------------

    @property
    def result(self) -> Result | None:
        """The result on show."""
        return self._result

    def show_result(self, result: Result | None, image: QImage | None = None) -> None:
        """Show a picture: given, or read from its file in the background."""
        self._result = result
        if result is None:
            self.view.set_image(None)
            self._pages.setCurrentWidget(self._empty)
            self._foot.hide()
            return
        if image is not None and not image.isNull():
            self._arrived(result, image)
        elif result.path:
            in_background(
                self,
                lambda: read_image(result.path),
                lambda found: self._arrived(result, found),
                lambda error: self._not_read(result, error),
            )

    def _arrived(self, result: Result, image: QImage) -> None:
        if result is not self._result:
            return
        self.view.set_image(image)
        self._pages.setCurrentWidget(self.view)
        size = f"{image.width()} × {image.height()} px"
        seed = tr("seed {seed}", seed=result.seed) if result.seed is not None else ""
        prompt = " ".join(result.prompt.split())
        self._set_caption("   ·   ".join(part for part in (prompt[:160], size, seed) if part), result.prompt)
        self._foot.show()

    def _not_read(self, result: Result, error: object) -> None:
        from pipelines.errors import ErrorInfo, FileMissing

        if result is self._result and isinstance(error, ErrorInfo):
            self.banner.show_error(FileMissing(path=result.path).info(error.details))

    def show_preview(self, image: QImage, size: QSize, prompt: str = "") -> None:
        """A picture that is still forming."""
        if not self.view.shows_preview and prompt:
            self._set_caption(tr("Forming: {prompt}", prompt=" ".join(prompt[:160].split())), prompt)
        self.view.set_preview(image, size)
        self._pages.setCurrentWidget(self.view)
        self._foot.show()

    def show_text(self, text: str) -> None:
        """What the text model has written so far."""
        self._text = " ".join(text.split())[-400:]
        if self.view.image is not None:
            self._set_caption(tr("The text model writes: {words}", words=self._text[-160:]), text)
            self._foot.show()

    def end_preview(self) -> None:
        """A run ended without a picture: back to the one before."""
        self.view.clear_preview()
        if self._result is not None and self.view.image is not None:
            self._arrived(self._result, self.view.image)
        elif self.view.image is None:
            self._pages.setCurrentWidget(self._empty)
            self._foot.hide()

    def _set_caption(self, text: str, tip: str) -> None:
        self.caption.setText(text)
        self.caption.setToolTip(tip if len(tip) < 2_000 else tip[:2_000] + "…")

    @Slot(float)
    def _scaled(self, scale: float) -> None:
        self.zoom.setText(f"{round(self.view.percent)} %")
