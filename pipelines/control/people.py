"""Where people are in a picture: boxes by an object detector (DETR, Carion et al. 2020, and its successors).

Such detectors answer with a fixed number of boxes, each relative to the picture as its centre and its size,
and how sure each class is; what isn't there is left out by that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.control.normalized import normalized
from pipelines.diffusion.interrupt import cancellable
from pipelines.diffusion.latents.encode_image import rgb
from pipelines.errors import DecodeFailed
from pipelines.graph.values import Array, Image
from pipelines.image import resize

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDetector

MAX_PEOPLE: Final = 32
"""The most that are told of one picture, the surest."""
_SAME: Final = 0.7
"""Of two boxes, the share of both that they have in common above which they show the same person."""


def people_in(loaded: LoadedDetector, image: Image, confidence: float, context: Context) -> Array:
    """The people in a picture, the surest first: P×4 float32, left, top, right and bottom in px.

    Args:
        confidence: how sure the detector must be, 0..1.

    Raises:
        DecodeFailed: the model answers with values that are no numbers.
        Cancelled: between two of its blocks.
    """
    import torch

    context.cancel.check()
    height, width = _shown_size(image, loaded.settings)
    pixels = rgb(resize(image, width, height, "bilinear"))
    shown = torch.tensor(normalized(pixels, loaded)[None])
    with torch.inference_mode(), cancellable(loaded.model, context.cancel):
        answer: Any = loaded.model(pixel_values=shown.to(loaded.device, loaded.dtype))
    logits = answer.logits[0].float()
    # Either one class is the right one, "nothing" among them as the last, or each is judged by itself.
    shares = logits.softmax(-1) if loaded.exclusive else logits.sigmoid()
    sure: Array = shares[:, loaded.person].cpu().numpy()
    boxes: Array = answer.pred_boxes[0].float().cpu().numpy()
    if not (np.isfinite(sure).all() and np.isfinite(boxes).all()):
        raise DecodeFailed(dtype=str(loaded.dtype).removeprefix("torch."))
    order = np.argsort(-sure, kind="stable")
    order = order[sure[order] >= confidence]
    return _distinct(_corners(boxes[order], image.width, image.height))


def _shown_size(image: Image, settings: dict[str, int]) -> tuple[int, int]:
    """Height and width at which a picture is shown to a detector, as its settings say."""
    if "height" in settings:
        return settings["height"], settings["width"]
    sides = image.height, image.width
    scale = min(settings["shortest"] / min(sides), settings["longest"] / max(sides))
    multiple = settings["multiple"]
    height, width = (max(1, round(scale * side / multiple)) * multiple for side in sides)
    return height, width


def _corners(boxes: Array, width: int, height: int) -> Array:
    """Boxes that are told relative to the picture by their centres and sizes, within it, in px."""
    centre, size = boxes[:, :2], boxes[:, 2:]
    corners = np.concatenate([centre - size / 2, centre + size / 2], axis=1).clip(0, 1)
    return (corners * np.array([width, height, width, height])).astype(np.float32)


def _distinct(boxes: Array) -> Array:
    """Without boxes that show who a surer one shows, and those in which there is nothing."""
    kept: list[Array] = []
    for box in boxes:
        if (box[2:] - box[:2]).min() >= 1 and all(_shared(box, other) <= _SAME for other in kept):
            kept.append(box)
            if len(kept) == MAX_PEOPLE:
                break
    return np.array(kept, np.float32).reshape(-1, 4)


def _shared(one: Array, other: Array) -> float:
    """The area that two boxes share, as a part of that which they cover together."""
    inside = np.prod((np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])).clip(0))
    return float(inside / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - inside))
