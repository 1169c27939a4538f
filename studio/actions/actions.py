"""What the commands do: files, runs and the window, with their dialogs. The window only shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog

from pipelines.graph.assets import assets_of
from pipelines.graph.document import Graph
from pipelines.paths import RESOURCES
from studio.actions.picture_actions import PictureActions
from studio.actions.run_modes import RunModes
from studio.actions.shell import Shell
from studio.actions.tab_actions import TabActions
from studio.background import in_background
from studio.commands.command import CanvasCommands
from studio.diagnostics import diagnostics
from studio.keeping.document_files import DocumentFiles
from studio.models.actions import ModelActions
from studio.outside.actions import OutsideActions
from studio.panels.start_page import TEMPLATES
from studio.parts import Parts
from studio.pictures import picture_files
from studio.presets.actions import PresetActions
from studio.presets.store import EXPORTED
from studio.translate import tr
from studio.widgets.file_drops import GRAPH_SUFFIXES, is_graph

RECENT = 12
CANVAS_TEMPLATE = "inpaint"
CANVAS_NODE = "image.canvas"


class Actions(QObject):
    """The :class:`studio.commands.command.Studio` of a window."""

    def __init__(self, parts: Parts, shell: Shell) -> None:
        super().__init__(shell.window())
        self._parts, self._shell = parts, shell
        self.pictures = PictureActions(parts, shell, self.open_path)
        self.runs = RunModes(parts, shell, self.may_run, self._when_kept, self)
        self.files = DocumentFiles(parts, shell, self._remember, self.save_as, self._show_document)
        self.tabs = TabActions(parts, shell, self)
        self.outside = OutsideActions(parts, shell, self)
        self.models = ModelActions(parts, shell, self.open_template, self.generate, self)
        self.presets = PresetActions(parts, shell, self)

    # --- when ------------------------------------------------------------------------------------------

    def in_graph(self) -> bool:
        return self._shell.workspace == "graph"

    def has_result(self) -> bool:
        return self._shell.create_page.current is not None

    def has_saved_result(self) -> bool:
        result = self._shell.create_page.current
        return result is not None and bool(result.path)

    def is_running(self) -> bool:
        return self._parts.tracker.current is not None

    def can_run(self) -> bool:
        return bool(self._parts.document.graph.nodes) and self._shell.workspace != "start"

    def can_undo(self) -> bool:
        return self._parts.document.undo_stack.canUndo()

    def can_redo(self) -> bool:
        return self._parts.document.undo_stack.canRedo()

    # --- documents -------------------------------------------------------------------------------------

    def new(self) -> None:
        """The start page: what is chosen there gets a tab of its own."""
        self._shell.show_workspace("start")

    def open_template(self, name: str) -> None:
        """Start a document from a template."""
        title = next(template.title for template in TEMPLATES if template.name == name)
        graph = Graph.loads((RESOURCES / "templates" / f"{name}.json").read_bytes(), title)
        self._parts.document.new(graph, tr(title))
        if name == CANVAS_TEMPLATE:
            self._shell.show_workspace("canvas")
            return
        self._shell.show_workspace("create")
        self._shell.create_page.form.focus_prompt()

    def open(self) -> None:
        """Ask for a graph or a picture."""
        kinds = tr("Graphs and pictures") + " (*.json *.diptych *.png *.webp *.jpg *.jpeg)"
        found = QFileDialog.getOpenFileNames(
            self._shell.window(), tr("Open"), "", f"{kinds};;{tr('All files')} (*)"
        )[0]
        for path in found:
            self.open_path(path)

    def open_path(self, path: str) -> None:
        """Open a graph file, or the graph inside a picture, or take in a preset. It never runs by itself."""
        if path.endswith(EXPORTED):
            self.presets.take_in(Path(path))
        elif is_graph(path):
            self._open_graph(Path(path))
        else:
            self.open_picture(path)

    def _open_graph(self, path: Path) -> None:
        self.files.open(path)

    def _show_document(self) -> None:
        self._shell.show_workspace(self._workspace_for_document())

    @Slot(object, object)
    def pictures_on_graph(self, files: list[str], at: Any) -> None:
        """Pictures were dropped on the graph: one that carries a graph opens it, another becomes a node."""
        for file in files:
            self.open_picture(file, partial(self._shell.add_picture_node, file, at))

    def open_picture(self, path: str, otherwise: Callable[[], object] | None = None) -> None:
        """The graph that made a picture; a picture without one joins the filmstrip, or is left to
        ``otherwise``."""

        def found(graph: Graph | None) -> None:
            if graph is None and otherwise is not None:
                otherwise()
                return
            if graph is None:
                self.pictures.add_foreign(path, Path(path).name)
                self._shell.show_message(
                    tr("{name} carries no graph.", name=Path(path).name),
                    tr(
                        "It was not made by Diptych, or its data were removed. It was added to the filmstrip."
                    ),
                )
                return
            name = Path(path).stem
            self._parts.document.load_bytes(graph.dumps(), name)
            self.pictures.add_foreign(path, "")
            self._shell.show_workspace(self._workspace_for_document())
            self._shell.status.note(tr("Opened the graph of {name}", name=Path(path).name))

        in_background(self, lambda: picture_files.graph_inside(path), found, self._shell.show_error)

    def _workspace_for_document(self) -> str:
        """The canvas if it is one, Create if that can show something of the graph, else the graph itself."""
        if any(record.type == CANVAS_NODE for record in self._parts.document.graph.nodes.values()):
            return "canvas"
        return "create" if self._parts.binding.names else "graph"

    def save(self) -> None:
        """Save to the file it came from, or ask."""
        sheet = self._parts.document.sheet
        if sheet.path is None and sheet.goal is None:
            self.save_as()
        else:
            self._save(None)

    def save_as(self) -> None:
        """Ask where to save the graph."""
        document = self._parts.document
        suffix = ".diptych" if assets_of(document.graph) or self.has_canvas() else ".json"
        start = str(document.path or Path.home() / f"{document.title or tr('Graph')}{suffix}")
        kinds = [f"{tr('Graph')} (*.json)", f"{tr('Graph with its pictures')} (*.diptych)"]
        kinds = kinds[::-1] if suffix == ".diptych" else kinds
        path, kind = QFileDialog.getSaveFileName(
            self._shell.window(), tr("Save the graph"), start, ";;".join(kinds)
        )
        if path:
            goal = Path(path)
            suffix = ".diptych" if "diptych" in kind else ".json"
            self._save(goal if goal.suffix.lower() in GRAPH_SUFFIXES else goal.with_name(goal.name + suffix))

    def _save(self, path: Path | None) -> None:
        self._when_kept(lambda: self.files.save(path))

    def _when_kept(self, then: Callable[[], object]) -> None:
        """Do something once the document holds what is painted."""
        page = self._shell.canvas_page
        if page is None:
            then()
        else:
            page.keeper.keep(then)

    def show_versions(self) -> None:
        """Earlier versions of this document, and of others."""
        self.files.show_versions()

    def _remember(self, path: Path) -> None:
        before = [item for item in self._parts.settings.values.recent if item != str(path)]
        self._parts.settings.change(recent=(str(path), *before)[:RECENT])

    def undo(self) -> None:
        self._parts.document.undo_stack.undo()

    def redo(self) -> None:
        self._parts.document.undo_stack.redo()

    # --- runs ------------------------------------------------------------------------------------------

    def generate(self) -> None:
        """Run the document; it is accepted while the engine is still starting."""
        if not self.can_run():
            return
        self._finish_typing()
        if not self.may_run():
            return
        if self._shell.workspace == "canvas":
            self._shell.canvas_page.drawing.generate()
        else:
            self._shell.create_page.begin()
            self._when_kept(self._parts.tracker.submit)

    def may_run(self) -> bool:
        """Whether the document may run: if it is from elsewhere and leaves the user's folders, ask."""
        found = self._parts.consent.to_ask()
        if not found:
            return True
        agreed = self._shell.ask_to_run(found)
        if agreed:
            self._parts.consent.agree(found)
        return agreed

    @staticmethod
    def _finish_typing() -> None:
        focus = QApplication.focusWidget()
        if focus is not None:
            # a number that is still being typed counts
            finish = getattr(focus, "editingFinished", None)
            if finish is not None:
                finish.emit()

    def generate_new_seed(self) -> None:
        """Unlock the seed, and run."""
        if self._parts.binding.has("seed") and self._parts.binding.value("seed") is not None:
            self._parts.binding.set_many({"seed": None}, tr("A new seed"))
        self.generate()

    def draw_example(self) -> None:
        """Take the model's first example as the prompt, and run."""
        binding = self._parts.binding
        model = self._parts.models.find(str(binding.value("model") or ""))
        if model is not None and model.examples and binding.has("prompt"):
            binding.set_many({"prompt": model.examples[0]}, tr("Use an example"))
        self.generate()

    def cancel(self) -> None:
        """Stop what the workspace has asked for; where it has nothing at work, what is at work."""
        page = self._shell.canvas_page
        if self._shell.workspace == "canvas" and page.runs.is_active():
            page.runs.cancel()
        else:
            self._parts.tracker.cancel()

    @property
    def canvas(self) -> CanvasCommands:
        """What is done on the canvas, which is made if it isn't there yet."""
        return self._shell.canvas_actions

    def has_canvas(self) -> bool:
        page = self._shell.canvas_page
        return page is not None and not page.is_empty

    def has_canvas_results(self) -> bool:
        page = self._shell.canvas_page
        return page is not None and page.results.has_results

    def rescan_models(self) -> None:
        self._parts.bridge.list_models()
        self._shell.status.note(tr("Looking for models…"))

    def own_model(self) -> None:
        self._shell.show_workspace("create")
        self._shell.create_page.form.choose_own_model()

    # --- the window ------------------------------------------------------------------------------------

    def show_workspace(self, name: str) -> None:
        self._shell.show_workspace(name)

    def show_panel(self, name: str) -> None:
        self._shell.show_panel(name)

    def toggle_panel(self) -> None:
        self._shell.toggle_panel()

    def focus_prompt(self) -> None:
        self._shell.show_workspace("create")
        self._shell.create_page.form.focus_prompt()

    def zoom(self, how: str) -> None:
        """``in``, ``out``, ``fit`` or ``actual``, of the picture or of the graph."""
        self._shell.zoom(how)

    def open_palette(self) -> None:
        self._shell.open_palette()

    def next_theme(self) -> None:
        from studio.theme import current_theme

        self._parts.settings.change(theme="light" if current_theme().dark else "dark")

    def scale_text(self, by: float) -> None:
        scale = round(min(max(self._parts.settings.values.text_scale + by, 0.8), 2.0), 2)
        self._parts.settings.change(text_scale=scale)
        self._shell.status.note(tr("Text at {percent} %", percent=round(scale * 100)))

    def full_screen(self) -> None:
        self._shell.window().setWindowState(
            self._shell.window().windowState() ^ self._shell.window().windowState().WindowFullScreen
        )

    def can_arrange_form(self) -> bool:
        return bool(self._parts.binding.names) and self._parts.document.read_only is None

    def arrange_form(self) -> None:
        """Order, labels and names of the fields of Create."""
        from studio.create.form_editor import FormEditor

        FormEditor(self._parts.document, self._parts.binding, self._shell.window()).open()

    def preferences(self) -> None:
        from studio.preferences.dialog import Preferences

        Preferences(self._parts.settings, self._shell.window(), self._parts.bridge).open()

    def show_keyboard(self) -> None:
        from studio.keys.image_keys import IMAGE_KEYS
        from studio.preferences.keyboard import KeyboardDialog

        self._shell.prepare_graph()  # its commands come with it
        keymap = self._shell.commands.keymap
        keymap.add(*IMAGE_KEYS)
        KeyboardDialog(keymap, self._shell.window()).open()

    def show_problems(self) -> None:
        self._shell.show_problems()

    def about(self) -> None:
        from studio.panels.about import AboutDialog

        AboutDialog(self._shell.window()).open()

    def copy_diagnostics(self, message: str = "") -> None:
        """Versions and device, and the message they belong to."""
        text = diagnostics(message or tr("Diagnostics of Diptych"), self._shell.device)
        QGuiApplication.clipboard().setText(text)
        self._shell.status.note(tr("Copied the diagnostics"))

    def quit(self) -> None:
        self._shell.window().close()
