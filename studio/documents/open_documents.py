"""The documents that are open, one tab each, and which of them the window shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from studio.documents.document import GraphDocument
from studio.documents.sheet import Sheet

REOPENED: Final = 10
"""So many closed ones can be opened again, with their history."""


class OpenDocuments(QObject):
    """``changed`` when one came, went, moved, is called something else, or another is shown; ``closed``
    carries one that went, ``reopened`` one that came back.

    Whatever the document shows becomes a tab: behind the one that was shown, or in place of a blank one.
    """

    changed = Signal()
    closed = Signal(object)
    reopened = Signal(object)

    def __init__(self, document: GraphDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self._shown = document.sheet
        self._sheets = [document.sheet]
        self._closed: list[Sheet] = []
        self._in_place = False
        document.replaced.connect(self._follow)
        for signal in (document.path_changed, document.history_changed, document.saved):
            signal.connect(self.changed)

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """All that are open, in the order of their tabs."""
        return tuple(self._sheets)

    @property
    def index(self) -> int:
        """The place of the one that is shown."""
        return self._sheets.index(self._shown)

    def find(self, path: Path) -> Sheet | None:
        """The one that belongs to a file."""
        try:
            wanted = path.resolve()
            return next((item for item in self._sheets if item.path and item.path.resolve() == wanted), None)
        except OSError:  # a link to itself, say: opening it says so
            return None

    @Slot()
    def _follow(self) -> None:
        sheet, before = self.document.sheet, self._shown
        if sheet not in self._sheets:
            place = self._sheets.index(before)
            if before.is_blank:
                self._sheets[place] = sheet
            elif self._in_place:
                self._sheets[place] = sheet
                self._put_aside(before)
            else:
                self._sheets.insert(place + 1, sheet)
        self._shown = sheet
        self.changed.emit()

    def restore(self, sheets: list[Sheet], shown: Sheet) -> None:
        """Open several (those of last time) and show one of them."""
        blank = self._shown.is_blank
        self._sheets = [*([] if blank else self._sheets), *sheets]
        if blank:
            self._shown = shown
        self.document.show_sheet(shown)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """What is opened meanwhile takes the place of what is shown, which can be opened again."""
        self._in_place = True
        try:
            yield
        finally:
            self._in_place = False

    # --- going and coming ------------------------------------------------------------------------------

    def show(self, index: int) -> None:
        """Show the one at a place; nothing for a place that isn't there."""
        if 0 <= index < len(self._sheets):
            self.document.show_sheet(self._sheets[index])

    def step(self, by: int) -> None:
        """Show the next (or an earlier) one, round and round."""
        self.show((self.index + by) % len(self._sheets))

    def move(self, before: int, after: int) -> None:
        """Put a tab elsewhere."""
        count = len(self._sheets)
        if before != after and before in range(count) and after in range(count):
            self._sheets.insert(after, self._sheets.pop(before))
            self.changed.emit()

    def close(self, index: int) -> None:
        """Close one. It can be opened again as it was, and its backups have it; the last one leaves a blank
        document."""
        if not 0 <= index < len(self._sheets):
            return
        sheet = self._sheets[index]
        if sheet is self._shown:
            if len(self._sheets) == 1:
                self.document.new()  # it comes behind the one that goes
            else:
                self.show(index + 1 if index + 1 < len(self._sheets) else index - 1)
        if sheet in self._sheets:
            self._sheets.remove(sheet)
        self._put_aside(sheet)
        self.changed.emit()

    def close_others(self, index: int) -> None:
        """Close all but one."""
        if 0 <= index < len(self._sheets):
            stays = self._sheets[index]
            self.document.show_sheet(stays)
            for sheet in [sheet for sheet in self._sheets if sheet is not stays]:
                self.close(self._sheets.index(sheet))

    def _put_aside(self, sheet: Sheet) -> None:
        if sheet.is_blank:
            sheet.undo_stack.deleteLater()
            return
        self._closed.append(sheet)
        self.closed.emit(sheet)
        for old in self._closed[:-REOPENED]:
            old.undo_stack.deleteLater()
        del self._closed[:-REOPENED]

    @property
    def kept(self) -> tuple[Sheet, ...]:
        """Those that are open, and those that can be opened again."""
        return (*self._sheets, *self._closed)

    @property
    def last_closed(self) -> Sheet | None:
        """The one that :meth:`reopen` opens."""
        return self._closed[-1] if self._closed else None

    def reopen(self) -> None:
        """Open the one closed last again, with its history."""
        if self._closed:
            sheet = self._closed.pop()
            self.reopened.emit(sheet)
            self.document.show_sheet(sheet)
