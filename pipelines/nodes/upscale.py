"""Nodes that enlarge pictures: with a model, by drawing detail, or plainly. No torch import here."""

from __future__ import annotations

from typing import Any

from pipelines.diffusion.prompts.tagged_models import with_tags
from pipelines.errors import ModelUnsuitable
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.types import Image, UpscaleModel
from pipelines.image import Resampling, resize
from pipelines.nodes.diffusion import (
    DRAWN,
    MAX_STEPS,
    MODEL,
    NEGATIVE,
    PROMPT,
    SEED,
    STEERING,
    DenoiseParams,
    PromptedNode,
    sampling_options,
)


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
        width: int = Param(
            0, "Width", "The width to fit it into instead of a factor; 0 leaves that to the height.",
            unit="px", ge=0, le=65_536, step=8, empty="By the factor",
        )  # fmt: skip
        height: int = Param(
            0, "Height", "The height to fit it into instead of a factor; 0 leaves that to the width.",
            unit="px", ge=0, le=65_536, step=8, empty="By the factor",
        )  # fmt: skip
        tile: int = Param(
            0, "Tile size", "The picture goes through the model in pieces of this size; 0 chooses what fits.",
            unit="px", ge=0, le=8192, step=64, empty="What fits", advanced=True,
        )  # fmt: skip

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.diffusion.tasks.upscalers import (
            UpscalerOptions,
            is_diffusion_upscaler,
            upscale_by_diffusion,
        )
        from pipelines.upscale import upscale

        def report(done: int, total: int) -> None:
            context.progress(done, total, phase="upscaling")

        with context.models.use(inputs["model"], context) as loaded:
            if is_diffusion_upscaler(loaded):
                image, _ = upscale_by_diffusion(
                    loaded, inputs["image"], context, factor=params.factor,
                    size=(params.width, params.height), seed=0, options=UpscalerOptions(tile=params.tile),
                )  # fmt: skip
                return {"image": image}
            image = upscale(
                loaded, inputs["image"], params.factor, params.tile, context.cancel, report,
                size=(params.width, params.height), folder=context.cache_dir,
            )  # fmt: skip
        return {"image": image}


def _factor() -> Any:
    return Param(
        2.0, "Factor", "How many times as wide and high.", unit="×", ge=0.01, le=64, step=0.5, primary=True
    )


class DiffusionModelUpscale(Node):
    """Enlarge a picture with a diffusion upscaler: it draws the detail anew, guided by a prompt."""

    id, title = "upscale.diffusion_model", "Upscale with a diffusion upscaler"
    category, lane = "Upscale", "gpu"
    inputs = (
        Input("model", UpscaleModel, description="The diffusion upscaler."),
        Input("image", Image, description="The picture to enlarge."),
        PROMPT,
        NEGATIVE,
        SEED,
    )
    outputs = tuple(port for port in DRAWN if port.name != "latent")
    preview = "image"

    class Params(UpscaleImage.Params):
        steps: int = Param(
            0, "Steps", "In how many steps the noise is removed; more is slower and a little finer.",
            ge=0, le=MAX_STEPS, empty="The model’s own", primary=True,
        )  # fmt: skip
        guidance_scale: float = Param(
            0.0, "Guidance scale", "How strictly the prompts are followed; 1 leaves out the negative one.",
            ge=0, le=100, step=0.5, empty="The model’s own",
        )  # fmt: skip
        noise_level: int = Param(
            -1, "Noise level",
            "How much noise the picture gets first: more leaves more to invent. −1 is the model’s own.",
            ge=-1, le=1000, step=10, advanced=True,
        )  # fmt: skip

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.diffusion.tasks.upscalers import (
            UpscalerOptions,
            is_diffusion_upscaler,
            upscale_by_diffusion,
        )

        inputs = with_tags(inputs, context)
        options = UpscalerOptions(params.steps, params.guidance_scale, params.noise_level, params.tile)
        with context.models.use(inputs["model"], context) as loaded:
            if not is_diffusion_upscaler(loaded):
                reason = "It enlarges in one go, without a prompt: the node Upscale is made for it."
                raise ModelUnsuitable(model=loaded.handle.id, reason=reason, task="enlarging after a prompt")
            image, seed = upscale_by_diffusion(
                loaded, inputs["image"], context, factor=params.factor, size=(params.width, params.height),
                prompt=inputs.get("prompt", ""), negative=inputs.get("negative", ""),
                seed=inputs.get("seed"), options=options,
            )  # fmt: skip
        return {"image": image, "seed": seed}


class SimpleUpscale(Node):
    """Enlarge a picture by resampling alone: quick, and no sharper than it was."""

    id, title, category = "upscale.simple", "Plain upscale", "Upscale"
    inputs = (Input("image", Image, description="The picture to enlarge."),)
    outputs = (Output("image", Image),)
    preview = "image"

    class Params(NodeParams):
        factor: float = _factor()
        width: int = Param(
            0, "Width", "The width to reach instead of a factor; 0 follows the height.",
            unit="px", ge=0, le=65_536, step=8, empty="by the factor",
        )  # fmt: skip
        height: int = Param(
            0, "Height", "The height to reach instead of a factor; 0 follows the width.",
            unit="px", ge=0, le=65_536, step=8, empty="by the factor",
        )  # fmt: skip
        method: Resampling = Param("lanczos", "Resampling", "How new pixels are made of the old.")

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        image = inputs["image"]
        width, height = params.width, params.height
        factor = params.factor
        if width or height:
            factor = width / image.width if width else height / image.height
        width, height = (
            wanted or max(1, round(side * factor))
            for wanted, side in ((width, image.width), (height, image.height))
        )
        return {"image": resize(image, width, height, params.method)}


class DiffusionUpscale(PromptedNode):
    """Enlarge a picture and draw detail into it, piece by piece, after a prompt."""

    id, title, category, lane = "upscale.diffusion", "Upscale by drawing", "Upscale", "gpu"
    inputs = (
        MODEL,
        Input("image", Image, description="The picture to enlarge."),
        PROMPT,
        NEGATIVE,
        SEED,
        *STEERING,
    )
    outputs = tuple(port for port in DRAWN if port.name != "latent")
    preview = "image"

    class _Own(NodeParams):
        factor: float = _factor()
        strength: float = Param(
            0.35, "Denoising strength", "How much may change: a little adds detail, more adds other things.",
            ge=0, le=1, step=0.05, widget="slider", primary=True,
        )  # fmt: skip
        tile: int = Param(
            0, "Tile size", "Side of the pieces that are drawn one by one.",
            unit="px", ge=0, le=4096, step=64, empty="the model's own size", advanced=True,
        )  # fmt: skip
        method: Resampling = Param(
            "lanczos", "Resampling", "How it is enlarged before it is drawn.", advanced=True
        )

    class Params(DenoiseParams, _Own):
        pass

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.diffusion.steering.steering import open_steering
        from pipelines.diffusion.tasks.tiled import upscale_by_drawing

        inputs = with_tags(inputs, context)
        with (
            context.models.use(inputs["model"], context) as loaded,
            open_steering(inputs, context) as steering,
        ):
            image, seed = upscale_by_drawing(
                loaded, inputs["image"], params.factor, inputs.get("prompt", ""), inputs.get("negative", ""),
                inputs.get("seed"), params.strength, sampling_options(params), context, tile=params.tile,
                method=params.method, steering=steering,
            )  # fmt: skip
        return {"image": image, "seed": seed}


NODES = (UpscaleImage, DiffusionModelUpscale, SimpleUpscale, DiffusionUpscale)
