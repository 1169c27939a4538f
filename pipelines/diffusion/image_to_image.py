"""From a picture and a prompt to pictures: the picture's latents, made noisy, are drawn to an end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.diffusion.encode_image import encode_image, rgb
from pipelines.diffusion.from_picture import StartPicture
from pipelines.diffusion.latents import made_for_inpainting, size_multiple
from pipelines.diffusion.sampling import SamplingOptions, denoiser_of
from pipelines.diffusion.text_to_image import Drawing, draw
from pipelines.graph.values import Array, Image, check_size
from pipelines.image import resize
from pipelines.inpaint.box import Box
from pipelines.inpaint.geometry import SizeLimits, limits_for, work_size

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion


def image_to_image(
    loaded: LoadedDiffusion,
    image: Image,
    prompt: str,
    negative: str,
    seed: int | None,
    strength: float,
    options: SamplingOptions,
    context: Context,
    *,
    own_size: bool = False,
    clip_skip: int = 1,
    batch: int = 1,
    info: Mapping[str, Any] = MappingProxyType({}),
) -> list[Drawing]:
    """Draw ``batch`` pictures from ``image``; picture k has the noise of ``seed + k``.

    Args:
        image: any size, grey, RGB or RGBA. It is drawn at a size that suits the model, and comes back at its
            own, with its transparency.
        strength: denoising strength, 0..1: the part of the steps that runs, at least one.
        options: its width and height are not used.
        own_size: draw at the picture's own size, rounded to what the model needs, however large it is.
        info: more to be remembered.

    Raises:
        As :func:`pipelines.diffusion.text_to_image.text_to_image`; EncodeFailed.
    """
    check_size(image.width, image.height)
    width, height = drawn_size(loaded, image.width, image.height, own_size=own_size)
    work = resize(Image(rgb(image)), width, height)
    latents = encode_image(loaded, work, context).tensor()
    picture = StartPicture(latents, strength, condition=whole_condition(loaded, work, context))
    drawings = draw(
        loaded, prompt, negative, seed, replace(options, width=width, height=height), context,
        clip_skip=clip_skip, batch=batch, picture=picture, info=info,
    )  # fmt: skip
    return [replace(drawing, image=like(drawing.image, image)) for drawing in drawings]


def drawn_size(
    loaded: LoadedDiffusion, width: int, height: int, *, own_size: bool = False
) -> tuple[int, int]:
    """The size at which a picture of ``width`` × ``height`` px is drawn: within what the model draws well.

    Sides are multiples of what the model needs; the shape is kept as nearly as that allows.
    """
    limits = limits_of(loaded)
    if not own_size:
        return work_size(Box(0, 0, width, height), limits)[0]
    multiple = limits.multiple
    return max(1, round(width / multiple)) * multiple, max(1, round(height / multiple)) * multiple


def limits_of(loaded: LoadedDiffusion) -> SizeLimits:
    """What sizes this model draws well, by its card; sides are multiples of what its latents need."""
    limits = limits_for({"native_size": _trained_size(loaded), **loaded.card})
    return replace(limits, multiple=math.lcm(size_multiple(loaded), limits.multiple))


def _trained_size(loaded: LoadedDiffusion) -> tuple[int, int] | None:
    """The native size that the denoiser's own configuration states, for a card that says nothing."""
    side = getattr(denoiser_of(loaded.pipeline).config, "sample_size", None)
    return (side * int(loaded.pipeline.vae_scale_factor),) * 2 if isinstance(side, int) else None


def like(drawn: Image, original: Image) -> Image:
    """``drawn`` (RGB) at the size of ``original`` and with its transparency."""
    sized = resize(drawn, original.width, original.height)
    if original.channels != 4:
        return sized
    return sized.with_pixels(np.concatenate([sized.as_uint8(), original.as_uint8()[..., 3:]], axis=2))


def whole_condition(loaded: LoadedDiffusion, image: Image, context: Context) -> torch.Tensor | None:
    """What a model made for inpainting must see to draw all of ``image`` anew; None for other models."""
    if not made_for_inpainting(loaded):
        return None
    return inpainting_condition(loaded, image, np.ones((image.height, image.width), np.float32), context)


def inpainting_condition(
    loaded: LoadedDiffusion, image: Image, mask: Array, context: Context
) -> torch.Tensor:
    """1×(1 + C)×h×w: the mask (0 or 1) and the latents of the picture, grey under the mask.

    As such models were trained: the mask is hard, and what is under it is the middle of the range.
    """
    import torch

    hard = mask >= 0.5
    hidden = Image(np.where(hard[..., None], np.float32(0.5), rgb(image)))
    latents = encode_image(loaded, hidden, context).tensor()
    shown = torch.tensor(hard.astype(np.float32))[None, None]
    return torch.cat([torch.nn.functional.interpolate(shown, latents.shape[-2:]), latents], dim=1)
