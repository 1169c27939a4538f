"""What the window says in words: the banner above the workspaces, the log, questions."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtWidgets import QWidget

from pipelines.errors import ErrorInfo
from studio.actions.shell import Button
from studio.panels.log import LogPanel
from studio.translate import tr
from studio.widgets.banner import Banner
from studio.widgets.dialog import ask

INFO_MS = 12_000


class Messages(QObject):
    """Writes to :attr:`banner` and to the log."""

    def __init__(self, log: LogPanel, window: QWidget) -> None:
        super().__init__(window)
        self._log, self._window = log, window
        self.banner = Banner()

    def show_error(self, error: ErrorInfo, actions: tuple[Button, ...] = ()) -> None:
        """An error that belongs to no field and no node."""
        self.banner.show_error(error, actions)
        self._log.write_error(error)

    def show_message(self, heading: str, body: str, actions: tuple[Button, ...] = ()) -> None:
        """Something worth saying that is no error."""
        self.banner.show_text(heading, body, "info", actions)

    def offer_again(self, name: str, open_again: Callable[[], object]) -> None:
        """A document was closed that its file doesn't have as it was: it is one click away."""

        def again() -> None:
            self.banner.hide()
            open_again()

        self.show_message(
            tr("{name} was closed.", name=name),
            tr("What was not saved is kept: here, and among its earlier versions."),
            ((tr("Open it again"), again),),
        )
        QTimer.singleShot(INFO_MS, self.banner, self._hide_info)

    @Slot()
    def _hide_info(self) -> None:
        if self.banner.severity == "info":
            self.banner.hide()

    @Slot(object, object)
    def note_failure(self, error: ErrorInfo, run: object) -> None:
        """A failed run is shown where it belongs; the log has it too."""
        self._log.write_error(error)

    def ask_to_delete(self, name: str) -> bool:
        """Whether the picture may go to the bin."""
        text = tr("{name} is moved to the bin of your system; it can be restored from there.", name=name)
        title = tr("Move the picture to the bin?")
        return ask(self._window, title, text, tr("Move to the bin"), tr("Keep it"))
