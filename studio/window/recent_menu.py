"""File · Open recent: the graphs and pictures of last time, made anew each time the menu opens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from studio.settings import SettingsStore
from studio.translate import tr


class RecentMenu(QMenu):
    """Stands behind ``after`` in ``menu``. Files that are gone are greyed out, and say so."""

    def __init__(
        self, menu: QMenu, after: QAction, settings: SettingsStore, open: Callable[[str], None]
    ) -> None:
        super().__init__(tr("Open recent"), menu)
        self._settings, self._open = settings, open
        actions = menu.actions()
        place = actions.index(after) + 1
        menu.insertMenu(actions[place] if place < len(actions) else None, self)  # type: ignore[arg-type]
        self.aboutToShow.connect(self.fill)
        menu.aboutToShow.connect(self._show_state)
        self._show_state()

    @Slot()
    def _show_state(self) -> None:
        self.menuAction().setEnabled(bool(self._settings.values.recent))

    @Slot()
    def fill(self) -> None:
        """List them, the last one first, by their names; the folder stands behind it."""
        self.clear()
        for number, text in enumerate(self._settings.values.recent, 1):
            path = Path(text)
            key = f"&{number} " if number < 10 else ""
            there = path.exists()
            where = str(path.parent) if there else tr("not there any more")
            action = self.addAction(key + f"{path.name} — {where}".replace("&", "&&"))
            action.setToolTip(text)
            action.setEnabled(there)
            action.triggered.connect(lambda _=False, path=text: self._open(path))
        self.addSeparator()
        self.addAction(tr("Forget these")).triggered.connect(self.forget)

    @Slot()
    def forget(self) -> None:
        """Empty the list; the files stay."""
        self._settings.change(recent=())
