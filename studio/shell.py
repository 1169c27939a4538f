"""What commands may ask of a window. Actions know this, not the window, so that neither imports the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from PySide6.QtWidgets import QWidget

from pipelines.engine.protocol import Device
from pipelines.errors import ErrorInfo
from pipelines.graph.outside import OutsidePath
from studio.command import CanvasCommands
from studio.commands import CommandTable
from studio.panels.create import CreateWorkspace
from studio.status_bar import StatusBar

Button = tuple[str, Callable[[], object]]
"""A button of a message: its text and what it does."""


class Shell(Protocol):
    """:class:`studio.main_window.MainWindow` is the one; all members are used from the main thread."""

    workspace: str
    """``start``, ``create``, ``graph``, ``canvas`` or ``models``."""
    create_page: CreateWorkspace
    canvas_page: Any
    """The Canvas workspace; ``None`` before it is made."""
    models_page: Any
    """The Models workspace; ``None`` before it is made."""
    status: StatusBar
    commands: CommandTable

    @property
    def canvas_actions(self) -> CanvasCommands:
        """What is done on the canvas, which is made if it isn't there yet."""
        ...

    @property
    def device(self) -> Device | None: ...
    def run_state(self) -> Callable[[str], Any]:
        """What is known of each node's last run, by the node's id."""
        ...

    def prepare_graph(self) -> None:
        """Make the Graph workspace now, with its commands, if it isn't there yet."""
        ...

    def window(self) -> QWidget:
        """The window itself, for dialogs to stand over."""
        ...

    def show_workspace(self, name: str) -> None: ...
    def add_foreign(self, path: str, title: str) -> None: ...
    def add_picture_node(self, file: str, at: Any) -> None:
        """A node that opens a picture, at a point of the graph."""
        ...

    def show_panel(self, name: str) -> None: ...
    def toggle_panel(self) -> None: ...
    def zoom(self, how: str) -> None: ...
    def open_palette(self) -> None: ...
    def show_error(self, error: ErrorInfo, actions: tuple[Button, ...] = ()) -> None: ...
    def show_message(self, heading: str, body: str, actions: tuple[Button, ...] = ()) -> None: ...
    def offer_again(self, title: str, open_again: Callable[[], object]) -> None: ...
    def ask_to_delete(self, name: str) -> bool: ...
    def ask_to_run(self, found: tuple[OutsidePath, ...]) -> bool: ...
    def show_problems(self) -> None: ...
