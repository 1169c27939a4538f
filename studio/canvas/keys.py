"""What keys do while the view has the focus: the commands of the canvas, on any layout."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QKeyCombination, QObject, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent

from studio.canvas.command import MENU, CanvasCommand
from studio.canvas.port_cursor import PortCursor
from studio.canvas.view import GraphView
from studio.keys import Entry, Keymap, Scope
from studio.keys.words import native

_SPACE = QKeyCombination(Qt.Key.Key_Space)


class CanvasKeys(QObject):
    """``changed`` when keys are others than before; ``hinted`` says what to do next, or nothing."""

    changed = Signal()
    hinted = Signal(str)

    def __init__(self, view: GraphView, ports: PortCursor, commands: Iterable[CanvasCommand]) -> None:
        super().__init__(view)
        self._view, self._ports = view, ports
        self._commands = {command.id: command for command in commands}
        self.keymap = Keymap(parent=self)
        view.space_tapped.connect(self._space_tapped)
        view.arming.changed.connect(self._show_hint)
        ports.changed.connect(self._show_hint)
        view.installEventFilter(self)
        self._follow(self.keymap)

    def use(self, keymap: Keymap) -> None:
        """Follow another keymap: the window's, whose changes count at once."""
        self.keymap.changed.disconnect(self._keys_changed)
        self._follow(keymap)

    def _follow(self, keymap: Keymap) -> None:
        self.keymap = keymap
        commands = self._commands.values()
        keymap.add(*(Entry(one.id, one.title, MENU, Scope.GRAPH, one.keys) for one in commands))
        keymap.changed.connect(self._keys_changed)
        self._keys_changed()

    @Slot()
    def _keys_changed(self) -> None:
        self._view.gestures = self.keymap.gestures
        self.changed.emit()

    def text(self, id: str) -> str:
        """The first key of a command as the platform writes it; empty for none."""
        return next((native(key) for key in self.keymap.keys(id)), "")

    def command_for(self, event: QKeyEvent) -> CanvasCommand | None:
        """The command whose key was pressed, on any layout. Shift+Tab always leads out."""
        if event.key() == Qt.Key.Key_Backtab:
            return None
        return self._commands.get(self.keymap.command_for(Scope.GRAPH, event))

    @Slot()
    def _space_tapped(self) -> None:
        """A tap of Space is a key like others; held, it moves the view."""
        command = self._commands.get(self.keymap.find(Scope.GRAPH, _SPACE))
        if command is not None and command.enabled():
            command.callback()

    @Slot()
    def _show_hint(self) -> None:
        """What the next drag is, or what keys do to the port they are for."""
        self.hinted.emit(self._view.arming.hint or self._ports.hint(self.text))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._view and isinstance(event, QKeyEvent) and self._takes(event):
            event.accept()
            return True
        return super().eventFilter(watched, event)

    def _takes(self, event: QKeyEvent) -> bool:
        """Do what a key stands for. The view is asked before shortcuts of the window: a key does the same
        thing once, either way."""
        pressed = event.type() == QEvent.Type.KeyPress
        if pressed and event.key() == Qt.Key.Key_Escape and self._ports.escape():
            return True
        command = self.command_for(event)
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        space = event.key() == Qt.Key.Key_Space and plain and self._view.gestures.uses_space()
        if command is None or space or not command.enabled():
            return False
        if pressed:
            command.callback()
        return pressed or event.type() == QEvent.Type.ShortcutOverride
