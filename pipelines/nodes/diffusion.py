"""Nodes that draw: a prompt to a picture, or the same in three parts. No torch import at module level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.diffusion.prompts.tagged_models import fingerprint_of_tags, warn_of_tags, with_tags
from pipelines.diffusion.samplers.table import NoiseSource, Sampler, Schedule
from pipelines.diffusion.sizes.any_size import DETAIL, MAX_DETAIL, MIN_DETAIL, Sizes
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param, Resources
from pipelines.graph.types import (
    Adapter,
    Conditioning,
    ControlModel,
    DiffusionModel,
    Image,
    Latent,
    Layer,
    Seed,
    Text,
    UpscaleModel,
    list_of,
)
from pipelines.graph.values import ListValue

if TYPE_CHECKING:
    from pipelines.diffusion.sampling.refine import Refinement
    from pipelines.diffusion.sampling.sampling import SamplingOptions
    from pipelines.diffusion.tasks.text_to_image import Drawing
    from pipelines.diffusion.tasks.two_pass import BeyondRange

MAX_BATCH = 256
MAX_STEPS = 500
MAX_SEED = 2**64 - 1

MODEL = Input("model", DiffusionModel, description="The model that draws.")
PROMPT = Input("prompt", Text, description="What the picture shows.", default="", multiline=True)
NEGATIVE = Input("negative", Text, "Negative prompt", "What to keep out.", default="", multiline=True)
SEED = Input("seed", Seed, description="The same seed gives the same picture.", default=None)
STEERING = (
    Input("regions", list_of(Layer), description="Masks with prompts of their own.", default=None),
    Input(
        "controls", list_of(Layer), "Control layers",
        "Pictures that lead the shapes: lines, edges, depth, a pose.", default=None,
    ),
    Input(
        "control", list_of(ControlModel), "Control model",
        "What reads the control layers: one for all of them, or one for each.", default=None,
    ),
    Input(
        "references", list_of(Layer), description="Pictures that lead the look: a style, a person, a thing.",
        default=None,
    ),
    Input(
        "adapter", list_of(Adapter), "Adapter",
        "What reads the references for models that don't themselves: one for all of them, or one for each.",
        default=None,
    ),
)  # fmt: skip
"""What steers a drawing beside its prompt: see :func:`pipelines.diffusion.steering.steering.open_steering`"""

UPSCALER = Input(
    "upscaler", UpscaleModel,
    description="What enlarges between two passes; without one, the picture is resampled.", default=None,
)  # fmt: skip

REFINER = Input(
    "refiner", DiffusionModel,
    description="A model of SDXL that goes on with the last steps; layers steer the first ones alone.",
    default=None,
)  # fmt: skip

DRAWN = (
    Output("image", Image, description="The picture."),
    Output("latent", Latent, description="The picture as the model holds it, before decoding."),
    Output("seed", Seed, description="The seed it was drawn from."),
)
"""The outputs of a node that draws from a prompt."""


def clip_skip_param() -> Any:
    return Param(
        1, "CLIP skip", "Which of the text encoder's layers is read, from the end: 1 is the last.",
        ge=0, le=32, advanced=True,
    )  # fmt: skip


def steps_param(primary: bool = True) -> Any:
    return Param(
        20, "Steps", "In how many steps the noise is removed; more is slower and a little finer.",
        ge=1, le=MAX_STEPS, primary=primary,
    )  # fmt: skip


def guidance_param(primary: bool = True) -> Any:
    return Param(
        7.0, "Guidance scale", "How strictly the picture follows the prompt.",
        ge=0, le=100, step=0.5, primary=primary,
    )  # fmt: skip


class SizeParams(NodeParams):
    """How large the picture is."""

    width: int = Param(
        512, "Width", "Width of the picture; models draw best near their own size.",
        unit="px", ge=8, le=65_536, step=8, primary=True,
    )  # fmt: skip
    height: int = Param(
        512, "Height", "Height of the picture; models draw best near their own size.",
        unit="px", ge=8, le=65_536, step=8, primary=True,
    )  # fmt: skip


class DenoiseParams(NodeParams):
    """How the noise is removed."""

    steps: int = steps_param()
    guidance_scale: float = guidance_param()
    guidance_rescale: float = Param(
        0.0, "Guidance rescale", "Takes back the overexposure of strong guidance; some models need it.",
        ge=0, le=1, step=0.05, advanced=True,
    )  # fmt: skip
    image_guidance_scale: float = Param(
        1.5, "Image guidance", "How closely an InstructPix2Pix model keeps to the picture it changes.",
        ge=1, le=10, step=0.1, advanced=True,
    )  # fmt: skip
    sampler: Sampler = Param(Sampler.DEFAULT, "Sampler", "The recipe that removes the noise.", advanced=True)
    schedule: Schedule = Param(
        Schedule.DEFAULT, "Schedule", "How much of the noise each step removes.", advanced=True
    )
    noise: NoiseSource = Param(
        NoiseSource.CPU, "Noise",
        "Where the first noise comes from; “philox” is what graphics cards draw. "
        "What a sampler adds on the way is always “cpu”.",
        advanced=True,
    )  # fmt: skip
    variation_seed: int = Param(
        0, "Variation seed", "The noise to move towards.", ge=0, le=MAX_SEED, widget="seed", advanced=True
    )
    variation_strength: float = Param(
        0.0, "Variation strength", "How far to move from the seed's picture to the variation seed's.",
        ge=0, le=1, step=0.05, widget="slider", advanced=True,
    )  # fmt: skip


class StepParams(DenoiseParams):
    """How the noise is removed, and how many pictures there are to be."""

    batch: int = Param(
        1, "Pictures", "How many to draw; each has a seed one higher than the one before.", ge=1, le=MAX_BATCH
    )


class SamplingParams(StepParams, SizeParams):
    """What drawing needs to know beside the prompts; the size comes first."""


class AnySizeParams(NodeParams):
    """What is done with sizes that the model can't draw well at once."""

    sizes: Sizes = Param(
        "auto", "Size beyond the model",
        "“auto” draws small pictures at the model's own size and reduces them, and large ones in two passes; "
        "“exact” draws any size as it is; “reference” takes the shape of the first reference, at about the "
        "model's own size.",
        advanced=True,
    )  # fmt: skip
    detail: float = Param(
        DETAIL, "Detail",
        "Denoising strength of the second pass: a little sharpens, more draws other things into it.",
        ge=MIN_DETAIL, le=MAX_DETAIL, step=0.05, widget="slider", advanced=True,
    )  # fmt: skip


def beyond_range(params: AnySizeParams, inputs: Inputs) -> BeyondRange:
    """What is done with other sizes, from a node's params and its ``upscaler``."""
    from pipelines.diffusion.tasks.two_pass import BeyondRange

    return BeyondRange(params.sizes, params.detail, inputs.get("upscaler"))


def refinement(switch: float, inputs: Inputs) -> Refinement | None:
    """What a node's ``refiner`` has to do; None without one, or where it would have no step."""
    from pipelines.diffusion.sampling.refine import Refinement

    model = inputs.get("refiner")
    return Refinement(model, switch) if model is not None and switch < 1 else None


def sampling_options(params: SizeParams | DenoiseParams) -> SamplingOptions:
    """How to draw, from a node's params; without a size among them, the options' own stands."""
    from pipelines.diffusion.sampling.sampling import SamplingOptions

    names = SizeParams.model_fields | DenoiseParams.model_fields
    return SamplingOptions(**params.model_dump(include=set(names)))


def batch_ports(params: Mapping[str, Any], ports: tuple[Output, ...]) -> tuple[Output, ...]:
    """More than one picture makes lists of all outputs."""
    batch = params.get("batch", 1)
    if isinstance(batch, bool) or not isinstance(batch, int) or batch <= 1:
        return ports
    return tuple(Output(port.name, list_of(port.type), port.title, port.description) for port in ports)


def one_or_list(items: list[Any]) -> Any:
    """One value as it is; several as a list, as :func:`batch_ports` declares."""
    return items[0] if len(items) == 1 else ListValue(items)


def drawn_outputs(drawings: Sequence[Drawing]) -> Outputs:
    """The values of :data:`DRAWN`."""
    return {
        "image": one_or_list([drawing.image for drawing in drawings]),
        "latent": one_or_list([drawing.latent for drawing in drawings]),
        "seed": one_or_list([drawing.seed for drawing in drawings]),
    }


class PromptedNode(Node):
    """A node whose prompts may name LoRAs and embeddings."""

    reads = frozenset({"prompt", "negative"})

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """Of what the prompts name, so that a replaced file is never stale."""
        prompts = (fingerprint_of_tags(str(params.get(name) or ""), resources) for name in sorted(cls.reads))
        return "\n".join(filter(None, prompts))


class DrawingNode(PromptedNode):
    """What nodes that draw have in common: the device's lane, and outputs that are lists for several
    pictures."""

    category, lane, preview = "Diffusion", "gpu", "image"
    outputs: ClassVar[tuple[Output, ...]] = DRAWN

    @classmethod
    def output_ports(cls, params: Mapping[str, Any]) -> tuple[Output, ...]:
        return batch_ports(params, cls.outputs)


class TextToImage(DrawingNode):
    """Draw what a prompt says, starting from noise."""

    id, title = "diffusion.text_to_image", "Text to image"
    inputs = (MODEL, PROMPT, NEGATIVE, SEED, *STEERING, UPSCALER, REFINER)

    class Params(AnySizeParams, SamplingParams):
        clip_skip: int = clip_skip_param()
        switch: float = Param(
            0.8, "Refiner takes over", "The part of the steps after which the refiner goes on.",
            ge=0, le=1, step=0.05, widget="slider", advanced=True,
        )  # fmt: skip

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.diffusion.steering.steering import open_steering
        from pipelines.diffusion.tasks.two_pass import AnySizeDrawing

        inputs = with_tags(inputs, context)
        with open_steering(inputs, context) as steering:
            drawing = AnySizeDrawing(
                inputs["model"], inputs.get("prompt", ""), inputs.get("negative", ""),
                sampling_options(params), context, beyond_range(params, inputs), params.clip_skip, steering,
                refinement(params.switch, inputs),
            )  # fmt: skip
            return drawn_outputs(drawing.from_noise(inputs.get("seed"), params.batch))


class EncodePrompt(Node):
    """Turn a prompt into the numbers that guide the model."""

    id, title, category, lane = "diffusion.encode_prompt", "Encode prompt", "Diffusion", "gpu"
    inputs = (
        MODEL, PROMPT,
        Input(
            "references", list_of(Layer),
            description="Pictures that the text encoder looks at too, in models where it does.", default=None,
        ),
    )  # fmt: skip
    outputs = (Output("conditioning", Conditioning, description="The encoded prompt."),)

    class Params(NodeParams):
        clip_skip: int = clip_skip_param()

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.diffusion.steering.references import read_by
        from pipelines.diffusion.steering.steering import references
        from pipelines.diffusion.tasks.text_to_image import encode_text

        warn_of_tags(inputs.get("prompt", ""), inputs["model"], context)
        with context.models.use(inputs["model"], context) as loaded:
            shown = read_by(loaded, references(inputs))
            conditioning = encode_text(
                loaded, inputs.get("prompt", ""), params.clip_skip, 1, context, pictures=shown
            )
        return {"conditioning": conditioning}


class SampleLatent(Node):
    """Remove the noise step by step, guided by an encoded prompt."""

    id, title, category, lane = "diffusion.sample", "Sample", "Diffusion", "gpu"
    inputs = (
        MODEL,
        Input("positive", Conditioning, "Prompt", "The encoded prompt: what the picture shows."),
        Input(
            "negative",
            Conditioning,
            "Negative prompt",
            "What to keep out; without one, nothing in particular.",
            default=None,
        ),
        SEED,
        *STEERING,
    )
    outputs = (
        Output("latent", Latent, description="The picture as the model holds it, before decoding."),
        Output("seed", Seed, description="The seed it was drawn from."),
    )

    class Params(SamplingParams):
        pass

    @classmethod
    def output_ports(cls, params: Mapping[str, Any]) -> tuple[Output, ...]:
        return batch_ports(params, cls.outputs)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        from pipelines.diffusion.steering.steering import open_steering
        from pipelines.diffusion.tasks.text_to_image import sample_latents

        with (
            context.models.use(inputs["model"], context) as loaded,
            open_steering(inputs, context) as steering,
        ):
            latents = sample_latents(
                loaded, inputs["positive"], inputs.get("negative"), inputs.get("seed"),
                sampling_options(params), context, batch=params.batch, steering=steering,
            )  # fmt: skip
        return {
            "latent": one_or_list(latents),
            "seed": one_or_list([latent.info["seed"] for latent in latents]),
        }


class DecodeLatent(Node):
    """Turn a latent into the picture it stands for."""

    id, title, category, lane = "diffusion.decode", "Decode", "Diffusion", "gpu"
    inputs = (MODEL, Input("latent", Latent, description="What the sampler made."))
    outputs = (Output("image", Image, description="The picture."),)
    preview = "image"

    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        from pipelines.diffusion.tasks.text_to_image import decode_latent

        with context.models.use(inputs["model"], context) as loaded:
            return {"image": one_or_list(decode_latent(loaded, inputs["latent"], context))}


NODES = (TextToImage, EncodePrompt, SampleLatent, DecodeLatent)
