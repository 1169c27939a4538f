"""Pictures -> latents: the VAE's encoder. The posterior's mean is taken: nothing is left to chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from pipelines.diffusion.families import family_of
from pipelines.diffusion.latents.shape import check_picture_size, layout
from pipelines.diffusion.latents.vae import run_vae
from pipelines.errors import EncodeFailed
from pipelines.graph.values import Array, Image, Latent

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion


def encode_image(loaded: LoadedDiffusion, image: Image, context: Context) -> Latent:
    """The latent of a picture: 1×C×h×w float32 in the model's scaling, from the cache if it was made before.

    Args:
        image: grey, RGB or RGBA (its colours count, its transparency doesn't); both sides are multiples of
            what the model needs.

    Raises:
        ModelUnsuitable, SizeUnsuitable, ImageTooLarge: as their texts say.
        EncodeFailed: not a number, in the VAE's precision and in full precision too.
        OutOfMemory: even in tiles.
    """
    layout(loaded)
    check_picture_size(loaded, image.width, image.height)
    context.cancel.check()
    handle = loaded.handle
    pixels = rgb(image)
    key = (
        "image latent", handle.fingerprint or handle.path, handle.parts, str(loaded.pipeline.vae.dtype),
        pixels.shape, blake3(pixels.tobytes()).hexdigest(),
    )  # fmt: skip
    made: Latent = context.memo(key, lambda: Latent(_encode(loaded, pixels, context)))
    return Latent(made.tensor(), dict(image.info))


def rgb(image: Image) -> Array:
    """H×W×3 float32 in 0..1: grey three times over, transparency left out."""
    pixels = np.clip(np.nan_to_num(image.as_float()), 0, 1)
    return np.ascontiguousarray(np.repeat(pixels, 3, axis=2) if image.channels == 1 else pixels[..., :3])


def _encode(loaded: LoadedDiffusion, pixels: Array, context: Context) -> torch.Tensor:
    """H×W×3 in 0..1 -> 1×C×h×w float32 on the CPU."""
    import torch

    scaled = torch.tensor(pixels.transpose(2, 0, 1)[None]) * 2 - 1

    def run(vae: Any) -> torch.Tensor:
        return family_of(loaded.pipeline).encode_pixels(vae, scaled.to(device=loaded.device, dtype=vae.dtype))

    with torch.inference_mode():
        found = run_vae(loaded, run, "Encoding the picture", pixels.shape[1::-1], context)
    if found is None:
        raise EncodeFailed(dtype=str(loaded.pipeline.vae.dtype).removeprefix("torch."))
    return found
