"""Enlarging with a diffusion model: resampled, then drawn anew piece by piece with little strength."""

from __future__ import annotations

import secrets
from pathlib import PurePath
from typing import TYPE_CHECKING

from pipelines.diffusion.samplers.noise import SEEDS
from pipelines.diffusion.sampling.sampling import SamplingOptions
from pipelines.diffusion.steering.steering import UNSTEERED, Steering
from pipelines.diffusion.tasks.image_to_image import like, limits_of
from pipelines.diffusion.tasks.pieces import MIN_SIDE, redraw
from pipelines.graph.values import Image, check_size
from pipelines.image import Resampling, resize

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion


def upscale_by_drawing(
    loaded: LoadedDiffusion,
    image: Image,
    factor: float,
    prompt: str,
    negative: str,
    seed: int | None,
    strength: float,
    options: SamplingOptions,
    context: Context,
    *,
    tile: int = 0,
    method: Resampling = "lanczos",
    steering: Steering = UNSTEERED,
) -> tuple[Image, int]:
    """Enlarge ``image`` by ``factor`` (see :func:`pipelines.diffusion.tasks.pieces.redraw`).

    Args:
        image: grey, RGB or RGBA; its transparency is resampled.
        strength: denoising strength, 0..1; about 0.3 adds detail and keeps the shapes.
        options: its width and height are not used.
        steering: layers as large as ``image``, or resampled to it; each piece is steered by its part.
        tile: side of a piece in px; 0 is the model's native size.

    Returns:
        The picture (uint8, RGB or RGBA), and the seed.

    Raises:
        ImageTooLarge: the result would have more pixels than allowed.
        As :func:`pipelines.diffusion.tasks.image_to_image.image_to_image`.
    """
    width, height = (max(1, round(side * factor)) for side in (image.width, image.height))
    check_size(width, height)
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    multiple, native = limits_of(loaded).multiple, min(limits_of(loaded).native)
    side = max(tile or native, MIN_SIDE) // multiple * multiple
    large = resize(image, width, height, method)
    drawn = redraw(
        loaded, large, prompt, negative, seed, strength, options, context, side=side, steering=steering
    )
    whole = like(drawn.image, large)
    story = {
        "prompt": prompt, "negative": negative, "seed": seed, "steps_run": drawn.image.info["steps_run"],
        "strength": strength, "guidance_scale": options.guidance_scale, "tile": side, **steering.story(),
    }  # fmt: skip
    name = str(loaded.card.get("title") or PurePath(loaded.handle.id).name)
    told = {"upscaler": name, "upscale_factor": float(factor), "upscale": story}
    return Image(whole.as_uint8(), {**image.info, **told}), seed
