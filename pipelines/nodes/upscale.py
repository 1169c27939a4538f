"""The node that enlarges pictures with a model. No torch import at module level."""

from __future__ import annotations

from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.types import Image, UpscaleModel


class UpscaleImage(Node):
    """Enlarge a picture with a model that adds plausible detail."""

    id, title, category, lane = "upscale.model", "Upscale", "Upscale", "gpu"
    inputs = (
        Input("model", UpscaleModel, description="The model that enlarges."),
        Input("image", Image, description="The picture to enlarge."),
    )
    outputs = (Output("image", Image),)
    preview = "image"

    class Params(NodeParams):
        factor: float = Param(
            0.0, "Factor", "How many times as wide and high; 0 is what the model was made for.",
            unit="×", ge=0, le=16, step=0.5, empty="The model’s own", primary=True,
        )  # fmt: skip
        tile: int = Param(
            0, "Tile size", "The picture goes through the model in pieces of this size; 0 chooses what fits.",
            unit="px", ge=0, le=8192, step=64, empty="What fits", advanced=True,
        )  # fmt: skip

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.upscale import upscale

        def report(done: int, total: int) -> None:
            context.progress(done, total, phase="upscaling")

        with context.models.use(inputs["model"], context) as loaded:
            image = upscale(loaded, inputs["image"], params.factor, params.tile, context.cancel, report)
        return {"image": image}


NODES = (UpscaleImage,)
