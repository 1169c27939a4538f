"""What the canvas's commands do: results, the canvas as a whole, and what comes and goes."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QRect, QSize, Slot
from PySide6.QtGui import QImage

from pipelines.errors import CanvasChanged, DiptychError
from studio.actions.shell import Shell
from studio.inpaint.pictures_in import PicturesIn
from studio.inpaint.pictures_out import PicturesOut
from studio.inpaint.workspace import CanvasWorkspace
from studio.mask.layers import LayerKind, Stack
from studio.mask.resample import Kernel, laid_at
from studio.mask.surface import Surface
from studio.parts import Parts
from studio.translate import tr

METHODS: Final = {
    "lineart": "line art",
    "canny": "edges",
    "scribble": "scribble",
    "depth": "depth",
    "normal": "normals",
    "pose": "pose",
}
"""How the node *Control picture* makes each kind of layer."""


class CanvasActions(QObject):
    """The :class:`studio.commands.command.CanvasCommands` of a window."""

    def __init__(self, parts: Parts, shell: Shell, page: CanvasWorkspace) -> None:
        super().__init__(page)
        self._parts, self._shell, self.page = parts, shell, page
        self.into = PicturesIn(parts, shell, page, self)
        self.out = PicturesOut(parts, shell, page, self)
        page.results.applied.connect(lambda: shell.status.note(tr("Applied as a layer")))
        page.results.noticed.connect(page.show_error)
        page.canvas.layer_panel.derive_requested.connect(self.derive)

    # --- results and the canvas as a whole -------------------------------------------------------------

    @Slot()
    def apply(self) -> None:
        self.page.results.apply()

    @Slot()
    def apply_all(self) -> None:
        self.page.results.apply_all()

    @Slot()
    def discard(self) -> None:
        self.page.results.discard()

    @Slot()
    def upscale(self) -> None:
        """Enlarge the picture with the upscaler; the layers grow with it, and it is one undo step."""
        self._shell.status.note(tr("Enlarging the picture…"))
        before = self.page.paint.stack
        self.page.drawing.process("upscale.model", {}, lambda image: self._upscaled(image, before))

    def _upscaled(self, image: QImage, before: Stack) -> None:
        """The canvas may have been cropped or extended meanwhile: the picture lies where it belongs."""
        try:
            rect = self._place_of(before)
            self.page.paint.enlarge_to(image, tr("Enlarged"), tr("Enlarge the picture"), rect)
        except DiptychError as error:
            self.page.show_error(error.info())

    def _place_of(self, before: Stack) -> QRect:
        """Where the canvas that something was made of lies on the one there is. Raises
        :class:`CanvasChanged`."""
        rect = self.page.paint.stack.rect_of(before)
        if rect is None or not rect.intersects(self.page.paint.rect):
            raise CanvasChanged()
        return rect

    @Slot()
    def scale(self) -> None:
        """Ask for another size of the canvas."""
        from studio.mask.scale_dialog import ScaleDialog

        dialog = ScaleDialog(self.page.paint.stack.size, self._shell.window())
        dialog.size_chosen.connect(self._scale)
        dialog.open()

    @Slot(QSize, str)
    def _scale(self, size: QSize, kernel: Kernel) -> None:
        try:
            self.page.paint.scale_canvas(size, kernel)
        except DiptychError as error:
            self.page.show_error(error.info())
            return
        self.page.canvas.view.fit()

    @Slot()
    def crop_to_mask(self) -> None:
        """Cut the canvas to what is masked."""
        found = _bounds(self.page.paint.stack)
        if found.isEmpty() or not self.page.paint.crop_to(found):
            self.page.canvas.show_hint(tr("Mask the part to keep first."))
            return
        self.page.canvas.view.fit()

    @Slot(str)
    def derive(self, layer: str) -> None:
        """Make a control layer of the picture, with the preprocessor of its kind."""
        found = self.page.paint.stack.get(layer)
        if found is not None:
            pose = found.control == "pose"
            self._shell.status.note(tr("Looking for people…") if pose else tr("Reading the picture's lines…"))
            before = self.page.paint.stack
            self.page.drawing.process(
                "control.preprocess",
                {"method": METHODS[found.control]},
                lambda image: self._derived(layer, image, before),
            )

    def _derived(self, layer: str, image: QImage, before: Stack) -> None:
        try:
            rect = self._place_of(before)
        except DiptychError as error:
            self.page.show_error(error.info())
            return
        self.page.paint.set_surface_image(layer, laid_at(image, rect, self.page.paint.stack.size))


def _bounds(stack: Stack) -> QRect:
    """The rectangle of everything that is masked."""
    found = QRect()
    for layer in stack.layers:
        if layer.kind is LayerKind.MASK and layer.counts and isinstance(layer.surface, Surface):
            found |= layer.surface.bounds()
    return found
