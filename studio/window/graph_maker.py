"""Makes the canvas and its inspector, when it is first shown or while nobody waits for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QMenu, QWidget

from pipelines.engine.protocol import Models
from studio.commands.command import Command
from studio.commands.table import CommandTable
from studio.parts import Parts
from studio.translate import tr

PART_MS = 20


class GraphMaker(QObject):
    """``graph_made`` (widget) and ``inspector_made`` (widget) once each; :attr:`graph` is ``None`` before."""

    graph_made = Signal(object)
    inspector_made = Signal(object)

    def __init__(
        self,
        parts: Parts,
        commands: CommandTable,
        menus: dict[str, QMenu],
        show_inspector: Callable[[], object],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._parts, self._commands, self._menus = parts, commands, menus
        self._show_inspector = show_inspector
        self.graph: Any = None
        self.inspector: QWidget | None = None
        self._has_commands = False
        self._submenus: dict[str, QMenu] = {}
        self._imports: Iterator[str] | None = None

    @Slot()
    def make_soon(self) -> None:
        """Make the canvas while nobody waits for it, in parts too small to be felt: module by module (in this
        thread: importing Qt classes in another one crashes), then canvas, commands and inspector.
        """
        if self.graph is None and self._imports is None:
            self._imports = iter(self._parts.graph_modules())
            self._next()

    @Slot()
    def _next(self) -> None:
        name = next(self._imports, None) if self._imports is not None else None
        if name is not None and self.graph is None:
            importlib.import_module(name)
            QTimer.singleShot(PART_MS, self, self._next)
            return
        self._make_graph()
        QTimer.singleShot(PART_MS, self, self._make_commands)
        QTimer.singleShot(3 * PART_MS, self, self.make)

    @Slot()
    def make(self) -> None:
        """Make now what isn't made yet."""
        self._make_graph()
        self._make_commands()
        self._make_inspector()

    def _make_graph(self) -> None:
        if self.graph is None:
            self.graph = self._parts.make_graph(self._parts.document, self._parts.bridge)
            self.graph_made.emit(self.graph)

    @Slot()
    def _make_commands(self) -> None:
        if self._has_commands:
            return
        self._has_commands = True
        commands = self.graph.commands()
        for command, action in zip(commands, self._commands.add_all(commands), strict=True):
            if command.in_palette:
                self._menu_for(command).addAction(action)
        self.graph.use_keys(self._commands.keymap)

    def _menu_for(self, command: Command) -> QMenu:
        """The menu of a command, or the submenu of its group, made when its first command comes."""
        menu = self._menus[command.menu]
        menu.menuAction().setVisible(True)
        if not command.group:
            return menu
        name = f"{command.menu}/{command.group}"
        if name not in self._submenus:
            self._submenus[name] = menu.addMenu(tr(command.group))
            self._submenus[name].aboutToShow.connect(self._commands.refresh)
        return self._submenus[name]

    def _make_inspector(self) -> None:
        if self.inspector is not None:
            return
        inspector = self._parts.make_inspector(self._parts.document, self.graph)
        self.inspector = inspector
        self.graph.selection_changed.connect(inspector.show_nodes)
        self.graph.edit_requested.connect(inspector.edit)
        self.graph.edit_requested.connect(lambda *_: self._show_inspector())
        inspector.node_requested.connect(self.graph.show_node)
        self._parts.bridge.models_listed.connect(inspector.show_models)
        if self._parts.models.models:
            inspector.show_models(Models(request="", models=self._parts.models.models))
        self.inspector_made.emit(inspector)
