"""Enlarging with the upscalers of diffusers: Stable Diffusion's (×4), which sees the small picture, and the
latent upscaler (×2), which sees its latents.

Their own pipelines denoise, piece by piece. All pieces cut their noise out of one field for the whole
picture, so neighbours agree where they overlap, and a piece that is cut smaller keeps its noise.
"""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from pipelines.diffusion.samplers.noise import SEEDS
from pipelines.diffusion.tasks.upscaler_run import UpscalerRun, scale_of
from pipelines.errors import InvalidParameter, SettingIgnored
from pipelines.graph.values import Array, Image, check_size
from pipelines.image import resize
from pipelines.upscale.layers import BORDER, Layers
from pipelines.upscale.tiles import Span
from pipelines.upscale.upscaler import target_size

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion, LoadedUpscale


@dataclasses.dataclass(frozen=True, slots=True)
class UpscalerOptions:
    """How a diffusion upscaler draws.

    ``steps`` and ``guidance_scale`` of 0, and a ``noise_level`` of -1, are the model's own. A guidance scale
    of 1 guides by the prompt alone, without the negative prompt. ``noise_level`` is how much noise the small
    picture gets: more leaves more to invent. ``tile`` is the side of a piece in input pixels; 0 is the
    model's native size.
    """

    steps: int = 0
    guidance_scale: float = 0.0
    noise_level: int = -1
    tile: int = 0


def is_diffusion_upscaler(loaded: LoadedDiffusion | LoadedUpscale) -> TypeGuard[LoadedDiffusion]:
    """Whether a loaded upscaler is one of diffusers, not of spandrel."""
    return hasattr(loaded, "pipeline")


def upscale_by_diffusion(
    loaded: LoadedDiffusion,
    image: Image,
    context: Context,
    *,
    factor: float = 0,
    size: tuple[int, int] = (0, 0),
    prompt: str = "",
    negative: str = "",
    seed: int | None = None,
    options: UpscalerOptions | None = None,
) -> tuple[Image, int]:
    """Enlarge ``image`` by the model, once; another factor than its own is resampled from that (Lanczos).

    Args:
        loaded: an upscaler of diffusers.
        image: grey, RGB or RGBA; the result has the same channels and type. Transparency is resampled.
        factor: 0 is the model's own.
        size: width and height the result is fitted into instead; a 0 leaves that side free.
        seed: in 0 … 2^64 - 1; ``None`` draws one.

    Returns:
        The picture, and the seed.

    Raises:
        ImageTooLarge: the result would have more pixels than allowed.
        InvalidParameter: the noise level is higher than the model knows.
        OutOfMemory, DecodeFailed, EncodeFailed, Cancelled: as their texts say.
    """
    scale = scale_of(loaded)
    wanted = factor or float(scale)
    width, height = target_size(image.width, image.height, wanted, size)
    check_size(width, height)
    check_size(image.width * scale, image.height * scale)
    chosen = _resolved(loaded, prompt, negative, options or UpscalerOptions(), context)
    drawn = secrets.randbelow(SEEDS) if seed is None else seed
    layers = Layers(image, 3)
    run = UpscalerRun(
        loaded, _pixels(layers, image), prompt, negative, drawn, context, steps=chosen.steps,
        guidance_scale=chosen.guidance_scale, noise_level=chosen.noise_level, tile=chosen.tile,
    )  # fmt: skip
    enlarged = Image(_with_alpha(layers, image, run.picture()))
    sized = resize(enlarged, width, height, "lanczos")
    pixels = sized.as_uint8() if image.pixels.dtype == np.uint8 else np.clip(sized.pixels, 0, 1)
    told = round(max(width / image.width, height / image.height), 3) if any(size) else wanted
    story = {"prompt": prompt, "negative": negative, "seed": drawn, **dataclasses.asdict(chosen)}
    name = str(loaded.card.get("title") or PurePath(loaded.handle.id).name)
    return image.with_pixels(pixels, upscaler=name, upscale_factor=float(told), upscale=story), drawn


def _resolved(
    loaded: LoadedDiffusion, prompt: str, negative: str, options: UpscalerOptions, context: Context
) -> UpscalerOptions:
    """The options with the model's own values where none were given."""
    own = loaded.card.get("defaults", {})
    level = own.get("noise_level", 0) if options.noise_level < 0 else options.noise_level
    highest = loaded.pipeline.config.get("max_noise_level")
    if highest is None and options.noise_level >= 0:
        ignored = SettingIgnored(
            setting="Noise level", model=loaded.handle.id, reason="It adds no noise to the small picture."
        )
        context.warn(dataclasses.replace(ignored.info(), severity="warning"))
    if highest is not None and level > int(highest):
        reason = f"This model knows noise levels up to {highest}."
        raise InvalidParameter(title="Noise level", value=level, reason=reason, port="noise_level")
    guidance = options.guidance_scale or float(own.get("guidance_scale", 1.0))
    return UpscalerOptions(
        steps=options.steps or int(own.get("steps", 20)),
        # The same prompt on both sides: guidance changes nothing, and costs every step twice.
        guidance_scale=1.0 if prompt.strip() == negative.strip() else guidance,
        noise_level=int(level),
        tile=options.tile,
    )


def _pixels(layers: Layers, image: Image) -> Array:
    """H×W×3 float32 in 0..1, what is transparent in the nearest visible colour."""
    rows, columns = (Span(BORDER, BORDER + side) for side in (image.height, image.width))
    return np.ascontiguousarray(layers.piece(0, rows, columns).transpose(1, 2, 0))


def _with_alpha(layers: Layers, image: Image, colours: Array) -> Array:
    """H×W×C with the channels of ``image``, from H×W×3 colours."""
    planes = [colours.transpose(2, 0, 1)]
    height, width = colours.shape[:2]
    if image.channels == 4:
        alpha = resize(Image(image.as_float()[..., 3:].copy()), width, height, "lanczos").pixels
        planes.append(np.broadcast_to(np.clip(alpha, 0, 1).transpose(2, 0, 1), planes[0].shape))
    return np.ascontiguousarray(layers.joined(planes).transpose(1, 2, 0))
