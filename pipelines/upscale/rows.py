"""The way of a picture through a model: tile by tile, row of tiles by row of tiles, each given on at once.

No more than one row of tiles is in memory at a time, so the size of a result is a matter of disk space. Where
memory runs out, the tile at hand is cut into smaller ones and the work goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from pipelines.errors import ModelUnsuitable, OutOfMemory
from pipelines.graph.node import CancelToken
from pipelines.graph.values import Array
from pipelines.upscale.layers import BORDER, Layers
from pipelines.upscale.memory import MIN_TILE
from pipelines.upscale.tiles import Span, Tile, spans, tiles, weight

if TYPE_CHECKING:
    import torch

    from pipelines.models.loaded import LoadedUpscale

MAX_STRIP: Final = 384 * 2**20
"""Bytes of one layer's row of tiles, enlarged; the tiles of wider pictures are less high."""


class Grid:
    """How ``height`` × ``width`` px are cut into tiles of ``side`` px.

    ``scale`` is how much the model enlarges, ``channels`` are those it takes.
    """

    def __init__(self, height: int, width: int, side: int, scale: int, channels: int) -> None:
        high = side
        if max(height, width) > side:
            row_bytes = width * scale * scale * channels * 4
            high = min(side, max(MIN_TILE, MAX_STRIP // row_bytes))
        self.rows, self.columns = spans(height, high), spans(width, side)
        self.scale = scale

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)


def enlarged_rows(layers: Layers, grid: Grid, work: Callable[[Array], torch.Tensor]) -> Iterator[Array]:
    """The enlarged picture from top to bottom, without its border, in pieces C×h×W float32.

    ``work`` takes a tile c×h×w float32 and gives it enlarged.
    """
    edge = BORDER * grid.scale
    bottom = (layers.height - BORDER) * grid.scale
    kept: list[torch.Tensor | None] = [None] * len(layers)
    for index, row in enumerate(grid.rows):
        end = grid.rows[index + 1].start if index + 1 < len(grid.rows) else row.end
        top, done = row.start * grid.scale, (end - row.start) * grid.scale
        parts: list[Array] = []
        for layer in range(len(layers)):
            strip = _strip(layers, layer, row, grid, work, kept[layer])
            # The neighbours below add to what lies in the overlap; the rest is finished.
            kept[layer] = strip[:, done:].clone()
            parts.append(strip[:, :done].numpy())
        wanted = slice(max(edge - top, 0), min(done, bottom - top))
        if wanted.stop > wanted.start:
            yield layers.joined([part[:, wanted, edge:-edge] for part in parts])
        del strip, parts  # not beside those of the next row


def _strip(
    layers: Layers, layer: int, row: Span, grid: Grid, work: Callable[[Array], torch.Tensor],
    above: torch.Tensor | None,
) -> torch.Tensor:  # fmt: skip
    """One layer's row of tiles, blended; ``above`` is what the row before left for its first rows."""
    import torch

    scale = grid.scale
    shape = (layers.channels, (row.end - row.start) * scale, layers.width * scale)
    flat = layers.flat(layer)
    if flat is not None:
        return torch.full((shape[0], 1, 1), flat).expand(shape)
    if len(grid) == 1:
        return work(layers.piece(layer, row, grid.columns[0]))
    strip = torch.zeros(shape)
    if above is not None:
        strip[:, : above.shape[1]] = above
    for column in grid.columns:
        piece = work(layers.piece(layer, row, column))
        _add(strip[..., column.start * scale : column.end * scale], piece, Tile(row, column), scale)
    return strip


def _add(target: torch.Tensor, piece: torch.Tensor, tile: Tile, scale: int) -> None:
    import torch

    target.addcmul_(piece, torch.from_numpy(weight(tile, scale)[..., 0]))


class Enlarger:
    """A model at work on tiles; remembers how far they had to shrink."""

    def __init__(
        self, loaded: LoadedUpscale, side: int, cancel: CancelToken, done: Callable[[], None]
    ) -> None:
        self._loaded, self._limit, self._cancel, self._done = loaded, side, cancel, done
        self._scale = int(loaded.descriptor.scale)

    def __call__(self, tile: Array) -> torch.Tensor:
        """A tile c×h×w float32, enlarged, on the CPU.

        Raises:
            OutOfMemory: not even a tile of 32 px fits.
            ModelUnsuitable: its numbers overflow.
            Cancelled: by the token.
        """
        result = self._enlarged(tile)
        self._done()
        return result

    def _enlarged(self, tile: Array) -> torch.Tensor:
        """``tile`` whole, or where memory runs out in parts; parts that are done are not done again."""
        from pipelines.diffusion.memory import free_cache, is_out_of_memory

        if max(tile.shape[1:]) > self._limit:
            return self._in_parts(tile)
        try:
            return self._through_model(tile)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            problem = str(error)[:300]
        # Outside the handler: the exception holds the frames, and with them the tensors that filled the
        # memory.
        device = str(self._loaded.device)
        free_cache(device)
        smaller = max(tile.shape[1:]) // 2
        if smaller < MIN_TILE:
            raise OutOfMemory(device=device, reason=problem)
        self._limit = smaller
        return self._in_parts(tile)

    def _in_parts(self, tile: Array) -> torch.Tensor:
        import torch

        scale = self._scale
        channels, height, width = tile.shape
        result = torch.zeros((channels, height * scale, width * scale))
        for part in tiles(height, width, self._limit):
            rows, columns = part.rows, part.columns
            cut = np.ascontiguousarray(tile[:, rows.start : rows.end, columns.start : columns.end])
            area = result[
                :, rows.start * scale : rows.end * scale, columns.start * scale : columns.end * scale
            ]
            _add(area, self._enlarged(cut), part, scale)
        return result

    def _through_model(self, tile: Array) -> torch.Tensor:
        import torch

        self._cancel.check()
        loaded = self._loaded
        batch = torch.from_numpy(tile)[None].to(loaded.device, loaded.dtype)
        with torch.inference_mode():
            output = loaded.descriptor(batch)[0].float()
            # A sum is not finite if one of its terms isn't, and takes no memory.
            sound = bool(torch.isfinite(output.sum()))
        if not sound:
            dtype = str(loaded.dtype).removeprefix("torch.")
            raise ModelUnsuitable(
                model=loaded.handle.id, reason=f"Its result holds values that are no numbers in {dtype}.",
                task="this precision, or choose fp32",
            )  # fmt: skip
        return output.cpu()
