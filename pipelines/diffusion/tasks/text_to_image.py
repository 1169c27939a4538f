"""From a prompt to pictures: encode, sample, decode, with what is to be remembered of how it was made."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.latents.decoding import decode
from pipelines.diffusion.latents.preview import preview_matrix
from pipelines.diffusion.prompts.encoding import encode
from pipelines.diffusion.samplers.levels import steps_to_run
from pipelines.diffusion.samplers.noise import SEEDS, batch_seeds
from pipelines.diffusion.samplers.table import sampler_title
from pipelines.diffusion.sampling.from_picture import StartPicture
from pipelines.diffusion.sampling.sampling import SamplingOptions, check_options, sample, uses_negative
from pipelines.diffusion.steering.references import check_references, read_by
from pipelines.diffusion.steering.steering import UNSTEERED, Steering
from pipelines.graph.values import Conditioning, Image, Latent
from pipelines.models.records.hashes import SHORT

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion


@dataclass(frozen=True, slots=True)
class Drawing:
    """One finished picture, its latent (1×C×h×w) and its seed."""

    image: Image
    latent: Latent
    seed: int


def text_to_image(
    loaded: LoadedDiffusion,
    prompt: str,
    negative: str,
    seed: int | None,
    options: SamplingOptions,
    context: Context,
    *,
    clip_skip: int = 1,
    batch: int = 1,
    steering: Steering = UNSTEERED,
) -> list[Drawing]:
    """Draw ``batch`` pictures; picture k starts from the noise of ``seed + k``.

    Raises:
        SizeUnsuitable, ImageTooLarge, SamplerUnavailable, ScheduleUnavailable, InvalidParameter, OutOfMemory,
        DecodeFailed, Cancelled: as their texts say.
    """
    return draw(
        loaded, prompt, negative, seed, options, context, clip_skip=clip_skip, batch=batch, steering=steering
    )


def draw(
    loaded: LoadedDiffusion,
    prompt: str,
    negative: str,
    seed: int | None,
    options: SamplingOptions,
    context: Context,
    *,
    clip_skip: int = 1,
    batch: int = 1,
    picture: StartPicture | None = None,
    info: Mapping[str, Any] = MappingProxyType({}),
    steering: Steering = UNSTEERED,
) -> list[Drawing]:
    """Encode, sample and decode, from noise alone or from ``picture``; ``info`` is remembered as well.

    Raises:
        As :func:`text_to_image`.
    """
    check_options(loaded, options)
    check_references(loaded, steering)
    shown = read_by(loaded, steering.references)
    positive = encode_text(loaded, prompt, clip_skip, options.steps, context, pictures=shown)
    unwanted = None
    if uses_negative(loaded, options.guidance_scale):
        unwanted = encode(loaded, negative, clip_skip, context, negative=True, pictures=shown)
    latents = sample_latents(
        loaded,
        positive,
        unwanted,
        seed,
        options,
        context,
        batch=batch,
        picture=picture,
        info=info,
        steering=steering,
    )
    return [
        Drawing(image, latent, latent.info["seed"])
        for latent in latents
        for image in decode_latent(loaded, latent, context)
    ]


def encode_text(
    loaded: LoadedDiffusion, text: str, clip_skip: int, steps: int, context: Context, *,
    pictures: Sequence[Image] = (),
) -> Conditioning:  # fmt: skip
    """:func:`encode`, with its phase reported."""
    context.cancel.check()
    context.progress(0, steps, phase="encoding")
    return encode(loaded, text, clip_skip, context, pictures=pictures)


def sample_latents(
    loaded: LoadedDiffusion,
    positive: Conditioning,
    negative: Conditioning | None,
    seed: int | None,
    options: SamplingOptions,
    context: Context,
    *,
    batch: int = 1,
    picture: StartPicture | None = None,
    info: Mapping[str, Any] = MappingProxyType({}),
    steering: Steering = UNSTEERED,
) -> list[Latent]:
    """:func:`sample` for a whole batch, each latent with the history its picture will carry.

    Args:
        seed: in 0 … 2^64 - 1; ``None`` draws one.
        picture: what to start from instead of noise alone.
        info: more to be remembered.
        steering: layers as large as the picture; they are remembered, too.
    """
    drawn = secrets.randbelow(SEEDS) if seed is None else seed
    seeds = batch_seeds(drawn, batch)
    check_options(loaded, options)
    preview_matrix(loaded, context.cache_dir)  # fitted now, so that the first step needn't wait for it
    steps = options.steps if picture is None else steps_to_run(options.steps, picture.strength)
    context.progress(0, steps, phase="denoising", asked=options.steps if options.steps > steps else None)
    latents = sample(loaded, positive, negative, seeds, options, context, picture, steering)
    history = _history(loaded, positive.info, negative.info if negative is not None else {}, options)
    if picture is not None:
        history |= {"denoising_strength": picture.strength, "steps_run": f"{steps} of {options.steps}"}
    history |= {**steering.story(), **info}
    return [
        Latent(tensor, {**history, "seed": number, "batch_index": index, "variation_seed": variation})
        for index, (tensor, number, variation) in enumerate(
            zip(latents, seeds, batch_seeds(options.variation_seed, batch), strict=True)
        )
    ]


def decode_latent(loaded: LoadedDiffusion, latent: Latent, context: Context) -> list[Image]:
    """The pictures of a latent (one, unless it holds several), with its history."""
    steps = int(latent.info.get("steps", 1))
    context.progress(steps, steps, phase="decoding")
    return [Image(pixels, latent.info) for pixels in decode(loaded, latent.tensor(), context)]


def _history(
    loaded: LoadedDiffusion,
    positive: Mapping[str, Any],
    negative: Mapping[str, Any],
    options: SamplingOptions,
) -> dict[str, Any]:
    """What a picture remembers. Names and hashes only: no folder of the user's gets into a file."""
    handle = loaded.handle
    return {
        "prompt": positive.get("prompt", ""),
        "negative": negative.get("prompt", ""),
        "steps": options.steps,
        "guidance_scale": options.guidance_scale,
        "guidance_rescale": options.guidance_rescale,
        "sampler": str(options.sampler),
        "sampler_title": sampler_title(options.sampler),
        "schedule": str(options.schedule),
        "width": options.width,
        "height": options.height,
        "model": str(loaded.card.get("title") or PurePath(handle.id).name),
        "model_id": PurePath(handle.id).name if PurePath(handle.id).is_absolute() else handle.id,
        "model_family": handle.family,
        "model_hash": loaded.content_hash()[:SHORT],
        "noise": str(options.noise),
        "variation_strength": options.variation_strength,
        "clip_skip": int(positive.get("clip_skip", 1)),
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "device": str(loaded.device),
        "quantization": handle.quantization,
        **_of_editing(handle.family, options),
        **{name: loaded.card[name] for name in ("loras", "embeddings") if name in loaded.card},
    }


def _of_editing(family: str, options: SamplingOptions) -> dict[str, Any]:
    """What counts with models alone that edit by a U-Net."""
    seen = family in ("sd1-edit", "sdxl-edit")
    return {"image_guidance_scale": options.image_guidance_scale} if seen else {}
