"""Removing things with a model that fills gaps: LaMa (R. Suvorov et al., "Resolution-robust large mask
inpainting with Fourier convolutions", WACV 2022), as spandrel runs it.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import numpy as np

from pipelines.diffusion.interrupt import cancellable
from pipelines.diffusion.memory import free_cache, is_out_of_memory
from pipelines.diffusion.sizes.size_limits import SizeLimits
from pipelines.errors import ModelUnsuitable, OutOfMemory
from pipelines.graph.conversions import LUMA
from pipelines.graph.node import CancelToken, NeverCancelled
from pipelines.graph.values import Array, Image, Mask
from pipelines.inpaint.geometry import MaskSettings
from pipelines.inpaint.remove import Filler, Removal, remove

if TYPE_CHECKING:
    from pipelines.models.loaded import LoadedInpaint

_TRAINED: Final = 256
"""Side in px of the pictures it was trained on; a gap is shown at least so much of its picture."""
_LARGEST: Final = {"cpu": 768}
"""Side in px of the largest square it is shown, where a larger one would take minutes."""
_LARGEST_ON_GPU: Final = 1536
_LEAST: Final = 128
"""Below, the model hasn't enough to go by."""


def remove_by_model(
    loaded: LoadedInpaint,
    image: Image,
    mask: Mask,
    settings: MaskSettings | None = None,
    cancel: CancelToken | None = None,
) -> Image:
    """:func:`pipelines.inpaint.remove.remove` with a model; where memory runs out, at ever smaller sizes.

    Args:
        loaded: the model on its device.
        cancel: polled before each layer of the model.

    Raises:
        NothingToRemove, MaskCoversAll, ImageTooLarge: as there.
        ModelUnsuitable: its numbers overflow.
        OutOfMemory: not even a small part fits.
        Cancelled: by ``cancel``.
    """
    side = _LARGEST.get(loaded.device.type, _LARGEST_ON_GPU)
    story = {"model": PurePath(loaded.handle.id).name}  # of a path, only the name goes into a file
    multiple = max(1, int(loaded.descriptor.size_requirements.multiple_of))
    while True:
        # Small parts are not enlarged: it works at any size.
        limits = SizeLimits((1, 1), min(_TRAINED, side), side * side, multiple)
        try:
            return remove(
                image,
                mask,
                Removal.MODEL,
                settings,
                model=_filler(loaded, cancel),
                limits=limits,
                story=story,
            )
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            problem = str(error)[:300]
        # Outside the handler: the exception keeps the failed attempt's tensors alive.
        free_cache(str(loaded.device))
        side //= 2
        if side < _LEAST:
            raise OutOfMemory(device=str(loaded.device), reason=problem)


def _filler(loaded: LoadedInpaint, cancel: CancelToken | None) -> Filler:
    """The model as a function of pixels. It sees grey, and transparency, as three equal channels."""

    def fill(values: Array, unknown: Array) -> Array:
        colour, alpha = values[..., :3], values[..., 3:]
        if values.shape[2] == 1:
            return (_run(loaded, np.repeat(values, 3, axis=2), unknown, cancel) @ LUMA)[..., None]
        made = _run(loaded, colour, unknown, cancel)
        if not alpha.shape[2]:
            return made
        seen = _run(loaded, np.repeat(alpha, 3, axis=2), unknown, cancel).mean(axis=2, keepdims=True)
        return np.concatenate([np.minimum(made, seen), seen], axis=2)

    return fill


def _run(loaded: LoadedInpaint, values: Array, unknown: Array, cancel: CancelToken | None) -> Array:
    """H×W×3 through the model once."""
    import torch

    picture = torch.tensor(values.transpose(2, 0, 1)[None]).to(loaded.device, loaded.dtype)
    gap = torch.tensor(unknown.astype(np.float32)[None, None]).to(picture)
    module = loaded.descriptor.model
    layers = next((part for part in module.modules() if isinstance(part, torch.nn.Sequential)), module)
    with torch.inference_mode(), cancellable(layers, cancel or NeverCancelled()):
        made = loaded.descriptor(picture, gap)[0].float().cpu().numpy().transpose(1, 2, 0)
    if not np.isfinite(made).all():
        reason = "Its result holds values that are no numbers."
        raise ModelUnsuitable(model=loaded.handle.id, reason=reason, task="filling gaps in pictures")
    return np.ascontiguousarray(made)
