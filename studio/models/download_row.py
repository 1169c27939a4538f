"""One download: how far it is, with what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pipelines.engine.protocol import DownloadInfo
from studio.engine.runs import error_info
from studio.models.download_words import fraction_of, state_text
from studio.models.downloads import RUNNING
from studio.models.getting import Getting
from studio.translate import tr
from studio.widgets.progress_bar import SegmentBar

DENIED = "DownloadDenied"


class DownloadParts(QWidget):
    """Bar, words and buttons of one download; nothing while there is none. Used in rows and in cards."""

    def __init__(self, getting: Getting, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._getting = getting
        self.told: DownloadInfo | None = None
        self.bar, self.words = SegmentBar(), QLabel()
        self.words.setProperty("role", "hint")
        self.words.setWordWrap(True)
        self.pause = self._button(tr("Pause"), self._pause)
        self.resume = self._button(tr("Go on"), self._resume)
        self.page = self._button(tr("Open its page"), self._open_page)
        self.token = self._button(tr("Access token…"), getting.open_settings)
        self.use = self._button(tr("Use it"), self._use)
        self.cancel = self._button(tr("Cancel"), self._cancel)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.bar)
        line.addStretch(1)
        self._buttons = (self.page, self.token, self.pause, self.resume, self.use, self.cancel)
        for button in self._buttons:
            line.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.words)
        column.addLayout(line)
        self.show_download(None)

    def _button(self, text: str, act: object) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("role", "link")
        button.clicked.connect(act)
        return button

    def show_download(self, told: DownloadInfo | None) -> None:
        """Show one as it is now."""
        self.told = told
        self.setVisible(told is not None)
        if told is None:
            self.bar.stop()
            return
        fraction = fraction_of(told)
        if told.state in ("asking", "checking") or (told.state == "running" and fraction is None):
            self.bar.set_busy()
        else:
            self.bar.set_fraction(1.0 if told.state == "finished" else fraction or 0.0)
        self.bar.setVisible(told.state not in ("failed", "finished"))
        self.words.setText(_words(told))
        self.pause.setVisible(told.state in RUNNING)
        self.resume.setVisible(told.state in ("paused", "failed"))
        self.resume.setText(tr("Try again") if told.state == "failed" else tr("Go on"))
        self.use.setVisible(told.state == "finished" and self._getting.model_of(told) is not None)
        self.cancel.setText(tr("Take it from the list") if told.state == "finished" else tr("Cancel"))
        denied = told.state == "failed" and told.error is not None and told.error.code == DENIED
        self.page.setVisible(denied and "://" not in told.source)
        self.token.setVisible(denied)
        for button in self._buttons:
            button.setAccessibleName(f"{button.text()}: {told.title}")

    @Slot()
    def _pause(self) -> None:
        if self.told is not None:
            self._getting.downloads.pause(self.told.id)

    @Slot()
    def _resume(self) -> None:
        if self.told is not None:
            self._getting.downloads.resume(self.told.id)

    @Slot()
    def _use(self) -> None:
        if self.told is not None:
            self._getting.take(self.told)

    @Slot()
    def _open_page(self) -> None:
        if self.told is not None:
            self._getting.open_repository(self.told.source)

    @Slot()
    def _cancel(self) -> None:
        if self.told is not None:
            self._getting.cancel(self.told)


class DownloadRow(QFrame):
    """A download with its title, in the list of all."""

    def __init__(self, getting: Getting, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.title, self.parts = QLabel(), DownloadParts(getting)
        self.title.setProperty("role", "strong")
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 10, 12, 10)
        column.setSpacing(4)
        column.addWidget(self.title)
        column.addWidget(self.parts)

    def show_download(self, told: DownloadInfo) -> None:
        """Show one as it is now."""
        self.title.setText(told.title)
        self.parts.show_download(told)


def _words(told: DownloadInfo) -> str:
    """How it is; of one that failed, what happened, why, and what to do."""
    if told.state == "failed" and told.error is not None:
        return " ".join(part for part in error_info(told.error).sentences(tr) if part)
    return state_text(told)
