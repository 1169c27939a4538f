"""The Create workspace: the form on the left, the picture and the strip of pictures on the right."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QDrag, QImage
from PySide6.QtWidgets import QFrame, QMenu, QSplitter, QVBoxLayout, QWidget

from pipelines.errors import ErrorInfo
from studio.commands.table import CommandTable
from studio.create.binding import Binding
from studio.create.form import CreateForm
from studio.create.result import ResultPanel
from studio.engine.runs import RunRecord, RunTracker
from studio.models.choices import ModelChoices
from studio.models.waiting import WaitingDraw
from studio.models.waiting_line import WaitingLine
from studio.pictures.results import Result, mime_of
from studio.settings import SettingsStore
from studio.translate import tr
from studio.widgets.filmstrip import Filmstrip

_PICTURE_TOOLS = (
    "view.fit",
    "picture.use_settings",
    "picture.copy",
    "picture.save_as",
    "picture.open_folder",
)
_MENU = (
    "picture.use_settings", "picture.use_seed", "picture.open_graph", "",
    "picture.copy", "picture.save_as", "picture.open_folder", "", "picture.delete",
)  # fmt: skip
_FIELD_OF = {"PromptTooLong": "prompt"}
"""Errors that concern a field although they name no port."""


class CreateWorkspace(QWidget):
    """``run_requested`` comes from the form; ``new_seed_requested`` and ``save_elsewhere`` from a message;
    ``convert_requested(file, node, param)`` asks to convert a pickle that a run named, ``models_wanted``
    which models there are to get."""

    run_requested = Signal()
    cancel_requested = Signal()
    new_seed_requested = Signal()
    example_requested = Signal()
    save_elsewhere = Signal(object)
    diagnostics_requested = Signal(str)
    convert_requested = Signal(str, str, str)
    models_wanted = Signal()

    def __init__(
        self,
        binding: Binding,
        models: ModelChoices,
        tracker: RunTracker,
        settings: SettingsStore,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._tracker, self._settings, self._binding = tracker, settings, binding
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._left = QFrame(self.splitter)
        self.form = CreateForm(binding, models, settings, self._left)
        self.result = ResultPanel()
        self.strip = Filmstrip(tracker.results)
        self._menu: QMenu | None = None
        self._lay_out()
        self.form.run_requested.connect(self.run_requested)
        self.form.cancel_requested.connect(self.cancel_requested)
        self.form.models_wanted.connect(self.models_wanted)
        self.result.example_requested.connect(self.example_requested)
        self.result.view.drag_requested.connect(self._drag)
        self.result.banner.diagnostics_requested.connect(self.diagnostics_requested)
        self.strip.result_selected.connect(self._selected)
        tracker.changed.connect(self._run_changed)
        tracker.preview_arrived.connect(self._preview)
        tracker.text_arrived.connect(self.result.show_text)
        tracker.result_added.connect(self._result_added)
        tracker.already_made.connect(self._already_made)
        tracker.run_failed.connect(self._failed)
        tracker.warned.connect(self._warned)
        tracker.run_ended.connect(self._ended)
        tracker.results.rowsInserted.connect(self._show_strip)
        tracker.results.rowsRemoved.connect(self._show_strip)
        tracker.results.modelReset.connect(self._show_strip)
        self._show_strip()

    def _lay_out(self) -> None:
        left = self._left
        left.setProperty("role", "panel")
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.form)
        right = QFrame()
        right.setProperty("role", "stage")
        stage = QVBoxLayout(right)
        stage.setContentsMargins(0, 0, 0, 0)
        stage.setSpacing(0)
        rule = QFrame()
        rule.setProperty("role", "rule")
        self._strip_box = QFrame()
        self._strip_box.setProperty("role", "panel")
        box = QVBoxLayout(self._strip_box)
        box.setContentsMargins(8, 4, 8, 4)
        box.addWidget(self.strip)
        stage.addWidget(self.result, 1)
        stage.addWidget(rule)
        stage.addWidget(self._strip_box)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(1)
        self.splitter.addWidget(left)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)
        left.setMinimumWidth(260)
        right.setMinimumWidth(320)
        width = self._settings.values.form_width
        self.splitter.setSizes([width, 10_000])
        self.splitter.splitterMoved.connect(self._moved)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)

    def connect_commands(self, commands: CommandTable) -> None:
        """Tool buttons and the context menu are made from the command table."""
        self.form.button.follow_keys(commands.keys_text, commands.keymap.changed)
        self.result.add_tools([commands.action(name) for name in _PICTURE_TOOLS])
        self._menu = QMenu(self)
        for name in _MENU:
            if name:
                self._menu.addAction(commands.action(name))
            else:
                self._menu.addSeparator()
        self._menu.aboutToShow.connect(commands.refresh)
        self.strip.menu_requested.connect(self._open_menu)
        self.result.view.menu_requested.connect(self._open_menu)

    def follow_waiting(self, waiting: WaitingDraw) -> None:
        """Say above Generate what is drawn when a model is here."""
        self.form.foot.insertWidget(0, WaitingLine(waiting))

    @Slot(object)
    def _open_menu(self, at: QPoint) -> None:
        if self._menu is not None and self.current is not None:
            self._menu.popup(at)

    @Slot(int, int)
    def _moved(self, position: int, index: int) -> None:
        self._settings.change(form_width=min(max(position, 240), 800))

    # --- pictures --------------------------------------------------------------------------------------

    @property
    def current(self) -> Result | None:
        """The picture on show."""
        return self.result.result

    @Slot()
    def _show_strip(self) -> None:
        self._strip_box.setVisible(self._tracker.results.rowCount() > 0)

    @Slot(int)
    def _selected(self, row: int) -> None:
        result = self._tracker.results.result(row)
        if result is not self.current:
            self.result.show_result(result, self._tracker.results.unsaved_image(row))
        if result is not None:
            self.form.show_drawn_seed(result.seed)

    @Slot(int, object)
    def _result_added(self, row: int, image: QImage) -> None:
        result = self._tracker.results.result(row)
        if result is not None:
            self.result.show_result(result, image)
            self.strip.select(row)
            self.form.show_drawn_seed(result.seed)

    def select_last(self, row: int = -1) -> None:
        """Show a picture of last time (the newest)."""
        count = self._tracker.results.rowCount()
        if count:
            self.strip.select(row if 0 <= row < count else count - 1)

    @Slot()
    def _drag(self) -> None:
        if self.current is not None and self.current.path:
            drag = QDrag(self)
            drag.setMimeData(mime_of([self.current]))
            drag.exec(Qt.DropAction.CopyAction)

    # --- runs ------------------------------------------------------------------------------------------

    @Slot()
    def _run_changed(self) -> None:
        self.form.button.set_running(self._tracker.current is not None, self._tracker.waiting)
        if self.current is None:
            self.result.set_phase(self._tracker.phase())

    @Slot(object, object)
    def _preview(self, image: QImage, size: QSize) -> None:
        run = self._tracker.current
        prompt = (run.text or run.settings.get("prompt", "")) if run is not None else ""
        self.result.show_preview(image, size, str(prompt))

    def begin(self) -> None:
        """A run was asked for: messages of the one before are out of date."""
        self.form.clear_messages()
        self.result.banner.hide()

    @Slot(object)
    def _ended(self, run: RunRecord) -> None:
        if not run.rows:
            self.result.end_preview()

    @Slot(object)
    def _already_made(self, run: RunRecord) -> None:
        self.result.banner.show_text(
            tr("This picture is already made."),
            tr("Nothing changed since it was drawn, so it is shown again."),
            "info",
            ((tr("Draw with a new seed"), self.new_seed_requested.emit),),
        )

    @Slot(object, object)
    def _failed(self, error: ErrorInfo, run: RunRecord) -> None:
        name = self._binding.name_at(error.node, error.port)
        if name is not None:
            self.form.show_message(name, error.text(tr), "error")
        actions: tuple[tuple[str, Callable[[], object]], ...] = ()
        unsaved = [
            row
            for row in run.rows
            if (item := self._tracker.results.result(row)) is not None and not item.path
        ]
        if unsaved:
            actions = ((tr("Save elsewhere…"), lambda: self.save_elsewhere.emit(unsaved)),)
        if (file := str(error.arguments.get("file") or "")) and error.code == "ModelPickled":
            place = (error.node or "", error.port or "model") if name is not None else ("", "")
            actions = ((tr("Convert it…"), lambda: self.convert_requested.emit(file, *place)),)
        self.result.banner.show_error(error, actions)

    @Slot(object, object)
    def _warned(self, warning: ErrorInfo, run: RunRecord) -> None:
        name = self._binding.name_at(warning.node, warning.port)
        if name is None and warning.code in _FIELD_OF:
            name = _FIELD_OF[warning.code]
        if name is None or not self.form.show_message(name, warning.text(tr), "warning"):
            what, why, remedy = warning.sentences(tr)
            self.result.banner.show_text(what, " ".join(part for part in (why, remedy) if part), "warning")

    def sizeHint(self) -> QSize:
        return QSize(1100, 700)
