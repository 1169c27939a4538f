"""The canvas's document: layers and their pixels, and the only one who changes them. Every change undoes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QRect, QRectF, Slot
from PySide6.QtGui import QImage, QTransform

from studio.mask.canvas_document import CanvasDocument
from studio.mask.canvas_edits import brightness
from studio.mask.history import PixelEdit, Step
from studio.mask.layer_document import MAX_PIXELS
from studio.mask.resample import resampled_image
from studio.mask.surface import Surface, image_array, tiles_from_array
from studio.mask.tile import Key, Tile
from studio.mask.transforming import LARGE, content_of, is_move, transformed
from studio.translate import tr

__all__ = ["MAX_PIXELS", "PaintDocument"]


class PaintDocument(CanvasDocument):
    """Layers and pixels; see :class:`~studio.mask.layer_document.LayerDocument` for the signals."""

    def set_surface_image(self, id: str, image: QImage, text: str = "") -> bool:
        """Replace the pixels of a paint, control, mask or region layer by a picture's (a mask's by its
        brightness), scaled to the canvas, as one step; whether anything differs."""
        layer = self.stack.get(id)
        if layer is None or layer.surface is None:
            return False
        values = image_array(resampled_image(image, self.stack.size))
        tiles = tiles_from_array(brightness(values) if layer.is_mask else values)
        return self.put_tiles(layer.surface, tiles, text or tr("Set from a picture"))

    def transform_layer(self, id: str, matrix: QTransform, text: str, merge: str = "") -> None:
        """Take a layer's pixels where ``matrix`` (affine, in pixels of the canvas) does, as one step; those
        with the same ``merge`` become one. Large ones are resampled in the background (see :attr:`busy`).

        Raises:
            ImageTooLarge: a picture would have more pixels than can be kept; nothing was changed.
        """
        layer, size = self.stack[id], self.stack.size
        if matrix.isIdentity() or (layer.surface is None and layer.image is None):
            return
        key, goal = merge and f"{id}.{merge}", matrix.mapRect(QRectF(layer.area))
        most = max(layer.area.width() * layer.area.height(), goal.width() * goal.height())
        if most <= LARGE or is_move(matrix):
            self._push(self.stack.changed(transformed(layer, matrix, size)), text, key)
            return
        content, stack = content_of(layer), self.stack
        self._push_later(lambda: stack.changed(transformed(layer, matrix, size, content)), text, key)

    # --- pixels ----------------------------------------------------------------------------------------

    def touched(self, rect: QRect) -> None:
        """A tool has drawn here, and has not finished yet."""
        if not rect.isEmpty():
            self.region_changed.emit(rect)

    def commit(self, surface: Surface, text: str) -> bool:
        """Keep what a tool drew as one step; whether anything differs. On a layer that is gone nothing is."""
        if not self._has(surface):
            surface.rollback()
            return False
        changes = surface.commit()
        if changes:
            self._keep(Step(surface, changes), text)
        return bool(changes)

    def put_tiles(self, surface: Surface, tiles: Mapping[Key, Tile | None], text: str) -> bool:
        """Put computed tiles in place as one step; whether anything differs."""
        changes = surface.changes_to(tiles)
        if not changes:
            return False
        step = Step(surface, changes)
        self.touched(step.redo())
        self._keep(step, text)
        return True

    def compute(
        self, surface: Surface, work: Callable[[], Mapping[Key, Tile | None]], text: str, *, large: bool
    ) -> None:
        """Tiles from ``work`` as one step: at once, or in a worker thread if it is ``large``.

        ``work`` must only read what it was given (see :meth:`Surface.snapshot`). While it runs the document
        is :attr:`busy`. Errors of small work are raised, those of large work come as ``noticed``.
        """
        if not large:
            self.put_tiles(surface, work(), text)
            return
        revision = surface.revision

        def done(tiles: Mapping[Key, Tile | None]) -> None:
            # something else may have changed the layer meanwhile (undo): that stands
            if surface.revision == revision and self._has(surface):
                self.put_tiles(surface, tiles, text)

        self._compute(work, done)

    def _has(self, surface: Surface) -> bool:
        return any(layer.surface is surface for layer in self._stack.layers)

    def _keep(self, step: Step, text: str) -> None:
        self.show_draft(None)
        self.history.add(step)
        self.undo_stack.push(PixelEdit(step, text, self._restored))
        self.changed.emit()
        self.committed.emit()

    @Slot(QRect)
    def _restored(self, rect: QRect) -> None:
        self.show_draft(None)
        self.region_changed.emit(rect)
        self.changed.emit()
