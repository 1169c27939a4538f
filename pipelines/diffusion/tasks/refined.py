"""A drawing that one model begins and another ends (:mod:`pipelines.diffusion.sampling.refine`); the first
has left by then.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from pipelines.diffusion.prompts.encoding import encode
from pipelines.diffusion.samplers.noise import SEEDS
from pipelines.diffusion.sampling.refine import Handover, Refinement
from pipelines.diffusion.sampling.sampling import SamplingOptions, check_options, uses_negative
from pipelines.diffusion.sizes.passes import OneOfSeveral
from pipelines.diffusion.steering.steering import Steering
from pipelines.diffusion.tasks.text_to_image import Drawing, decode_latent, encode_text, sample_latents
from pipelines.graph.values import Conditioning, Latent

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

REFINING: Final = "refining"


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """What the first model got to: ``latents`` remember how they were made."""

    latents: tuple[Latent, ...]
    handover: Handover
    options: SamplingOptions
    prompt: str
    negative: str


def begin_drawing(
    loaded: LoadedDiffusion, prompt: str, negative: str, seed: int | None, options: SamplingOptions,
    context: Context, refinement: Refinement, *, clip_skip: int = 1, batch: int = 1, steering: Steering,
) -> Begun:  # fmt: skip
    """The first model's part of the steps, which alone is steered.

    Raises:
        As :func:`pipelines.diffusion.tasks.text_to_image.text_to_image`.
    """
    handover = Handover(refinement.switch)
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    own = replace(options, handover=handover)
    positive, unwanted = _prompts(loaded, prompt, negative, own, clip_skip, context)
    latents = sample_latents(loaded, positive, unwanted, seed, own, context, batch=batch, steering=steering)
    return Begun(tuple(latents), handover, options, prompt, negative)


def end_drawing(loaded: LoadedDiffusion, begun: Begun, context: Context) -> list[Drawing]:
    """The second model's part, decoded.

    Raises:
        As :func:`pipelines.diffusion.tasks.text_to_image.text_to_image`.
    """
    options = replace(begun.options, handover=begun.handover.continued())
    context = OneOfSeveral(context, 0, 1, phase=REFINING)
    positive, unwanted = _prompts(loaded, begun.prompt, begun.negative, options, 1, context)
    seed = int(begun.latents[0].info["seed"])
    ended = sample_latents(loaded, positive, unwanted, seed, options, context, batch=len(begun.latents))
    name = str(loaded.card.get("title") or PurePath(loaded.handle.id).name)
    story = {"refiner": name, "refiner_switch": begun.handover.switch}
    latents = [
        Latent(latent.tensor(), {**first.info, **story})
        for first, latent in zip(begun.latents, ended, strict=True)
    ]
    return [
        Drawing(image, latent, int(latent.info["seed"]))
        for latent in latents
        for image in decode_latent(loaded, latent, context)
    ]


def _prompts(
    loaded: LoadedDiffusion, prompt: str, negative: str, options: SamplingOptions, clip_skip: int,
    context: Context,
) -> tuple[Conditioning, Conditioning | None]:  # fmt: skip
    check_options(loaded, options)
    positive = encode_text(loaded, prompt, clip_skip, options.steps, context)
    if not uses_negative(loaded, options.guidance_scale):
        return positive, None
    return positive, encode(loaded, negative, clip_skip, context, negative=True)
