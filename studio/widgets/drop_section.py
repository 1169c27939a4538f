"""A part of a form that folds, and takes pictures that are dropped on it."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal

from studio.widgets.section import Section


class DropSection(Section):
    """``pictures_dropped`` with the files; it unfolds then, so that one sees what became of them."""

    pictures_dropped = Signal(object)

    def take_pictures(self, files: list[str], at: QPoint, *, own: bool) -> None:
        """Pictures were dropped on it, folded or not."""
        if not self.expanded:
            self.header.click()
        self.pictures_dropped.emit(files)
