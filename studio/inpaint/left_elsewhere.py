"""Pictures that another program saved after Diptych had ended: offered at the next start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QTimer, QUrl, Slot
from PySide6.QtGui import QDesktopServices

from studio.background import in_background
from studio.inpaint import edited_marks
from studio.translate import tr
from studio.widgets.banner import Banner

NAMED: Final = 3
"""Pictures that are called by their names."""
AGAIN_MS: Final = 2_000
"""Between two looks whether the banner is free."""


class LeftElsewhere(QObject):
    """Offers what was left, once, when no other message stands in the banner.

    Args:
        take: puts the pictures of these files on the canvas.
        folder: where the files lie.
    """

    def __init__(
        self,
        banner: Banner,
        take: Callable[[list[Path]], object],
        parent: QObject,
        folder: Path | None = None,
    ) -> None:
        super().__init__(parent)
        self._banner, self._take = banner, take
        self.folder = folder or edited_marks.default_folder()
        self.found: list[Path] = []
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(AGAIN_MS)
        self._again.timeout.connect(self._offer)

    @Slot()
    def look(self) -> None:
        """See what there is, and offer it."""
        folder = self.folder
        in_background(self, lambda: edited_marks.changed_since(folder), self._found)

    def _found(self, found: list[Path]) -> None:
        self.found = found
        self._offer()

    @Slot()
    def _offer(self) -> None:
        if not self.found:
            return
        if self._banner.isVisible():
            self._again.start()
            return
        count = len(self.found)
        one = tr("1 picture was changed in another program.")
        heading = one if count == 1 else tr("{n} pictures were changed in another program.", n=count)
        names = ", ".join(f"“{path.stem}”" for path in self.found[:NAMED]) + ("…" if count > NAMED else "")
        body = tr(
            "Saved while Diptych was closed: {names}. What is saved there stays for 30 days.", names=names
        )
        add = tr("Add it as a layer") if count == 1 else tr("Add them as layers")
        forget = tr("Forget it") if count == 1 else tr("Forget them")
        self._banner.show_text(
            heading,
            body,
            "info",
            ((add, self._add), (tr("Show the folder"), self._show), (forget, self.forget)),
        )

    def _add(self) -> None:
        found = [path for path in self.found if path.is_file()]
        self.forget()
        if found:
            self._take(found)

    def _show(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.folder)))

    def forget(self) -> None:
        """Don't offer them again; the files stay."""
        self._banner.hide()
        for path in self.found:
            edited_marks.note_taken(path)
        self.found = []
