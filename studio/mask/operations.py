"""What can be done to a whole mask: one table, from which menus are made. Each use is one undo step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.graph.values import Image, Mask
from studio.mask.conversion import image_value, mask_of_tiles
from studio.mask.paint_document import PaintDocument
from studio.mask.surface import tiles_from_array
from studio.mask.tile import Key, Tile
from studio.translate import tr

LARGE: Final = 2**19
"""Masks with more pixels than this are computed in a worker thread."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that an operation asks for, in pixels of the picture."""

    title: str
    default: float
    largest: float


@dataclass(frozen=True, slots=True)
class Operation:
    """Titles are source texts. ``from_picture`` ones make a mask of the picture instead of changing the one
    there is."""

    id: str
    title: str
    amount: Amount | None = None
    from_picture: bool = False


OPERATIONS: Final = (
    Operation("invert", "Invert"),
    Operation("grow", "Grow", Amount("Grow by", 8, 500)),
    Operation("shrink", "Shrink", Amount("Shrink by", 8, 500)),
    Operation("feather", "Feather", Amount("Width of the soft edge", 16, 1000)),
    Operation("smooth", "Smooth", Amount("Round off below", 8, 500)),
    Operation("fill_holes", "Fill holes"),
    Operation("from_alpha", "From transparency", from_picture=True),
    Operation("from_luminance", "From brightness", from_picture=True),
)
_BY_ID: Final = {entry.id: entry for entry in OPERATIONS}


def operation(id: str) -> Operation:
    """The operation of that id. Raises :class:`KeyError` if there is none."""
    return _BY_ID[id]


def apply_operation(document: PaintDocument, id: str, amount: float | None = None) -> bool:
    """Do it to the active mask or region, as one step; ``False`` if it is none, or something still runs.

    Args:
        id: of :data:`OPERATIONS`. ``KeyError`` if there is none of that name.
        amount: in pixels; the operation's default without it.
    """
    chosen = operation(id)
    layer = document.active
    if document.busy or layer is None or not layer.is_mask or layer.surface is None:
        return False
    surface = layer.surface
    if surface.is_open:
        return False
    tiles, width, height = surface.snapshot(), surface.width, surface.height
    picture = document.flattened() if chosen.from_picture else None
    if amount is None:
        amount = chosen.amount.default if chosen.amount else 0.0
    number = amount

    def work() -> Mapping[Key, Tile | None]:
        if picture is not None:
            return tiles_from_array(_made(id, image_value(picture)).values)
        return tiles_from_array(_changed(id, mask_of_tiles(tiles, width, height), number).values)

    document.compute(surface, work, tr(chosen.title), large=width * height > LARGE)
    return True


def _changed(id: str, mask: Mask, amount: float) -> Mask:
    from pipelines.inpaint import masks

    with_amount = {
        "grow": masks.grow, "shrink": masks.shrink, "feather": masks.feather, "smooth": masks.smooth,
    }  # fmt: skip
    if id in with_amount:
        return with_amount[id](mask, amount)
    return masks.invert(mask) if id == "invert" else masks.fill_holes(mask)


def _made(id: str, picture: Image) -> Mask:
    from pipelines.inpaint import masks

    return masks.from_alpha(picture) if id == "from_alpha" else masks.from_luminance(picture)


def clear(document: PaintDocument) -> bool:
    """Empty the active layer that can be drawn on; ``False`` if it is none, or empty already."""
    layer = document.active
    if document.busy or layer is None or layer.surface is None or layer.surface.is_open:
        return False
    return document.put_tiles(layer.surface, dict.fromkeys(layer.surface.tiles), tr("Clear"))
