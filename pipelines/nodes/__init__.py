"""The built-in node types, one module per family; :data:`NODES` has them all.

Importing this imports no torch (inference libraries are imported where a node runs), so that schemas can be
read anywhere.
"""

from __future__ import annotations

from typing import Final

from pipelines.graph.node import Node
from pipelines.nodes import (
    canvas,
    control,
    diffusion,
    grids,
    image,
    inpaint,
    io,
    language,
    list,
    logic,
    mask,
    model,
    model_parts,
    model_speed,
    number,
    remove,
    text,
    upscale,
)

NODES: Final[tuple[type[Node], ...]] = (
    *text.NODES,
    *number.NODES,
    *logic.NODES,
    *list.NODES,
    *grids.NODES,
    *image.NODES,
    *canvas.NODES,
    *mask.NODES,
    *io.NODES,
    *model.NODES,
    *model_parts.NODES,
    *model_speed.NODES,
    *diffusion.NODES,
    *inpaint.NODES,
    *remove.NODES,
    *control.NODES,
    *upscale.NODES,
    *language.NODES,
)

__all__ = ["NODES"]
