"""What is done to the canvas as a whole: its picture, its size, what is pasted, merged and flattened."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QImage

from pipelines.graph.values import check_size
from studio.mask import canvas_edits
from studio.mask.layer_document import MAX_PIXELS, LayerDocument
from studio.mask.layers import Layer, LayerKind, Stack
from studio.mask.resample import Kernel, quick, resampled_image
from studio.mask.surface import Surface
from studio.translate import tr

LARGE = 2**22
"""Canvases with more pixels than this are resampled and merged in a worker thread."""


class CanvasDocument(LayerDocument):
    """Every method is one undo step. Enlarging, merging and flattening a large canvas happens in the
    background (see ``busy``)."""

    def set_image(self, image: QImage, name: str = "") -> None:
        """Show a picture as the bottom layer, in place of the one that was there.

        The other layers stay; if the picture has another size, they are resampled to it.

        Raises:
            ImageTooLarge: more than :data:`MAX_PIXELS`; nothing was changed.
        """
        check_size(image.width(), image.height(), MAX_PIXELS)
        layers = self.stack.layers
        if layers and layers[0].kind is LayerKind.IMAGE:
            base = layers[0].with_(image=quick(image), name=name or layers[0].name, x=0, y=0)
        else:
            base = Layer(self._new_id(), LayerKind.IMAGE, name or tr("Picture"), image=quick(image))
        self._push(canvas_edits.with_picture(self.stack, base), tr("Set the picture"))

    def add_image_layer(self, image: QImage, name: str = "", x: int = 0, y: int = 0) -> str:
        """A picture of any size as a layer above the active one, its corner at ``x``, ``y``; gives its id.

        On an empty canvas it is the first layer, and the canvas takes its size.

        Raises:
            ImageTooLarge: more than :data:`MAX_PIXELS`; nothing was changed.
        """
        check_size(image.width(), image.height(), MAX_PIXELS)
        if self.stack.size.isEmpty():
            self.set_image(image, name)
            return self.stack.active
        stack = self.stack
        above = stack.index(stack.active) + 1 if stack.get(stack.active) else len(stack.layers)
        layer = self._new_layer(LayerKind.IMAGE, name, image).with_(x=x, y=y)
        self._push(stack.added(layer, above), tr("Add a picture"))
        return layer.id

    def paste_result(self, image: QImage, rect: QRect, name: str = "", text: str = "") -> str:
        """A picture as a layer at ``rect``, above all that make the picture, as one step; gives its id.

        It is resampled if it has another size than ``rect``; the canvas grows where ``rect`` reaches beyond
        it. The active layer stays.

        Raises:
            ImageTooLarge: the canvas would be too large; nothing was changed.
            ValueError: there is nothing to paste.
        """
        if rect.isEmpty() or image.isNull():
            raise ValueError("a result has at least one pixel")
        grown = rect | self.rect if not self.stack.size.isEmpty() else rect
        check_size(grown.width(), grown.height(), MAX_PIXELS)
        layer = self._new_layer(LayerKind.IMAGE, name, resampled_image(image, rect.size()))
        text = text or tr("Paste a picture")
        if self.stack.size.isEmpty():
            self._push(Stack(rect.width(), rect.height(), (layer,), layer.id), text)
        else:
            placed = layer.with_(x=rect.x(), y=rect.y())
            self._push(canvas_edits.pasted(self.stack, placed, select=False), text)
        return layer.id

    def resize_canvas(self, rect: QRect, text: str = "") -> None:
        """Crop or extend the canvas to ``rect``: every layer keeps its pixels in place, new area is empty.

        Raises:
            ImageTooLarge: more than :data:`MAX_PIXELS`; nothing was changed.
            ValueError: ``rect`` is empty.
        """
        if rect.isEmpty():
            raise ValueError("a canvas has at least one pixel")
        check_size(rect.width(), rect.height(), MAX_PIXELS)
        self._push(canvas_edits.resized(self.stack, rect), text or tr("Resize the canvas"))

    def crop_to(self, rect: QRect) -> bool:
        """Crop to the part of ``rect`` that lies on the canvas; whether anything was cut."""
        rect = rect & self.rect
        if rect.isEmpty() or rect == self.rect:
            return False
        self.resize_canvas(rect, tr("Crop the canvas"))
        return True

    def scale_canvas(self, size: QSize, kernel: Kernel = "auto") -> None:
        """Resample every layer so that the canvas is ``size``, in the background if it is large.

        Raises:
            ImageTooLarge: more than :data:`MAX_PIXELS`; nothing was changed.
            ValueError: ``size`` is empty.
        """
        if size.isEmpty() or self.stack.size.isEmpty():
            raise ValueError("a canvas has at least one pixel")
        check_size(size.width(), size.height(), MAX_PIXELS)
        if size != self.stack.size:
            stack, pixels = self.stack, max(size.width() * size.height(), self._pixels())
            self._change(lambda: canvas_edits.scaled(stack, size, kernel), tr("Scale the canvas"), pixels)

    def enlarge_to(self, image: QImage, name: str = "", text: str = "", rect: QRect | None = None) -> str:
        """Enlarge every layer as much as ``image`` is larger than what it was made of, and lay it above all
        that make the picture, as one step (large ones in the background); gives its id.

        Args:
            image: what an upscaler made.
            rect: the part of the canvas that it was made of, which may reach beyond it; without it, all.

        Raises:
            ImageTooLarge: more than :data:`MAX_PIXELS`; nothing was changed.
            ValueError: ``image``, ``rect`` or the canvas is empty.
        """
        rect = rect if rect is not None else self.rect
        if image.isNull() or rect.isEmpty() or self.stack.size.isEmpty():
            raise ValueError("a canvas has at least one pixel")
        across, down = image.width() / rect.width(), image.height() / rect.height()
        stack = self.stack
        size = QSize(max(1, round(stack.width * across)), max(1, round(stack.height * down)))
        check_size(size.width(), size.height(), MAX_PIXELS)
        layer = self._new_layer(LayerKind.IMAGE, name, image)
        layer = layer.with_(x=round(rect.x() * across), y=round(rect.y() * down))

        def make() -> Stack:
            grown = stack if size == stack.size else canvas_edits.scaled(stack, size)
            return canvas_edits.above_picture(grown, layer)

        pixels = max(size.width() * size.height(), self._pixels())
        self._change(make, text or tr("Enlarge the picture"), pixels)
        return layer.id

    def can_merge_down(self, id: str) -> bool:
        """Whether a layer and the one below it are shown and go together (pictures and paint, or two of a
        kind)."""
        return canvas_edits.mergeable(self.stack, id)

    def merge_down(self, id: str) -> bool:
        """Merge a layer into the one below it; ``False`` if they don't go together."""
        if self.busy or not self.can_merge_down(id):
            return False
        stack = self.stack
        self._change(lambda: canvas_edits.merged_down(stack, id), tr("Merge down"), self._pixels())
        return True

    def flatten(self) -> None:
        """Make one picture of all visible pictures and paint layers; everything else stays."""
        picture = Layer(self._new_id(), LayerKind.IMAGE, tr("Picture"))
        stack = self.stack
        self._change(lambda: canvas_edits.flat(stack, picture), tr("Flatten"), self._pixels())

    def _pixels(self) -> int:
        return self.stack.width * self.stack.height

    def _change(self, make: Callable[[], Stack], text: str, pixels: int) -> None:
        if pixels > LARGE:
            self._push_later(make, text)
        else:
            self._push(make(), text)

    def mask_from_layer(self, id: str, of: str = "") -> str:
        """A new mask above all, of a layer's ``alpha`` or ``luminance`` (whichever says more, without it);
        gives its id."""
        values = canvas_edits.mask_values(self.stack[id], self.rect, of)
        mask = self._new_layer(LayerKind.MASK, "").with_(surface=Surface.from_array(values))
        self._push(self.stack.added(mask), tr("Mask from a layer"))
        return mask.id
