"""The context menu of the canvas: short, with submenus, for what is selected now."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtWidgets import QMenu, QWidget

from studio.canvas.command import CanvasCommand
from studio.canvas.menus import CONTEXT_MENU, listed
from studio.theme import current_theme
from studio.translate import tr


def context_menu(
    parent: QWidget, commands: Mapping[str, CanvasCommand], keys_text: Callable[[str], str]
) -> QMenu:
    """The menu; ``commands`` by their ids, ``keys_text`` names the first key of one."""
    menu = QMenu(parent)
    for id in CONTEXT_MENU:
        if not id:
            menu.addSeparator()
        elif id in commands:
            _put(menu, commands[id], keys_text(id))
        else:
            submenu = menu.addMenu(tr(id))
            for command in listed(id, commands.values()):
                _put(submenu, command, keys_text(command.id))
    return menu


def _put(menu: QMenu, command: CanvasCommand, keys: str) -> None:
    title = tr(command.title)
    action = menu.addAction(f"{title}\t{keys}" if keys else title)
    if command.icon:
        action.setIcon(current_theme().icon(command.icon))
    action.setEnabled(command.enabled())
    action.triggered.connect(lambda _=False, run=command.callback: run())
