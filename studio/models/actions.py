"""What the commands do with models. Made with the window; the workspace itself is made when it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from pipelines import paths
from pipelines.engine.protocol import (
    Duplicates,
    ModelConverted,
    ModelImported,
    ModelInfo,
    ModelRemoved,
    ModelTold,
)
from pipelines.errors import ErrorInfo
from studio.actions.shell import Button, Shell
from studio.documents.sheet import Sheet
from studio.models.choices import DOES
from studio.models.getting import Getting
from studio.models.work import ModelWork, Task
from studio.parts import Parts
from studio.pictures import picture_files
from studio.translate import tr
from studio.widgets.dialog import ask

TEMPLATES: Final = {"diffusion": "prompt_to_image", "language": "text_model_writes"}
"""What is opened for a model where no document is open."""
PICKLED: Final = "ModelPickled"
OWN: Final = "starter/"
"""Ids of the program's own models begin with this."""


class ModelActions(QObject):
    """The :class:`studio.commands.command.ModelCommands` of a window. ``open_template`` starts a document,
    ``generate`` draws the one that is shown."""

    def __init__(
        self, parts: Parts, shell: Shell, open_template: Callable[[str], None],
        generate: Callable[[], object], parent: QObject,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._parts, self._shell, self._open_template = parts, shell, open_template
        self.work = ModelWork(parts.bridge, parts.models, self)
        self.getting = Getting(parts, shell, self, generate, self)
        self._places: dict[str, tuple[Sheet, str, str]] = {}
        """Document, node and param that named a file which is being converted."""
        self._folders = parts.settings.values.model_folders
        self._follow = ""
        self.work.changed.connect(self._show_work)
        self.getting.downloads.changed.connect(self._show_work)
        self.getting.downloads.progressed.connect(self._show_work)
        self.work.told.connect(self._told)
        self.work.converted.connect(self._converted)
        self.work.imported.connect(self._imported)
        self.work.removed.connect(self._removed)
        self.work.compared.connect(self._compared)
        self.work.failed.connect(self._failed)
        parts.settings.changed.connect(self._settings_changed)

    # --- when ------------------------------------------------------------------------------------------

    @property
    def current(self) -> ModelInfo | None:
        """The model that is chosen in the workspace, while that is shown."""
        page = self._shell.models_page
        if page is None or self._shell.workspace != "models":
            return None
        found: ModelInfo | None = page.current
        return found

    def has_current(self) -> bool:
        return self.current is not None

    def can_use(self) -> bool:
        info = self.current
        return info is not None and not self.why_not(info)

    def can_convert(self) -> bool:
        info = self.current
        return info is not None and info.problem_code == PICKLED

    def can_remove(self) -> bool:
        info = self.current
        return info is not None and not info.id.startswith(OWN)

    def why_not(self, info: ModelInfo) -> str:
        """Why a model can't be used in a document; empty if it can."""
        from studio.models.placing import loader

        if info.problem:
            return tr(info.problem)
        return "" if loader(self._parts.document.registry, info.kind) else tr(DOES[info.kind])

    # --- using -----------------------------------------------------------------------------------------

    def use(self) -> None:
        """Let the document work with the model that is chosen, as one undo step."""
        info = self.current
        if info is None:
            return
        reason = self.why_not(info)
        if reason:
            self._shell.status.note(reason)
            return
        self.open_for(info)
        self.place(info)

    def open_for(self, info: ModelInfo) -> None:
        """Open a template where no document is."""
        if not self._parts.document.graph.nodes and info.kind in TEMPLATES:
            self._open_template(TEMPLATES[info.kind])

    def place(self, info: ModelInfo) -> None:
        """Let the document work with a model, and show where."""
        schema = self._parts.binding.schema("model")
        if info.kind == "diffusion" and schema is not None and schema.dynamic_choices == "models:diffusion":
            self._shell.create_page.form.choose_model(info.id)
            self._shell.show_workspace("create")
        else:
            self._place_in_graph(info)
        self._shell.status.note(tr("{title} is used now", title=info.title))

    def _place_in_graph(self, info: ModelInfo) -> None:
        """Where a param takes it already; else a node of its own, in the wires of what it is added to."""
        from studio.models.placing import is_addition, loader, places, spliced

        document, registry = self._parts.document, self._parts.document.registry
        node = loader(registry, info.kind)
        adds = node is not None and is_addition(registry, node[0])
        found = [] if adds else places(document.graph, registry, info.kind)
        words = tr("Use the model {title}", title=info.title)
        if found:
            document.set_params({found[0]: info.id}, words)
            exposed = any((at.node, at.param) == found[0] for at in self._parts.binding.names.values())
            self._shell.show_workspace("create" if exposed else "graph")
        elif node is not None:
            with document.macro(words):
                added = document.add_node(node[0], self._free_place(), {node[1]: info.id})
                if adds:
                    document.replace(spliced(document.graph, registry, added), words)
            self._shell.show_workspace("graph")

    def _free_place(self) -> tuple[float, float]:
        """Left of all nodes, where a model usually stands."""
        graph = self._parts.document.graph
        placed = [place for node in graph.nodes if (place := graph.position(node)) is not None]
        if not placed:
            return 0.0, 0.0
        return min(x for x, _ in placed) - 280.0, min(y for _, y in placed)

    def toggle_favourite(self) -> None:
        """Put the star on the model, or take it off."""
        info = self.current
        if info is not None:
            self.work.note(info.path, favourite=not info.favourite)

    def edit_notes(self) -> None:
        """Write into the notes of the model that is chosen."""
        if self.current is not None:
            self._shell.models_page.edit_notes()

    # --- its file --------------------------------------------------------------------------------------

    def reveal(self) -> None:
        """Show the model's file in the file manager."""
        if (info := self.current) is not None:
            picture_files.show_in_folder(info.path)

    def copy_id(self) -> None:
        """The name under which graphs and commands know the model."""
        if (info := self.current) is not None:
            self.copy(info.id, tr("the model's id"))

    def copy(self, text: str, what: str) -> None:
        """A text to the clipboard, and say so."""
        QGuiApplication.clipboard().setText(text)
        self._shell.status.note(tr("Copied {what}", what=what))

    def hash(self) -> None:
        if (info := self.current) is not None and not self.work.of(info.path):
            self.work.hash(info.path)

    def verify(self) -> None:
        if (info := self.current) is not None and not self.work.of(info.path):
            self.work.verify(info.path)

    def convert(self) -> None:
        """Write the pickled model as safetensors beside it; nothing in it is run."""
        info = self.current
        if info is not None and self.can_convert() and not self.work.of(info.path):
            self.work.convert(info.path)

    def convert_file(self, path: str, node: str = "", port: str = "") -> None:
        """Ask whether a pickle is to be converted, wherever it lies. ``node`` and ``port``: the param that
        named it takes the result."""
        from studio.models.convert_dialog import ConvertDialog

        if node and port:
            self._places[path] = (self._parts.document.sheet, node, port)
        ConvertDialog(self.work, path, self._shell.window()).open()

    def get(self) -> None:
        """Show which models there are to get."""
        self._shell.show_workspace("models")
        self._shell.models_page.show_part("get")

    def remove(self) -> None:
        """To the bin, after asking."""
        info = self.current
        if info is None or not self.can_remove():
            return
        text = tr(
            "{name} is moved to the bin of your system, with its picture and notes beside it; it can be "
            "restored from there.",
            name=Path(info.path).name,
        )  # fmt: skip
        window = self._shell.window()
        if ask(window, tr("Move the model to the bin?"), text, tr("Move to the bin"), tr("Keep it")):
            self.work.remove(info.path)

    def find_duplicates(self) -> None:
        """Which files are the same."""
        self.work.find_duplicates()

    # --- folders ---------------------------------------------------------------------------------------

    def add_folder(self) -> None:
        """Look in one more folder from now on."""
        folder = QFileDialog.getExistingDirectory(self._shell.window(), tr("A folder with models"))
        if folder:
            self.take_folder(folder)

    def take_folder(self, folder: str) -> None:
        """Add a folder to those that are searched."""
        known = self._parts.settings.values.model_folders
        if folder in known:
            self._shell.status.note(tr("{folder} is searched already", folder=folder))
        else:
            self._parts.settings.change(model_folders=(*known, folder))

    def take_in(self, dropped: Iterable[str]) -> None:
        """Add folders to those that are searched, and bring files into the user's own folder."""
        for path in dropped:
            if Path(path).is_dir():
                self.take_folder(path)
            else:
                self.work.take_in(path)

    def drop_folder(self, folder: str) -> None:
        """Search a folder no longer; its files stay."""
        kept = tuple(item for item in self._parts.settings.values.model_folders if item != folder)
        self._parts.settings.change(model_folders=kept)

    @Slot()
    def _settings_changed(self) -> None:
        folders = self._parts.settings.values.model_folders
        if folders != self._folders:
            self._folders = folders
            shared = (str(path) for path in paths.shared_model_folders())
            self._parts.bridge.set_model_folders((*folders, *shared))
            self._shell.status.note(tr("Looking for models…"))

    # --- what came of it -------------------------------------------------------------------------------

    @Slot()
    def _show_work(self) -> None:
        text, fraction = self.work.line()
        self._shell.status.set_task(*((text, fraction) if text else self.getting.downloads.line()))

    def list_shown(self) -> None:
        """The workspace shows another list: a file that was just written is chosen as soon as it is in it."""
        page = self._shell.models_page
        if self._follow and page is not None and page.choose(self._follow):
            self._follow = ""

    @Slot(object)
    def _told(self, event: ModelTold) -> None:
        if not event.checked:
            return
        name = event.model.title
        if event.fault:
            self._shell.show_message(tr("{name} is not what it should be.", name=name), tr(event.fault))
        elif event.compared:
            self._shell.status.note(tr("{name} is sound, and has the hash it should have", name=name))
        else:
            self._shell.status.note(tr("{name} is sound; there was no earlier hash to compare", name=name))

    @Slot(object)
    def _converted(self, event: ModelConverted) -> None:
        self._follow = event.target
        parts = [tr("{name} was written beside it.", name=Path(event.target).name)]
        if event.dropped:
            parts.append(tr("Left out: {names}.", names=", ".join(event.dropped)))
        if event.doubtful:
            words = tr("{count} checksums in the original don't fit its numbers: it may be damaged.",
                       count=event.doubtful)  # fmt: skip
            parts.append(words)
        heading = tr("Converted {name}", name=Path(event.path).name)
        self._shell.show_message(heading, " ".join(parts), self._after_converting(event))

    @Slot(object)
    def _imported(self, event: ModelImported) -> None:
        name = Path(event.path).name
        page = self._shell.models_page
        if page is None or not page.choose(event.target):
            self._follow = event.target
        if event.already:
            heading = tr("{name} is there already.", name=name)
            self._shell.show_message(heading, tr("{path} has the same content.", path=event.target))
        else:
            self._shell.status.note(tr("{name} is among the models now", name=name))

    def _after_converting(self, event: ModelConverted) -> tuple[Button, ...]:
        """What can be done with the new file: taken where the old one was named, or shown in the list."""
        place = self._places.pop(event.path, None)
        if all(info.path != event.path for info in self._parts.models.models):
            self._parts.bridge.list_models((event.target,))  # it lies in none of the folders
        buttons: list[Button] = [(tr("Show it among the models"), partial(self._show, event.target))]
        if place is not None:
            buttons.insert(0, (tr("Use it"), partial(self._use_converted, *place, event.target)))
        return tuple(buttons)

    def _use_converted(self, sheet: Sheet, node: str, port: str, target: str) -> None:
        """In the document that named the old file, if that is still on show and has the node."""
        document = self._parts.document
        if document.sheet is sheet and node in document.graph.nodes:
            document.set_params({(node, port): target}, tr("Use the converted model"))

    def _show(self, path: str) -> None:
        self._shell.show_workspace("models")
        self._shell.models_page.show_part("own")
        if not self._shell.models_page.choose(path):
            self._follow = path

    @Slot(object)
    def _removed(self, event: ModelRemoved) -> None:
        self._shell.status.note(tr("Moved {name} to the bin", name=Path(event.path).name))

    @Slot(object)
    def _compared(self, event: Duplicates) -> None:
        if not event.groups:
            self._shell.status.note(tr("No two models are the same"))
            return
        names = "\n".join(" = ".join(Path(path).name for path in group) for group in event.groups)
        self._shell.show_message(tr("The same file, several times:"), names)

    @Slot(object, object)
    def _failed(self, error: ErrorInfo, task: Task) -> None:
        if task.what != "describe":  # what a file can't say of itself is simply not shown
            self._shell.show_error(error)
