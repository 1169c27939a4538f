"""What the commands do with the tabs: close, open again, step. Nothing is asked, since nothing is lost."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from studio.actions.shell import Shell
from studio.documents.sheet import Sheet
from studio.parts import Parts
from studio.translate import tr


class TabActions(QObject):
    """The :class:`studio.commands.command.Tabs` of a window."""

    def __init__(self, parts: Parts, shell: Shell, parent: QObject) -> None:
        super().__init__(parent)
        self._parts, self._shell = parts, shell

    @property
    def _is_open(self) -> bool:
        return self._shell.workspace != "start" or not self._parts.document.sheet.is_blank

    def can_close(self) -> bool:
        return self._is_open

    def has_several(self) -> bool:
        return len(self._parts.tabs.sheets) > 1

    def can_reopen(self) -> bool:
        return self._parts.tabs.last_closed is not None

    def step(self, by: int) -> None:
        """Show the next document, or an earlier one."""
        self._parts.tabs.step(by)

    def close(self, index: int | None = None) -> None:
        """Close the document that is shown, or the one at a place; it is one click away."""
        tabs = self._parts.tabs
        sheet = tabs.sheets[tabs.index if index is None else index]
        was_blank = sheet.is_blank
        tabs.close(tabs.index if index is None else index)
        if self._parts.document.sheet.is_blank:
            self._shell.show_workspace("start")
        if not was_blank:
            self._offer_again(sheet)

    def close_others(self, index: int) -> None:
        """Close all documents but one."""
        count = len(self._parts.tabs.sheets) - 1
        self._parts.tabs.close_others(index)
        self._shell.status.note(tr("Closed {n} documents", n=count))

    def _offer_again(self, sheet: Sheet) -> None:
        if sheet.is_modified:
            name = sheet.title or tr("Untitled")
            self._shell.offer_again(name, lambda: self._open_again(sheet))
        else:
            self._shell.status.note(tr("Closed {name}", name=sheet.title or tr("Untitled")))

    def _open_again(self, sheet: Sheet) -> None:
        if self._parts.tabs.last_closed is sheet:
            self.reopen()

    @Slot()
    def reopen(self) -> None:
        """Open the document that was closed last, with its history."""
        self._parts.tabs.reopen()
