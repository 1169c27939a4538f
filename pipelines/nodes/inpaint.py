"""Nodes that draw from a picture: all of it, what a mask shows, or past its edges. No torch import here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pipelines.diffusion.prompts.tagged_models import with_tags
from pipelines.diffusion.sampling.differential import Blending
from pipelines.graph import types
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.inpaint.fill import Fill
from pipelines.nodes.diffusion import (
    DRAWN,
    MODEL,
    NEGATIVE,
    PROMPT,
    SEED,
    STEERING,
    UPSCALER,
    AnySizeParams,
    DrawingNode,
    StepParams,
    beyond_range,
    clip_skip_param,
    drawn_outputs,
    guidance_param,
    sampling_options,
    steps_param,
)

if TYPE_CHECKING:
    from pipelines.diffusion.tasks.inpaint import InpaintOptions

MAX_REACH: Final = 4096
MAX_SIDE: Final = 16_384
_IMAGE: Final = Input("image", types.Image, description="The picture to start from.")
_REGION: Final = tuple(
    Output("latent", port.type, port.title, "The drawn part as the model holds it, before decoding.")
    if port.name == "latent" else port for port in DRAWN
)  # fmt: skip


def _strength(default: float, description: str) -> Any:
    return Param(
        default, "Denoising strength", description, ge=0, le=1, step=0.05, widget="slider", primary=True
    )


def _reach(title: str, description: str) -> Any:
    """A length beside the mask; -1 is what the formulas say."""
    return Param(
        -1.0, title, f"{description} −1 is chosen by strength and size.",
        unit="px", ge=-1, le=MAX_REACH, step=1, advanced=True,
    )  # fmt: skip


class EncodeImage(Node):
    """Turn a picture into a latent, the form in which the model holds it."""

    id, title, category, lane = "diffusion.encode_image", "Encode image", "Diffusion", "gpu"
    inputs = (MODEL, Input("image", types.Image, description="The picture to encode."))
    outputs = (Output("latent", types.Latent, description="The picture as the model holds it."),)

    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        from pipelines.diffusion.latents.encode_image import encode_image

        context.progress(0, 1, phase="encoding the picture")
        with context.models.use(inputs["model"], context) as loaded:
            return {"latent": encode_image(loaded, inputs["image"], context)}


class ImageToImage(DrawingNode):
    """Draw a picture anew after a prompt; the strength says how much of it may change."""

    id, title = "diffusion.image_to_image", "Image to image"
    inputs = (MODEL, _IMAGE, PROMPT, NEGATIVE, SEED, *STEERING, UPSCALER)

    class _Own(NodeParams):
        strength: float = _strength(0.6, "How much may change: at 0 hardly anything, at 1 everything.")
        size: Literal["model", "image"] = Param(
            "model", "Drawn at", "The size the model draws best, or the picture's own.",
            advanced=True,
        )  # fmt: skip

    class Params(AnySizeParams, StepParams, _Own):
        clip_skip: int = clip_skip_param()

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.diffusion.steering.steering import open_steering
        from pipelines.diffusion.tasks.two_pass import AnySizeDrawing

        inputs = with_tags(inputs, context)
        with open_steering(inputs, context) as steering:
            drawing = AnySizeDrawing(
                inputs["model"], inputs.get("prompt", ""), inputs.get("negative", ""),
                sampling_options(params), context, beyond_range(params, inputs), params.clip_skip, steering,
            )  # fmt: skip
            drawings = drawing.from_picture(
                inputs["image"], inputs.get("seed"), params.strength, own_size=params.size == "image",
                batch=params.batch,
            )  # fmt: skip
        return drawn_outputs(drawings)


class MaskParams(NodeParams):
    """How the mask is used: all lengths in pixels of the picture."""

    blending: Blending = Param(
        Blending.DIFFERENTIAL,
        "Blending",
        "“differential” lets a pixel change as early as its mask is strong; “latent” mixes at every step.",
        advanced=True,
    )
    context: float = _reach("Context", "How much round the mask the model sees.")
    padding: int = Param(
        0, "Padding", "More of the surroundings, on top of the context.",
        unit="px", ge=0, le=MAX_REACH, step=8, advanced=True,
    )  # fmt: skip
    grow: float = _reach("Grow", "How far the mask is widened.")
    feather: float = _reach("Feather", "How wide the soft edge of the mask is.")
    blend: float = _reach("Blend", "How far past that edge the drawn part fades into the picture.")
    match_colours: bool = Param(
        False,
        "Match colours",
        "Fits the colours of the drawn part to the picture at the seam.",
        advanced=True,
    )


def _inpainting(params: Any) -> InpaintOptions:
    from pipelines.diffusion.tasks.inpaint import InpaintOptions
    from pipelines.inpaint.geometry import MaskSettings

    lengths = {
        name: value if (value := getattr(params, name)) >= 0 else None
        for name in ("grow", "feather", "blend", "context")
    }
    settings = MaskSettings(**lengths, padding=params.padding)
    return InpaintOptions(
        params.strength, params.fill, params.blending, settings, params.match_colours, params.sizes,
        params.detail,
    )  # fmt: skip


class Inpaint(DrawingNode):
    """Replace what a mask shows of a picture; all else keeps its pixels."""

    id, title = "diffusion.inpaint", "Inpaint"
    inputs = (
        MODEL,
        _IMAGE,
        Input(
            "mask", types.Mask, description="Where to repaint: 1 is new, 0 stays; between, it changes less."
        ),
        PROMPT,
        NEGATIVE,
        SEED,
        *STEERING,
    )
    outputs = _REGION

    class _Own(NodeParams):
        strength: float = _strength(1.0, "How much may change under the mask: at 0 hardly anything.")
        fill: Fill = Param(
            Fill.ORIGINAL, "Fill", "What is put under the mask before the noise.", primary=True
        )

    class Params(StepParams, AnySizeParams, MaskParams, _Own):
        clip_skip: int = clip_skip_param()

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.diffusion.steering.steering import open_steering
        from pipelines.diffusion.tasks.inpaint import inpaint

        inputs = with_tags(inputs, context)
        with (
            context.models.use(inputs["model"], context) as loaded,
            open_steering(inputs, context) as steering,
        ):
            drawings = inpaint(
                loaded, inputs["image"], inputs["mask"], inputs.get("prompt", ""),
                inputs.get("negative", ""), inputs.get("seed"), sampling_options(params),
                _inpainting(params), context, clip_skip=params.clip_skip, batch=params.batch,
                steering=steering,
            )  # fmt: skip
        return drawn_outputs(drawings)


def _side(title: str) -> Any:
    return Param(
        0, title, "How much is added on this side.", unit="px", ge=0, le=MAX_SIDE, step=8, primary=True
    )


class Outpaint(DrawingNode):
    """Make a picture larger and draw what lies past its edges."""

    id, title = "diffusion.outpaint", "Outpaint"
    inputs = (MODEL, _IMAGE, PROMPT, NEGATIVE, SEED, *STEERING)
    outputs = _REGION

    class _Own(NodeParams):
        left: int = _side("Left")
        top: int = _side("Top")
        right: int = _side("Right")
        bottom: int = _side("Bottom")
        strength: float = Param(
            1.0, "Denoising strength", "How much of the filling may change: at 1 all of it.",
            ge=0, le=1, step=0.05, widget="slider",
        )  # fmt: skip
        fill: Fill = Param(Fill.BORDER, "Fill", "What is put into the new part before the noise.")

    class Params(StepParams, AnySizeParams, MaskParams, _Own):
        steps: int = steps_param(primary=False)
        guidance_scale: float = guidance_param(primary=False)
        clip_skip: int = clip_skip_param()

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.diffusion.steering.steering import open_steering
        from pipelines.diffusion.tasks.inpaint import outpaint

        inputs = with_tags(inputs, context)
        with (
            context.models.use(inputs["model"], context) as loaded,
            open_steering(inputs, context) as steering,
        ):
            drawings = outpaint(
                loaded, inputs["image"], (params.left, params.top, params.right, params.bottom),
                inputs.get("prompt", ""), inputs.get("negative", ""), inputs.get("seed"),
                sampling_options(params), _inpainting(params), context, clip_skip=params.clip_skip,
                batch=params.batch, steering=steering,
            )  # fmt: skip
        return drawn_outputs(drawings)


NODES = (EncodeImage, ImageToImage, Inpaint, Outpaint)
