"""Enlarging a picture with a super-resolution model, to the factor or the size the user wants."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.diffusion.interrupt import cancellable
from pipelines.errors import ModelUnsuitable
from pipelines.graph.node import CancelToken, NeverCancelled
from pipelines.graph.values import Array, Image, check_size
from pipelines.image.rows import gathered, resampled
from pipelines.upscale.layers import BORDER, Layers
from pipelines.upscale.memory import MIN_TILE, choose_tile
from pipelines.upscale.rows import Enlarger, Grid, enlarged_rows

if TYPE_CHECKING:
    from pipelines.models.loaded import LoadedUpscale

Progress = Callable[[int, int], None]
"""(tiles done, tiles in all)."""


def upscale(
    loaded: LoadedUpscale,
    image: Image,
    factor: float = 0,
    tile: int = 0,
    cancel: CancelToken | None = None,
    progress: Progress | None = None,
    *,
    size: tuple[int, int] = (0, 0),
    folder: Path | None = None,
) -> Image:
    """Enlarge ``image`` by ``factor``, or into ``size``.

    The model runs as often as brings the picture nearest to what is wanted (for 16× a 4× model runs twice);
    the rest is resampled (Lanczos).

    Args:
        loaded: the model on its device.
        image: grey, RGB or RGBA; the result has the same channels and type (uint8 or float32).
        factor: 0 is the model's own.
        tile: side of a tile in input pixels; 0 chooses one that fits into memory.
        cancel: polled before each tile, and within the model.
        progress: called after each tile.
        size: width and height the result is fitted into, keeping its proportions, instead of a factor; a 0
            leaves that side free.
        folder: where a result too large for memory is kept, in a file that vanishes with it; ``None`` keeps
            all in memory.

    Raises:
        ImageTooLarge: the result would have more pixels than allowed.
        ModelUnsuitable: the model doesn't take and give pictures, or its numbers overflow.
        OutOfMemory: not even a tile of 32 px fits.
        DiskFull, SaveFailed: ``folder`` doesn't take the result.
        Cancelled: by ``cancel``.
    """
    descriptor = loaded.descriptor
    scale = int(descriptor.scale)
    factor = factor or scale
    width, height = target_size(image.width, image.height, factor, size)
    check_size(width, height)
    runs = count_runs(scale, max(width / image.width, height / image.height))
    for run in range(1, runs):
        check_size(image.width * scale**run, image.height * scale**run)
    if (descriptor.input_channels, descriptor.output_channels) not in ((1, 1), (3, 3)):
        reason = f"It takes {descriptor.input_channels} channels and gives {descriptor.output_channels}."
        raise ModelUnsuitable(model=loaded.handle.id, reason=reason, task="enlarging pictures")
    work = _Work(loaded, image, tile, runs, cancel or NeverCancelled(), progress)
    with work.interruptible():
        enlarged = image
        for _ in range(1, runs):
            enlarged = work.run(
                enlarged, (enlarged.width * scale, enlarged.height * scale), np.float32, folder
            )
        enlarged = work.run(enlarged, (width, height), image.pixels.dtype, folder)
    told = round(max(width / image.width, height / image.height), 3) if any(size) else factor
    name = PurePath(loaded.handle.id).name  # of a model given by its path, only that goes into a file
    return enlarged.with_pixels(enlarged.pixels, upscaler=name, upscale_factor=float(told))


def target_size(width: int, height: int, factor: float, size: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """Width and height of ``width`` × ``height`` px enlarged by ``factor``, or fitted into ``size``."""
    if not any(size):
        return max(1, round(width * factor)), max(1, round(height * factor))
    factor = min(limit / side for limit, side in zip(size, (width, height), strict=True) if limit)
    return max(1, round(width * factor)), max(1, round(height * factor))


def count_runs(scale: int, factor: float) -> int:
    """How often a model of ``scale`` runs for ``factor``: so that the power of it comes nearest."""
    if scale < 2 or factor <= scale:
        return 1
    return max(1, round(math.log(factor) / math.log(scale)))


class _Work:
    """A model's runs over one picture: how it is tiled, and how far it is."""

    def __init__(
        self, loaded: LoadedUpscale, image: Image, tile: int, runs: int, cancel: CancelToken,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        descriptor = loaded.descriptor
        self._loaded, self._cancel, self._progress = loaded, cancel, progress
        self._scale, self._channels = int(descriptor.scale), int(descriptor.input_channels)
        largest = self._scale ** (runs - 1)
        padded = (image.height * largest + 2 * BORDER, image.width * largest + 2 * BORDER)
        self._side = max(tile, MIN_TILE) if tile else choose_tile(loaded, *padded)
        self._enlarge = Enlarger(loaded, self._side, cancel, self._tile_done)
        layers = Layers(image, self._channels).count()
        sizes = ((image.height * self._scale**run, image.width * self._scale**run) for run in range(runs))
        self._done, self._total = 0, sum(len(self._grid(*size)) * layers for size in sizes)

    def run(self, image: Image, wanted: tuple[int, int], dtype: Any, folder: Path | None) -> Image:
        """``image`` once through the model, then resampled to ``wanted`` width and height."""
        rows = enlarged_rows(
            Layers(image, self._channels), self._grid(image.height, image.width), self._enlarge
        )
        width, height = wanted
        size = (image.height * self._scale, image.width * self._scale)
        pieces = self._polled(resampled(rows, *size, height, width))
        return image.with_pixels(gathered(pieces, (height, width, image.channels), dtype, folder))

    def interruptible(self) -> AbstractContextManager[None]:
        """Cancel within a tile, before any operation of the model: a large one takes minutes for a tile."""
        import torch

        model = self._loaded.descriptor.model
        operations = [part for part in model.modules() if not any(part.children())]
        return cancellable(torch.nn.ModuleList(operations), self._cancel)

    def _grid(self, height: int, width: int) -> Grid:
        return Grid(height + 2 * BORDER, width + 2 * BORDER, self._side, self._scale, self._channels)

    def _polled(self, pieces: Iterable[Array]) -> Iterator[Array]:
        for piece in pieces:
            self._cancel.check()
            yield piece

    def _tile_done(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
