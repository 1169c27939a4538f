"""What the commands do with pictures: copy, paste, save, use again, delete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from pipelines.engine.protocol import Saved as SavedMessage
from studio.actions.shell import Shell
from studio.background import in_background
from studio.engine.runs import error_info
from studio.parts import Parts
from studio.pictures import picture_files
from studio.pictures.results import Result
from studio.translate import tr


class PictureActions(QObject):
    """The :class:`studio.commands.command.Pictures` of a window. ``open_path`` opens any file."""

    def __init__(self, parts: Parts, shell: Shell, open_path: Callable[[str], object]) -> None:
        super().__init__(shell.window())
        self._parts, self._shell, self._open = parts, shell, open_path
        self._saving: dict[str, tuple[int, str]] = {}
        parts.bridge.saved.connect(self._saved_elsewhere)

    @property
    def _result(self) -> Result | None:
        return self._shell.create_page.current

    def add_foreign(self, path: str, title: str) -> None:
        """A picture from elsewhere joins the filmstrip, once."""
        results = self._parts.results
        row = results.row_of(path)
        if row is None:
            row = results.add(Result(path, info={"prompt": title} if title else {}))
        self._shell.create_page.strip.select(row)

    def copy(self) -> None:
        """The picture and its file to the clipboard."""
        result, image = self._result, self._shell.create_page.result.view.image
        if result is not None and image is not None:
            QGuiApplication.clipboard().setMimeData(picture_files.clipboard_data(result, image))
            self._shell.status.note(tr("Copied the picture"))

    def paste(self) -> None:
        """A picture or file from the clipboard: into the filmstrip, and as a node if the graph is shown."""
        data: QMimeData | None = QGuiApplication.clipboard().mimeData()  # an empty clipboard has none
        files = [url.toLocalFile() for url in data.urls() if url.isLocalFile()] if data is not None else []
        canvas = self._shell.canvas_actions if self._shell.workspace == "canvas" else None
        if canvas is not None and data is not None and (files or data.hasImage()):
            canvas.into.paste(files, QGuiApplication.clipboard().image())
        elif files:
            self._open(files[0])
        elif data is not None and data.hasImage():
            image = QGuiApplication.clipboard().image()
            in_background(
                self, lambda: picture_files.keep_pasted(image), self._pasted, self._shell.show_error
            )
        else:
            self._shell.status.note(tr("There is no picture on the clipboard"))

    def _pasted(self, path: str) -> None:
        self.add_foreign(path, tr("Pasted picture"))
        document = self._parts.document
        if self._shell.workspace == "graph" and "image.load" in document.registry:
            lowest = max(
                ((document.graph.position(node) or (0.0, 0.0))[1] for node in document.graph.nodes),
                default=0.0,
            )
            document.add_node("image.load", (0.0, lowest + 240.0), {"path": path})
        self._shell.status.note(tr("Pasted a picture"))

    def save_as(self) -> None:
        """A copy of the picture's file, with all that is written in it; another suffix is another format."""
        result = self._result
        if result is None:
            return
        if not result.path:
            self.save_elsewhere([self._shell.create_page.strip.row])
            return
        name = Path(result.path).name
        kinds = f"{tr('Pictures')} (*.png *.webp *.jpg)"
        goal = QFileDialog.getSaveFileName(
            self._shell.window(), tr("Save the picture"), str(Path.home() / name), kinds
        )[0]
        if goal:
            source = result.path
            in_background(
                self,
                lambda: picture_files.copy_picture(source, goal),
                lambda path: self._shell.status.note(tr("Saved {name}", name=Path(path).name)),
                lambda error: self._shell.show_error(error, ((tr("Save elsewhere…"), self.save_as),)),
            )

    def save_elsewhere(self, rows: list[int]) -> None:
        """Pictures that could not be saved: ask for a folder, and let the engine write them there with
        their data."""
        folder = QFileDialog.getExistingDirectory(
            self._shell.window(), tr("Choose a folder for the pictures")
        )
        if folder:
            self.save_to(rows, Path(folder))

    def save_to(self, rows: list[int], folder: Path) -> None:
        """Let the engine save unsaved pictures of these rows to ``folder``."""
        for row in rows:
            result = self._parts.results.result(row)
            if result is not None and not result.path:
                path = str(folder / f"diptych-{result.job[:8]}-{result.index + 1}.png")
                request = self._parts.bridge.save_image(result.job, result.node, result.index, path)
                self._saving[request] = (row, path)

    @Slot(object)
    def _saved_elsewhere(self, event: SavedMessage) -> None:
        row, path = self._saving.pop(event.request, (-1, ""))
        result = self._parts.results.result(row)
        if result is None:
            return
        if event.error is not None:
            retry = (tr("Save elsewhere…"), lambda: self.save_elsewhere([row]))
            self._shell.show_error(error_info(event.error), (retry,))
            return
        saved = Result(
            event.path or path, result.settings, result.info, result.job, result.node, result.index
        )
        self._parts.results.replace(row, saved)
        self._shell.create_page.result.banner.hide()
        self._shell.create_page.result.show_result(saved)
        self._shell.status.note(tr("Saved {name}", name=Path(saved.path).name))

    def open_folder(self) -> None:
        """Show the picture's folder in the file manager."""
        if self._result is not None and self._result.path:
            picture_files.show_in_folder(self._result.path)

    def use_settings(self) -> None:
        """The settings of the picture, its seed included, as one undo step."""
        if self._result is not None:
            self._parts.binding.set_many(self._result.settings, tr("Use the settings of a picture"))
            self._shell.show_workspace("create")
            self._shell.status.note(tr("The settings of this picture are set"))

    def use_seed(self) -> None:
        if self._result is not None and self._result.seed is not None:
            self._parts.binding.set_many({"seed": self._result.seed}, tr("Use the seed of a picture"))
            self._shell.status.note(tr("The seed of this picture is set"))

    def open_graph(self) -> None:
        if self._result is not None and self._result.path:
            self._open(self._result.path)

    def step(self, by: int) -> None:
        strip = self._shell.create_page.strip
        strip.select(strip.row + by)

    def delete(self) -> None:
        """To the bin, after asking: the document's undo can't bring a file back."""
        result, row = self._result, self._shell.create_page.strip.row
        if result is None:
            return
        if not result.path:
            self._parts.results.remove(row)
        elif self._shell.ask_to_delete(Path(result.path).name):
            path = result.path

            def gone(_: object) -> None:
                at = self._parts.results.row_of(path)
                if at is not None:
                    self._parts.results.remove(at)
                self._shell.status.note(tr("Moved to the bin"))

            in_background(self, lambda: picture_files.to_bin(path), gone, self._shell.show_error)
