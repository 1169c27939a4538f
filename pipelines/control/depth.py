"""Depth of a picture by a model, and the normals of its surfaces from that.

Near is bright, as the control models that read depth were trained (Ranftl et al. 2020, "Towards Robust
Monocular Depth Estimation": inverse depth, without scale). Normals have the colours of ScanNet (Dai et al.
2017), which control models for normals were trained with: red is left, green is up, blue is towards the eye.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.control.lines import SIDE
from pipelines.control.normalized import normalized
from pipelines.diffusion.interrupt import cancellable
from pipelines.diffusion.latents.encode_image import rgb
from pipelines.errors import DecodeFailed
from pipelines.graph.values import Array, Image
from pipelines.image import resize

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDepth

_RELIEF: Final = 0.35
"""How deep a picture is taken to be, in its shorter sides, from its nearest to its farthest point."""
_BLUR: Final = 1.5
"""Of depth before its slope is taken, in px of a picture of :data:`SIDE` px: it has steps of the patches."""


def depth_of(loaded: LoadedDepth, image: Image, context: Context) -> Image:
    """The depth of a picture: H×W×1 float32 in 0..1, its nearest point 1 and its farthest 0.

    Raises:
        DecodeFailed: the model answers with values that are no numbers.
        Cancelled: between two of its blocks.
    """
    import torch

    context.cancel.check()
    height, width = _shown_size(image, loaded.settings)
    pixels = rgb(resize(image, width, height, "bicubic"))
    shown = torch.tensor(normalized(pixels, loaded)[None])
    with torch.inference_mode(), cancellable(loaded.model, context.cancel):
        found: Any = loaded.model(shown.to(loaded.device, loaded.dtype)).predicted_depth
    depth = found[0].float().cpu().numpy()
    if not np.isfinite(depth).all():
        raise DecodeFailed(dtype=str(loaded.dtype).removeprefix("torch."))
    if loaded.metric:  # metres: far is large
        depth = 1 / np.maximum(depth, 1e-3)
    low, high = float(depth.min()), float(depth.max())
    scaled = (depth - low) / (high - low) if high > low else np.zeros_like(depth)
    return resize(Image(scaled.astype(np.float32)), image.width, image.height, "bicubic")


def _shown_size(image: Image, settings: dict[str, Any]) -> tuple[int, int]:
    """Height and width at which a picture is shown to a model, as its settings say."""
    wanted = settings["height"], settings["width"]
    scales = [side / own for side, own in zip(wanted, (image.height, image.width), strict=True)]
    if settings["keep_aspect_ratio"]:  # the one that changes it less
        scales = [min(scales, key=lambda scale: abs(1 - scale))] * 2
    multiple = settings["multiple"]
    sides = (scale * own / multiple for scale, own in zip(scales, (image.height, image.width), strict=True))
    height, width = (max(1, round(side)) * multiple for side in sides)
    return height, width


def normals_of(depth: Image) -> Image:
    """The normals of the surfaces that a depth shows: H×W×3 float32 in 0..1.

    Args:
        depth: H×W×1, near is bright. Without a scale there is no true slope: it is taken to be as deep as
            :data:`_RELIEF` says.
    """
    import cv2

    values = depth.as_float()[..., 0]
    shorter = min(values.shape)
    smooth = cv2.GaussianBlur(np.ascontiguousarray(values), (0, 0), max(_BLUR * shorter / SIDE, 0.3))
    down, right = np.gradient(np.asarray(smooth)) if shorter > 1 else (np.zeros_like(values),) * 2
    slope = _RELIEF * shorter
    normals: Array = np.stack([right * slope, down * slope, np.ones_like(values)], axis=2)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    return Image(((normals + 1) / 2).astype(np.float32))
