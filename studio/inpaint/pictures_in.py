"""Pictures and masks that come to the canvas: opened, dropped, pasted, sent from Create."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QPoint, QRect, QSize, Qt, Slot
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QFileDialog

from pipelines.errors import DiptychError, ErrorInfo
from pipelines.graph.values import Mask
from pipelines.image.mask_files import NamedMask, read_named_mask
from pipelines.image.open_raster import OraPicture, merged
from pipelines.image.open_raster_reading import read_open_raster
from pipelines.inpaint.masks import fitted
from studio.actions.shell import Shell
from studio.background import in_background
from studio.inpaint.drop_dialog import DropDialog
from studio.inpaint.layered import stack_of
from studio.inpaint.reading import picture_from, qimage_of
from studio.inpaint.workspace import CanvasWorkspace
from studio.mask.layers import LayerKind
from studio.mask.resample import laid_at, resampled_image
from studio.mask.surface import image_array
from studio.parts import Parts
from studio.translate import tr

PICTURES: Final = "(*.png *.jpg *.jpeg *.webp *.tif *.tiff *.bmp *.gif *.avif *.ora)"
BLANK: Final = 512
"""Pixels that the longer side of an empty sheet has, at least half of them."""
NAME: Final = 40
"""Characters of a prompt that name the layer of its picture."""
RASTER: Final = ".ora"
Opened = QImage | OraPicture


def _inside(size: QSize, canvas: QSize) -> QRect:
    """Where a picture of ``size`` lies in the middle of a canvas, as large as it can be undistorted."""
    found = QRect(
        QPoint(0, 0), size.scaled(canvas, Qt.AspectRatioMode.KeepAspectRatio).expandedTo(QSize(1, 1))
    )
    found.moveCenter(QRect(QPoint(0, 0), canvas).center())
    return found


def read_any(path: Path) -> Opened:
    """A picture, or the layers of an OpenRaster file. For worker threads."""
    return read_open_raster(path) if path.suffix.lower() == RASTER else picture_from(path)


def flat_picture(path: Path) -> QImage:
    """A picture; that which the layers of an OpenRaster file make. For worker threads."""
    found = read_any(path)
    return found if isinstance(found, QImage) else qimage_of(merged(found))


class PicturesIn(QObject):
    """The :class:`studio.commands.command.PicturesIn` of a window's canvas."""

    def __init__(self, parts: Parts, shell: Shell, page: CanvasWorkspace, parent: QObject) -> None:
        super().__init__(parent)
        self._parts, self._shell, self.page = parts, shell, page
        page.open_requested.connect(self.open_picture)
        page.last_requested.connect(self.take_last)
        page.blank_requested.connect(self.blank)
        page.picture_dropped.connect(self.dropped)
        page.canvas.layer_panel.image_requested.connect(self.add_picture)

    def _ask(self, title: str, kinds: str = PICTURES) -> Path | None:
        found = QFileDialog.getOpenFileName(self._shell.window(), title, "", f"{tr('Pictures')} {kinds}")[0]
        return Path(found) if found else None

    @Slot()
    def open_picture(self) -> None:
        """Ask for a picture, and put it on the canvas."""
        path = self._ask(tr("Open a picture on the canvas"))
        if path is not None:
            self.open_path(path)

    def open_path(self, path: Path, name: str = "") -> None:
        """Put the picture of a file on the canvas; an OpenRaster file brings its layers."""
        self._shell.show_workspace("canvas")
        in_background(
            self,
            lambda: read_any(path),
            lambda found: self._open(found, name or path.stem),
            self.page.show_error,
        )

    def _open(self, found: Opened, name: str) -> None:
        try:
            if isinstance(found, QImage):
                self.page.open_image(found, name)
            else:
                self._open_layers(found, name)
        except DiptychError as error:
            self.page.show_error(error.info())

    def _open_layers(self, picture: OraPicture, name: str) -> None:
        """Layers of another program in place of those on the canvas, as one undo step."""
        for warning in picture.warnings:
            self.page.noticed.emit(warning)
        blank = QImage(picture.width, picture.height, QImage.Format.Format_ARGB32_Premultiplied)
        blank.fill(0)
        stack = self._parts.document.undo_stack
        stack.beginMacro(tr("Open layers"))
        try:
            self.page.open_image(blank, name)
            self.page.paint.replace_layers(stack_of(picture), tr("Open layers"))
        finally:
            stack.endMacro()
        self.page.canvas.view.fit()

    @Slot()
    def take_result(self) -> None:
        """The picture that Create shows, on the canvas."""
        result, image = self._shell.create_page.current, self._shell.create_page.result.view.image
        if result is None:
            return
        if result.path:
            self.open_path(Path(result.path), result.prompt[:NAME])
        elif image is not None:
            self._shell.show_workspace("canvas")
            self._open(image, tr("Picture"))

    @Slot()
    def take_last(self) -> None:
        """The picture that was made last."""
        made = [item for item in self._parts.results.results if item.path]
        if made:
            self.open_path(Path(made[-1].path), made[-1].prompt[:NAME])

    @Slot()
    def blank(self) -> None:
        """A white sheet of the size that the model draws best."""
        model = self._parts.models.find(str(self.page.binding.value("model") or ""))
        width, height = model.native_size if model is not None and model.native_size else (BLANK, BLANK)
        side = max(1, BLANK // max(width, height))
        sheet = QImage(width * side, height * side, QImage.Format.Format_RGB32)
        sheet.fill(QColor("white"))
        self._shell.show_workspace("canvas")
        self._open(sheet, tr("Sheet"))

    @Slot()
    def add_picture(self) -> None:
        """Ask for a picture, and add it as a layer."""
        path = self._ask(tr("Add a picture as a layer"))
        if path is not None:
            self._add_files([path])

    def add_layer(self, image: QImage, name: str) -> None:
        """A picture as a layer of its own, in the middle of the canvas."""
        paint = self.page.paint
        if self.page.is_empty:
            self._open(image, name)
            return
        x, y = (paint.stack.width - image.width()) // 2, (paint.stack.height - image.height()) // 2
        try:
            paint.add_image_layer(image, name, x, y)
        except DiptychError as error:
            self.page.show_error(error.info())

    @Slot(object, object)
    def dropped(self, what: list[str] | QImage, at: QPoint) -> None:
        """Pictures were dropped: ask what the first becomes; the rest become layers."""
        if isinstance(what, QImage):
            self._place(what, tr("Dropped picture"), at)
            return
        first, *rest = [Path(item) for item in what]
        if first.suffix.lower() == RASTER:
            self.open_path(first)
        else:
            self._read(first, lambda image: self._place(image, first.stem, at), rest)
            return
        self._add_files(rest)

    def _add_files(self, paths: list[Path]) -> None:
        """Pictures as layers, one after the other, so that they lie in their order."""
        if paths:
            first, *rest = paths
            self._read(first, lambda image: self.add_layer(image, first.stem), rest)

    def _read(self, path: Path, done: Callable[[QImage], object], rest: list[Path]) -> None:
        """Read a picture, then add the rest, whether that one could be read or not."""

        def read(image: QImage) -> None:
            done(image)
            self._add_files(rest)

        def failed(error: ErrorInfo) -> None:
            self.page.show_error(error)
            self._add_files(rest)

        in_background(self, lambda: flat_picture(path), read, failed)

    def _place(self, image: QImage, name: str, at: QPoint) -> None:
        if self.page.is_empty:
            self._open(image, name)
            return
        window = self._shell.window()
        window.activateWindow()
        dialog = DropDialog(window)
        dialog.chosen.connect(lambda use: self.use(image, name, use))
        dialog.open_at(window.mapFromGlobal(at))

    def use(self, image: QImage, name: str, use: str) -> None:
        """A picture as ``canvas``, ``layer``, ``control``, ``reference`` or ``mask``."""
        paint = self.page.paint
        if use == "canvas":
            self._open(image, name)
        elif use == "layer":
            self.add_layer(image, name)
        elif use == "control":
            stack = self._parts.document.undo_stack
            stack.beginMacro(tr("Add a control layer"))
            paint.set_surface_image(paint.add_layer(LayerKind.CONTROL, name), image)
            stack.endMacro()
        elif use == "reference":
            stack = self._parts.document.undo_stack
            stack.beginMacro(tr("Add a reference layer"))
            fitted_in = laid_at(image, _inside(image.size(), paint.stack.size), paint.stack.size)
            layer = paint.add_layer(LayerKind.REFERENCE, name)
            paint.set_surface_image(layer, fitted_in)
            # It has no place in the picture, which it would cover.
            paint.change_layer(layer, tr("Hide a layer"), visible=False)
            stack.endMacro()
        else:
            values = image_array(resampled_image(image, paint.stack.size))
            self._add_mask(Mask(values[..., :3].mean(axis=2).astype("float32") / 255), name)

    # --- masks -----------------------------------------------------------------------------------------

    @Slot()
    def import_mask(self) -> None:
        """A mask from a picture file, as a layer of its own name."""
        path = self._ask(tr("Import a mask"))
        if path is not None:
            in_background(self, lambda: read_named_mask(path), self._imported, self.page.show_error)

    def _imported(self, found: NamedMask) -> None:
        self._add_mask(found.mask, found.name)

    def _add_mask(self, mask: Mask, name: str) -> None:
        """A mask as a layer; one of another size is resampled to the canvas."""
        paint, stack = self.page.paint, self._parts.document.undo_stack
        stack.beginMacro(tr("Add a mask"))
        layer = paint.add_layer(LayerKind.MASK, name)
        self.page.canvas.set_mask(fitted(mask, paint.stack.width, paint.stack.height), layer)
        stack.endMacro()

    # --- the clipboard ---------------------------------------------------------------------------------

    def paste(self, files: list[str], image: QImage) -> None:
        """Files or a picture from the clipboard: the picture of an empty canvas, else layers."""
        self._add_files([Path(path) for path in files])
        if not files and not image.isNull():
            self.add_layer(image, tr("Pasted picture"))
