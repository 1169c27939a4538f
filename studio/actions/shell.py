"""What commands may ask of a window. Actions know this, not the window, so that neither imports the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from PySide6.QtWidgets import QWidget

from pipelines.engine.protocol import Device
from pipelines.errors import ErrorInfo
from pipelines.graph.outside import OutsidePath
from studio.commands.command import CanvasCommands
from studio.commands.table import CommandTable
from studio.create.form import CreateForm
from studio.create.result import ResultPanel
from studio.pictures.results import Result
from studio.widgets.filmstrip import Filmstrip

Button = tuple[str, Callable[[], object]]
"""A button of a message: its text and what it does."""


class StatusLine(Protocol):
    """What is said at the bottom of a window; :class:`studio.window.status_bar.StatusBar` says it."""

    def note(self, text: str) -> None: ...
    def set_task(self, text: str, fraction: float | None = None) -> None: ...


class CreatePage(Protocol):
    """What actions need of the Create workspace, :class:`studio.create.workspace.CreateWorkspace`."""

    form: CreateForm
    result: ResultPanel
    strip: Filmstrip

    @property
    def current(self) -> Result | None: ...
    def begin(self) -> None: ...


class Shell(Protocol):
    """:class:`studio.window.main_window.MainWindow` is the one; all members are used from the main thread."""

    workspace: str
    """``start``, ``create``, ``graph``, ``canvas`` or ``models``."""
    canvas_page: Any
    """The Canvas workspace; ``None`` before it is made."""
    models_page: Any
    """The Models workspace; ``None`` before it is made."""
    commands: CommandTable

    @property
    def create_page(self) -> CreatePage: ...
    @property
    def status(self) -> StatusLine: ...
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
