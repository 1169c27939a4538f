"""Poses of people by a model that is shown one person at a time (ViTPose, Xu et al. 2022).

A person's box is made a quarter larger and of the shape the model wants; what is in it is shown to the model,
which answers with a map of each point. Maps and pictures are laid on each other by the centres of their
outermost pixels (Huang et al. 2020, "The Devil is in the Details", unbiased data processing). A point lies
between the pixels of its map, where the logarithm of the smoothed map has its top (Zhang et al. 2020,
"Distribution-Aware Coordinate Representation of Keypoints").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.control.normalized import normalized
from pipelines.control.people import people_in
from pipelines.control.skeleton import POINTS, skeletons
from pipelines.diffusion.interrupt import cancellable
from pipelines.diffusion.latents.encode_image import rgb
from pipelines.errors import DecodeFailed, NobodyFound
from pipelines.graph.values import Array, Image

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.graph.values import ModelHandle
    from pipelines.models.loaded import LoadedPose

_PADDING: Final = 1.25
_AT_ONCE: Final = 8
"""People that are shown to the model together."""
_KERNEL: Final = 11
"""Side in px of what smooths a map, as wide as the spots that models learn for maps of 64×48 px."""


def pose_picture(
    image: Image, pose: ModelHandle, detector: ModelHandle | None, confidence: float, context: Context
) -> Image:
    """The skeletons of the people in a picture: H×W×3 uint8 on black, as large as the picture.

    Args:
        pose: what finds the points of a person.
        detector: what finds people; None takes the whole picture as one.
        confidence: how sure they must be of a person and of a point, 0..1.

    Raises:
        NobodyFound: no person, or no point of one, is sure enough.
        DecodeFailed: a model answers with values that are no numbers.
    """
    boxes = np.array([[0, 0, image.width, image.height]], np.float32)
    if detector is not None:
        with context.models.use(detector, context) as loaded:
            boxes = people_in(loaded, image, confidence, context)
    if not len(boxes):
        raise NobodyFound()
    with context.models.use(pose, context) as loaded:
        people = poses_of(loaded, image, boxes, context)
    if not (people[..., 2] >= confidence).any():
        raise NobodyFound()
    return skeletons(people[::-1], image.width, image.height, confidence)  # the surest on top


def poses_of(loaded: LoadedPose, image: Image, boxes: Array, context: Context) -> Array:
    """The points of people: P×17×3 float32, x and y in px of the picture and how sure they are (0..1).

    Args:
        boxes: P×4, left, top, right and bottom in px.

    Raises:
        DecodeFailed: the model answers with values that are no numbers.
        Cancelled: between two of its blocks.
    """
    pixels = rgb(image)
    found = [np.zeros((0, len(POINTS), 3), np.float32)]
    for start in range(0, len(boxes), _AT_ONCE):
        context.cancel.check()
        areas = [_area(box, loaded.width / loaded.height) for box in boxes[start : start + _AT_ONCE]]
        maps = _maps(loaded, np.stack([_cut(pixels, area, loaded) for area in areas]), context)
        found.append(np.stack([_placed(each, area) for each, area in zip(maps, areas, strict=True)]))
    return np.concatenate(found)


def _area(box: Array, shape: float) -> Array:
    """What is shown of the picture: left, top, width and height in px, its width ``shape`` of its height."""
    left, top, right, bottom = (float(side) for side in box)
    width, height = max(right - left, 1.0), max(bottom - top, 1.0)
    width, height = max(width, height * shape) * _PADDING, max(height, width / shape) * _PADDING
    return np.array([(left + right - width) / 2, (top + bottom - height) / 2, width, height])


def _cut(pixels: Array, area: Array, loaded: LoadedPose) -> Array:
    """An area of the picture (black beyond it) in the model's size and range: 3×h×w float32."""
    import cv2

    left, top, width, height = area
    across, down = (loaded.width - 1) / width, (loaded.height - 1) / height
    matrix = np.array([[across, 0, -left * across], [0, down, -top * down]])
    shown = cv2.warpAffine(pixels, matrix, (loaded.width, loaded.height), flags=cv2.INTER_LINEAR)
    return normalized(np.asarray(shown), loaded)


def _maps(loaded: LoadedPose, shown: Array, context: Context) -> Array:
    """A map of each point: P×17×h×w float32."""
    import torch

    more: dict[str, Any] = {}
    if loaded.experts:  # some were trained with several collections of pictures; COCO is the first
        more["dataset_index"] = torch.zeros(len(shown), dtype=torch.long, device=loaded.device)
    with torch.inference_mode(), cancellable(loaded.model, context.cancel):
        pixels = torch.tensor(shown).to(loaded.device, loaded.dtype)
        maps: Array = loaded.model(pixel_values=pixels, **more).heatmaps.float().cpu().numpy()
    if not np.isfinite(maps).all():
        raise DecodeFailed(dtype=str(loaded.dtype).removeprefix("torch."))
    return maps


def _placed(maps: Array, area: Array) -> Array:
    """The points of one person, 17×3, from their maps (17×h×w) and where those lie in the picture."""
    height, width = maps.shape[1:]
    left, top, across, down = area
    points = np.zeros((len(maps), 3), np.float32)
    for point, values in zip(points, maps, strict=True):
        row, column = np.unravel_index(int(values.argmax()), values.shape)
        x, y = _refined(values, int(row), int(column))
        point[:] = (
            left + x * across / max(width - 1, 1),
            top + y * down / max(height - 1, 1),
            min(max(float(values[row, column]), 0.0), 1.0),
        )
    return points


def _refined(values: Array, row: int, column: int) -> tuple[float, float]:
    """Where a map's top is, x and y in its px: at most one px from its brightest."""
    import cv2

    height, width = values.shape
    if not (0 < row < height - 1 and 0 < column < width - 1):
        return float(column), float(row)
    smooth = cv2.GaussianBlur(np.ascontiguousarray(values), (_KERNEL, _KERNEL), 0)
    near = np.log(np.maximum(np.asarray(smooth)[row - 1 : row + 2, column - 1 : column + 2], 1e-3))
    slope = np.array([near[1, 2] - near[1, 0], near[2, 1] - near[0, 1]]) / 2
    mixed = (near[2, 2] - near[2, 0] - near[0, 2] + near[0, 0]) / 4
    bends = np.array(
        [
            [near[1, 2] - 2 * near[1, 1] + near[1, 0], mixed],
            [mixed, near[2, 1] - 2 * near[1, 1] + near[0, 1]],
        ]
    )
    if bends[0, 0] >= 0 or np.linalg.det(bends) <= 1e-12:  # no top here
        return float(column), float(row)
    x, y = np.clip(-np.linalg.solve(bends, slope), -1, 1)
    return column + float(x), row + float(y)
