"""Pictures and masks that leave the canvas: saved, sent to the filmstrip, edited in another program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QRect, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog

from pipelines.errors import DiptychError, ErrorInfo
from pipelines.image.mask_files import write_mask
from pipelines.image.open_raster import OraPicture, merged, write_open_raster
from studio.actions.shell import Shell
from studio.background import in_background
from studio.inpaint.edit_elsewhere import EditElsewhere
from studio.inpaint.layer_records import pixels_of
from studio.inpaint.layered import picture_of
from studio.inpaint.pictures_in import flat_picture
from studio.inpaint.reading import qimage_of
from studio.inpaint.workspace import CanvasWorkspace
from studio.mask.layers import LayerKind, Stack
from studio.parts import Parts
from studio.pictures import picture_files
from studio.translate import tr


class PicturesOut(QObject):
    """The :class:`studio.commands.command.PicturesOut` of a window's canvas."""

    def __init__(self, parts: Parts, shell: Shell, page: CanvasWorkspace, parent: QObject) -> None:
        super().__init__(parent)
        self._parts, self._shell, self.page = parts, shell, page
        self._elsewhere = EditElsewhere(parts.settings, self)
        self._elsewhere.saved.connect(self._came_back)
        self._elsewhere.opened.connect(self._went_elsewhere)
        self._elsewhere.failed.connect(lambda _name, error: page.show_error(error))

    @Slot()
    def export_mask(self) -> None:
        """All that is masked, as a grey PNG."""
        mask, active = self.page.canvas.current_mask(), self.page.paint.active
        path = self._ask_goal(tr("Export the mask"), "mask.png", "(*.png)")
        if path is not None and mask is not None:
            name = active.name if active is not None and active.kind is LayerKind.MASK else ""
            self._write(lambda: write_mask(path, mask, name))

    def _ask_goal(self, title: str, name: str, kinds: str) -> Path | None:
        start = str(Path.home() / name)
        found = QFileDialog.getSaveFileName(self._shell.window(), title, start, f"{tr('Pictures')} {kinds}")[
            0
        ]
        if not found:
            return None
        path = Path(found)
        return path if path.suffix else path.with_name(path.name + Path(name).suffix)

    def _write(self, work: Callable[[], Path]) -> None:
        in_background(
            self,
            work,
            lambda path: self._shell.status.note(tr("Saved {name}", name=path.name)),
            self.page.show_error,
        )

    # --- pictures out ----------------------------------------------------------------------------------

    def picture(self) -> QImage:
        """What the visible image and paint layers make."""
        return self.page.paint.flattened()

    @Slot()
    def save_picture(self) -> None:
        """The picture as a file, without layers."""
        path = self._ask_goal(tr("Save the picture"), "canvas.png", "(*.png *.webp *.jpg)")
        if path is not None:
            image = self.picture()
            kind = picture_files.SUFFIXES.get(path.suffix.lower(), "PNG")
            self._write(lambda: picture_files.write_picture(image, kind, path))

    @Slot()
    def save_layers(self) -> None:
        """All layers, for other programs."""
        path = self._ask_goal(tr("Save with layers"), "canvas.ora", "(*.ora)")
        if path is not None:
            layers = self._layers()
            self._write(lambda: write_open_raster(path, layers()))

    def _layers(self) -> Callable[[], OraPicture]:
        """A function that makes the OpenRaster picture of the canvas as it is now; for worker threads."""
        stack: Stack = self.page.paint.stack
        pixels = [pixels_of(layer) for layer in stack.layers]
        return lambda: picture_of(stack.layers, pixels, stack.width, stack.height)

    @Slot()
    def send_to_filmstrip(self) -> None:
        """The picture as it is now joins the pictures that were made."""
        image = self.picture()
        in_background(
            self,
            lambda: picture_files.keep_pasted(image),
            lambda path: self._shell.add_foreign(path, tr("From the canvas")),
            self.page.show_error,
        )

    # --- other programs --------------------------------------------------------------------------------

    @Slot()
    def edit_elsewhere(self) -> None:
        """Open the picture in the user's painting program; each save there comes back as a layer."""
        name = self._parts.document.title or tr("Canvas")
        if not self._elsewhere.takes_layers:
            self._elsewhere.open(self.picture(), name)
            return
        in_background(
            self, self._layers(), lambda layers: self._elsewhere.open(layers, name), self.page.show_error
        )

    @Slot(str, str)
    def _went_elsewhere(self, name: str, path: str) -> None:
        program = self._elsewhere.program_name or tr("your painting program")
        self._shell.status.note(tr("Opened in {program}; each save comes back as a layer", program=program))

    @Slot(str, str, object)
    def _came_back(self, name: str, path: str, picture: QImage | OraPicture) -> None:
        """A save of the other program: a layer over the picture it was made from."""
        if isinstance(picture, OraPicture):
            in_background(self, lambda: _merged(picture), self._returned, self.page.show_error)
        else:
            self._returned(picture)

    def take_back(self, paths: list[Path]) -> None:
        """What was saved elsewhere while Diptych was closed: a layer each, all in one undo step."""
        self._shell.show_workspace("canvas")
        in_background(self, lambda: [_read(path) for path in paths], self._all_back, self.page.show_error)

    def _all_back(self, found: list[tuple[str, QImage | ErrorInfo]]) -> None:
        stack = self._parts.document.undo_stack
        stack.beginMacro(tr("Edited elsewhere"))
        try:
            for name, image in found:
                if not isinstance(image, QImage):
                    self.page.show_error(image)
                elif self.page.is_empty:
                    self.page.open_image(image, name)
                else:
                    self._returned(image)
        except DiptychError as error:
            self.page.show_error(error.info())
        finally:
            stack.endMacro()

    def _returned(self, image: QImage) -> None:
        text = tr("Edited elsewhere")
        rect = QRect(0, 0, image.width(), image.height())
        try:
            self.page.paint.paste_result(image, rect, text, text)
        except DiptychError as error:
            self.page.show_error(error.info())
            return
        self._shell.status.note(tr("Your edit is a layer now"))


def _read(path: Path) -> tuple[str, QImage | ErrorInfo]:
    """A picture and its name, or why it can't be read."""
    try:
        return path.stem, flat_picture(path)
    except DiptychError as error:
        return path.stem, error.info()


def _merged(picture: OraPicture) -> QImage:
    return qimage_of(merged(picture))
