"""The fields of the canvas's form: params of the nodes that the canvas works with, whether exposed or not."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject

from pipelines.graph.document import Exposed
from studio.create.binding import Binding
from studio.documents.document import GraphDocument
from studio.inpaint.canvas_graph import CANVAS, SIDES, CanvasParts, find_parts

DRAWN: Final = (
    "prompt", "negative", "batch", "seed", "strength", "steps", "fill", "context", "padding", "grow",
    "feather", "blend", "match_colours", "blending", "guidance_scale", "guidance_rescale", "sampler",
    "schedule", "sizes", "detail",
)  # fmt: skip
"""What the form shows of the node that draws."""
REMOVED: Final = ("method", "context", "padding", "grow", "blend")
"""What it shows of the node that takes away."""


class CanvasBinding(Binding):
    """Names are those of the params; ``model`` is the model node's. :attr:`canvas` chooses among several."""

    def __init__(self, document: GraphDocument, parent: QObject | None = None) -> None:
        super().__init__(document, parent)
        self.canvas = ""

    @property
    def parts(self) -> CanvasParts | None:
        """The nodes of the canvas as they are now."""
        return find_parts(self._document.graph, self.canvas)

    @property
    def names(self) -> dict[str, Exposed]:
        parts = self.parts
        if parts is None:
            return {}
        found: dict[str, Exposed] = {}
        nodes = self._document.graph.nodes
        if parts.remove and nodes[parts.remove].mode == "active":
            found |= {name: Exposed(parts.remove, name) for name in REMOVED}
        elif parts.draw:
            found |= {name: Exposed(parts.draw, name) for name in DRAWN}
        if parts.model:
            found["model"] = Exposed(parts.model, "model")
        if nodes[parts.canvas].type == CANVAS:
            found |= {side: Exposed(parts.canvas, side) for side in SIDES}
        return found
