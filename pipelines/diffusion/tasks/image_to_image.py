"""From a picture and a prompt to pictures: the picture's latents, made noisy, are drawn to an end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.diffusion.families import denoiser_of
from pipelines.diffusion.latents.encode_image import encode_image, rgb
from pipelines.diffusion.latents.shape import layout, made_for_inpainting, mask_channels, size_multiple
from pipelines.diffusion.sampling.from_picture import StartPicture
from pipelines.diffusion.sampling.sampling import SamplingOptions
from pipelines.diffusion.sizes.size_limits import SizeLimits, limits_for
from pipelines.diffusion.steering.references import with_picture
from pipelines.diffusion.steering.steering import UNSTEERED, Steering
from pipelines.diffusion.tasks.text_to_image import Drawing, draw
from pipelines.graph.values import Array, Image, check_size
from pipelines.image import resize
from pipelines.inpaint.box import Box
from pipelines.inpaint.geometry import work_size

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
    steering: Steering = UNSTEERED,
    noise: torch.Tensor | None = None,
) -> list[Drawing]:
    """Draw ``batch`` pictures from ``image``; picture k has the noise of ``seed + k``.

    Args:
        image: any size, grey, RGB or RGBA. It is drawn at a size that suits the model, and comes back at its
            own, with its transparency.
        strength: denoising strength, 0..1: the part of the steps that runs, at least one.
        options: its width and height are not used.
        own_size: draw at the picture's own size, rounded to what the model needs, however large it is.
        info: more to be remembered.
        steering: layers as large as ``image``, or resampled to it.
        noise: 1×C×h×w, the first noise of every picture instead of its seed's own.

    Raises:
        As :func:`pipelines.diffusion.tasks.text_to_image.text_to_image`; EncodeFailed.
    """
    check_size(image.width, image.height)
    width, height = drawn_size(loaded, image.width, image.height, own_size=own_size)
    work = resize(Image(rgb(image)), width, height)
    latents = encode_image(loaded, work, context).tensor()
    condition = whole_condition(loaded, work, context)
    picture = StartPicture(latents, strength, condition=condition, noise=noise)
    drawings = draw(
        loaded, prompt, negative, seed, replace(options, width=width, height=height), context,
        clip_skip=clip_skip, batch=batch, picture=picture, info=info,
        steering=with_picture(loaded, steering, work),
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
    native = loaded.card.get("native_size") or _trained_size(loaded)
    limits = limits_for({**loaded.card, "native_size": native})
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
    """1×(M + C)×h×w: the mask (0 or 1) and the latents of the picture, grey under the mask.

    As such models were trained: the mask is hard, and what is under it is the middle of the range. M is 1,
    or all the mask's pixels below a latent pixel, row by row.
    """
    import torch

    hard = mask >= 0.5
    hidden = Image(np.where(hard[..., None], np.float32(0.5), rgb(image)))
    latents = encode_image(loaded, hidden, context).tensor()
    shown = torch.tensor(hard.astype(np.float32))[None, None]
    if mask_channels(loaded) > 1:
        shown = torch.nn.functional.pixel_unshuffle(shown, layout(loaded).factor)
    else:
        shown = torch.nn.functional.interpolate(shown, latents.shape[-2:])
    return torch.cat([shown, latents], dim=1)
