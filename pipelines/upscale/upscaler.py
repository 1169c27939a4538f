"""Enlarging a picture with a super-resolution model: channels, tiles, memory, and the factor the user wants.

Every tile goes through the model alone; where memory runs out, the tile at hand is cut into smaller ones and
the work goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import numpy as np

from pipelines.errors import ModelUnsuitable, OutOfMemory
from pipelines.graph.node import CancelToken, NeverCancelled
from pipelines.graph.values import Array, Image, check_size
from pipelines.image.geometry import resize
from pipelines.upscale.memory import MIN_TILE, choose_tile
from pipelines.upscale.tiles import count_tiles, tiles, weight

if TYPE_CHECKING:
    from pipelines.models.loaded import LoadedUpscale

Progress = Callable[[int, int], None]
"""(tiles done, tiles in all)."""

BORDER: Final = 4
"""Pixels repeated beyond the edge before the model sees a picture: its own padding is black and shows."""

_LUMA: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)


def upscale(
    loaded: LoadedUpscale,
    image: Image,
    factor: float = 0,
    tile: int = 0,
    cancel: CancelToken | None = None,
    progress: Progress | None = None,
) -> Image:
    """Enlarge ``image`` by ``factor``.

    Args:
        loaded: the model on its device.
        image: grey, RGB or RGBA; the result has the same channels and type (uint8 or float32).
        factor: 0 is the model's own. For another one the model runs once and the result is resampled
        (Lanczos).
        tile: side of a tile in input pixels; 0 chooses one that fits into memory.
        cancel: polled before each tile.
        progress: called after each tile.

    Raises:
        ImageTooLarge: the result would have more pixels than allowed.
        ModelUnsuitable: the model doesn't take and give pictures, or its numbers overflow.
        OutOfMemory: not even a tile of 32 px fits.
        Cancelled: by ``cancel``.
    """
    descriptor = loaded.descriptor
    scale = int(descriptor.scale)
    wanted = factor or scale
    width, height = max(1, round(image.width * wanted)), max(1, round(image.height * wanted))
    check_size(width, height)
    check_size(image.width * scale, image.height * scale)
    if (descriptor.input_channels, descriptor.output_channels) not in ((1, 1), (3, 3)):
        reason = f"It takes {descriptor.input_channels} channels and gives {descriptor.output_channels}."
        raise ModelUnsuitable(model=loaded.handle.id, reason=reason, task="enlarging pictures")
    layers = _layers(image, int(descriptor.input_channels))
    run = _Run(loaded, image.height, image.width, tile, len(layers), cancel or NeverCancelled(), progress)
    result = _joined([run.layer(pixels) for pixels in layers], image)
    name = PurePath(loaded.handle.id).name  # of a model given by its path, only that goes into a file
    enlarged = image.with_pixels(result, upscaler=name, upscale_factor=float(wanted))
    enlarged = resize(enlarged, width, height, "lanczos")
    return enlarged.with_pixels(enlarged.as_uint8()) if image.pixels.dtype == np.uint8 else enlarged


def _layers(image: Image, channels: int) -> list[Array]:
    """What goes through the model: H×W×``channels`` float32 pieces, together all channels of the picture.

    A model for colour sees grey, and alpha, three times over; a model for grey sees one channel after
    another.
    """
    pixels = np.clip(np.nan_to_num(image.as_float()), 0, 1)
    colour = _without_fringes(pixels) if image.channels == 4 else pixels
    if channels == 1:
        planes = [colour[..., index : index + 1] for index in range(colour.shape[2])]
        return planes + ([pixels[..., 3:]] if image.channels == 4 else [])
    layers = [np.repeat(colour, 3, axis=2) if image.channels == 1 else colour]
    if image.channels == 4:
        layers.append(np.repeat(pixels[..., 3:], 3, axis=2))
    return layers


def _joined(layers: list[Array], image: Image) -> Array:
    """The inverse of :func:`_layers`."""
    if layers[0].shape[2] == 1:
        return np.concatenate(layers, axis=2)
    grey = [(layer @ _LUMA)[..., None] for layer in layers]
    if image.channels == 1:
        return grey[0]
    return layers[0] if image.channels == 3 else np.concatenate([layers[0], grey[1]], axis=2)


def _without_fringes(pixels: Array) -> Array:
    """RGB where what is transparent takes the nearest visible colour: none bleeds into edges."""
    from scipy.ndimage import distance_transform_edt

    hidden = pixels[..., 3] == 0
    if not hidden.any() or hidden.all():
        return pixels[..., :3]
    rows, columns = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return pixels[..., :3][rows, columns]


class _Run:
    """One picture on its way through the model; remembers how far tiles had to shrink."""

    def __init__(
        self, loaded: LoadedUpscale, height: int, width: int, tile: int, layers: int, cancel: CancelToken,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self._loaded, self._cancel, self._progress = loaded, cancel, progress
        self._scale = int(loaded.descriptor.scale)
        self._height, self._width = height + 2 * BORDER, width + 2 * BORDER
        self._tile = max(tile, MIN_TILE) if tile else choose_tile(loaded, self._height, self._width)
        self._limit = self._tile
        self._done, self._total = 0, self._tiles() * layers

    def _tiles(self) -> int:
        return count_tiles(self._height, self._width, self._tile)

    def layer(self, pixels: Array) -> Array:
        """H×W×C float32 → the same, ``scale`` times as large."""
        if pixels.shape[2] == 3 and pixels.min() == pixels.max() and pixels.flat[0] in (0, 1):
            # Opaque alpha, above all: a model may ripple at the border, and nothing can be gained from it.
            height, width = pixels.shape[:2]
            self._done += self._tiles()
            return np.full((height * self._scale, width * self._scale, 3), pixels.flat[0], np.float32)
        padded = np.pad(pixels, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), mode="edge")
        edge = BORDER * self._scale
        return self._blended(padded, self._tile, self._piece, count=True)[edge:-edge, edge:-edge]

    def _blended(
        self, pixels: Array, side: int, work: Callable[[Array], Array], count: bool = False
    ) -> Array:
        scale = self._scale
        height, width, channels = pixels.shape
        if max(height, width) <= side:
            result = work(pixels)
            self._count(count)
            return result
        result = np.zeros((height * scale, width * scale, channels), np.float32)
        for tile in tiles(height, width, side):
            rows, columns = tile.rows, tile.columns
            piece = work(pixels[rows.start : rows.end, columns.start : columns.end])
            target = result[
                rows.start * scale : rows.end * scale, columns.start * scale : columns.end * scale
            ]
            target += piece * weight(tile, scale)
            self._count(count)
        return result

    def _count(self, count: bool) -> None:
        if count:
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._total)

    def _piece(self, pixels: Array) -> Array:
        """One tile, cut into smaller ones where memory runs out; the rest then starts at that size."""
        from pipelines.diffusion.memory import free_cache, is_out_of_memory

        while True:
            try:
                return self._blended(pixels, self._limit, self._model)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                smaller = min(self._limit, max(pixels.shape[:2])) // 2
                problem = str(error)[:300]
            # Outside the handler: the exception holds the frames, and with them the tensors that filled the
            # memory.
            free_cache(str(self._loaded.device))
            if smaller < MIN_TILE:
                raise OutOfMemory(device=str(self._loaded.device), reason=problem)
            self._limit = smaller

    def _model(self, pixels: Array) -> Array:
        import torch

        self._cancel.check()
        loaded = self._loaded
        batch = torch.tensor(pixels.transpose(2, 0, 1)[None]).to(loaded.device, loaded.dtype)
        with torch.inference_mode():
            output = loaded.descriptor(batch)[0].float().cpu().numpy().transpose(1, 2, 0)
        if not np.isfinite(output).all():
            reason = (
                f"Its result holds values that are no numbers in {str(loaded.dtype).removeprefix('torch.')}."
            )
            raise ModelUnsuitable(
                model=loaded.handle.id, reason=reason, task="this precision, or choose fp32"
            )
        return np.asarray(output, np.float32)
