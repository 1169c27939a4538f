"""Drawing a large picture anew, piece by piece: each has a size the model draws well, neighbours are blended.

The grid is one of the model's multiples, so that pieces have whole latent pixels and the latent of the whole
is blended just as its pixels are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from pipelines.diffusion.latents.encode_image import rgb
from pipelines.diffusion.latents.shape import layout
from pipelines.diffusion.part_context import PartContext, Report
from pipelines.diffusion.samplers.noise import SEEDS, first_noise, generators
from pipelines.diffusion.sampling.sampling import SamplingOptions
from pipelines.diffusion.sizes.size_limits import check_shape
from pipelines.diffusion.steering.references import for_pieces
from pipelines.diffusion.steering.steering import UNSTEERED, Steering
from pipelines.diffusion.tasks.image_to_image import image_to_image, limits_of
from pipelines.diffusion.tasks.text_to_image import Drawing
from pipelines.errors import ErrorInfo, OutOfMemory
from pipelines.graph.values import Array, Image, Latent
from pipelines.image import resize
from pipelines.inpaint.box import Box
from pipelines.upscale.tiles import OVERLAP, Span, Tile, spans, weight

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

MIN_SIDE: Final = 64
_BEARS: Final = 1.5**2
"""So many times its most pixels a model draws at once where the composition is there already."""
_SMALL: Final = 256 * 256
"""So many pixels are drawn at once in any case: they cost little, and smaller pieces show too little."""
_BLOCKS: Final = 8
"""Along each side of a piece, where its colours are brought back."""
_PREVIEW: Final = 384
"""Longest side of the preview of the whole, in pixels."""


@dataclass(frozen=True, slots=True)
class Grid:
    """How a picture is cut up, counted in steps of ``multiple`` px: ``rows`` × ``columns`` pieces."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    multiple: int

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[Tile]:
        return (Tile(rows, columns) for rows in self.rows for columns in self.columns)

    def box(self, piece: Tile) -> Box:
        """Where a piece lies, in pixels."""
        (top, bottom), (left, right) = (
            (span.start * self.multiple, span.end * self.multiple) for span in (piece.rows, piece.columns)
        )
        return Box(left, top, right - left, bottom - top)


def grid(width: int, height: int, side: int, multiple: int) -> Grid:
    """Pieces of at most ``side`` px for a picture whose sides are multiples of ``multiple``."""
    tile = max(side // multiple, 1)
    overlap = min(-(-OVERLAP // multiple), tile // 4)
    columns, rows = (
        tuple(span._replace(ramp=max(overlap // 2, 1)) for span in spans(length // multiple, tile, overlap))
        for length in (width, height)
    )
    return Grid(rows, columns, multiple)


def redraw(
    loaded: LoadedDiffusion,
    image: Image,
    prompt: str,
    negative: str,
    seed: int,
    strength: float,
    options: SamplingOptions,
    context: Context,
    *,
    side: int = 0,
    clip_skip: int = 1,
    steering: Steering = UNSTEERED,
    where: Array | None = None,
) -> Drawing:
    """Draw all of ``image`` anew.

    The first noise is that of ``seed`` for the whole, so that pieces agree where they overlap; what a sampler
    adds on the way is, for piece k, that of ``seed + k``. Several pieces keep the broad colours of ``image``:
    each would shift them its own way, and their borders would show.

    Args:
        image: any size, grey, RGB or RGBA; its transparency is left out.
        strength: denoising strength, 0..1; about 0.3 adds detail and keeps the shapes.
        options: its width and height are not used.
        side: the longest side of a piece in px; 0 is the model's native size.
        steering: layers as large as ``image``, or resampled to it; each piece is steered by its part.
        where: H×W; pieces in which all of it is 0 are left as they are (in the latent, they are noise).

    Returns:
        The picture (uint8, RGB), its size that of ``image``, and its latent as the model left it, with sides
        rounded up to what the model needs. Both remember what the last piece does.

    Raises:
        As :func:`pipelines.diffusion.tasks.image_to_image.image_to_image`.
    """
    check_shape(image.width, image.height)
    limits, found = limits_of(loaded), layout(loaded)
    steering = for_pieces(loaded, steering)
    multiple, factor = limits.multiple, found.factor
    pixels = np.pad(
        rgb(image), ((0, -image.height % multiple), (0, -image.width % multiple), (0, 0)), mode="edge"
    )
    height, width = pixels.shape[:2]
    cut = grid(width, height, max(side or min(limits.native), MIN_SIDE), multiple)
    due = [piece for piece in cut if where is None or where[cut.box(piece).slices].any()]
    preview = WholePreview(Image(pixels))
    shape, sources = found.shape(width, height), generators([seed])
    noise = first_noise(shape, options.noise, sources, [options.variation_seed], options.variation_strength)
    result, latents = np.zeros_like(pixels), noise.new_zeros(noise.shape)
    for piece in cut:
        if piece not in due:
            result[cut.box(piece).slices] += pixels[cut.box(piece).slices] * weight(piece, multiple)
    for index, piece in enumerate(due):
        context.cancel.check()
        box = cut.box(piece)
        part = (..., *_scaled(box, factor).slices)
        drawn = image_to_image(
            loaded, Image(pixels[box.slices].copy()), prompt, negative, (seed + index) % SEEDS, strength,
            options, _PieceContext(context, index, len(due), preview, box), own_size=True,
            clip_skip=clip_skip, steering=steering.cropped(box, width, height) if steering else steering,
            noise=noise[part],
        )[0]  # fmt: skip
        new = drawn.image.as_float()
        if len(cut) > 1:
            new = _in_colours_of(pixels[box.slices], new)
        result[box.slices] += new * weight(piece, multiple)
        preview.put(Image(new), box)
        latents[part] += drawn.latent.tensor() * latents.new_tensor(weight(piece, multiple // factor)[..., 0])
    whole = Image(result[: image.height, : image.width], drawn.image.info)
    return Drawing(whole.with_pixels(whole.as_uint8()), Latent(latents, drawn.latent.info), seed)


def redraw_whole(
    loaded: LoadedDiffusion,
    image: Image,
    prompt: str,
    negative: str,
    seed: int,
    strength: float,
    options: SamplingOptions,
    context: Context,
    *,
    clip_skip: int = 1,
    steering: Steering = UNSTEERED,
    where: Array | None = None,
) -> Drawing:
    """:func:`redraw` in one piece where the model and the memory bear it, else in several."""
    limits = limits_of(loaded)
    most = max(round(_BEARS * limits.max_pixels), _SMALL)
    longest = max(image.width, image.height) + limits.multiple
    smallest = math.isqrt(limits.max_pixels)
    side = longest if image.width * image.height <= most else math.isqrt(most)
    while True:
        try:
            return redraw(
                loaded, image, prompt, negative, seed, strength, options, context, side=side,
                clip_skip=clip_skip, steering=steering, where=where,
            )  # fmt: skip
        except OutOfMemory:
            if side <= smallest:
                raise
        side = max(smallest, side // 2)


def _in_colours_of(source: Array, drawn: Array) -> Array:
    """``drawn`` with the broad colours of ``source``, both H×W×3 in 0..1: the difference of their means in a
    few blocks is put back, interpolated between the blocks."""
    import cv2

    height, width = drawn.shape[:2]
    blocks = min(_BLOCKS, width), min(_BLOCKS, height)
    means = cv2.resize(source - drawn, blocks, interpolation=cv2.INTER_AREA)
    return np.clip(drawn + cv2.resize(means, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def _scaled(box: Box, factor: int) -> Box:
    """The same in latent pixels."""
    return Box(*(side // factor for side in box))


class WholePreview:
    """The whole picture, small: as it was, and over it what is drawn by now."""

    def __init__(self, image: Image) -> None:
        self._scale = min(1.0, _PREVIEW / max(image.width, image.height))
        width, height = (max(1, round(side * self._scale)) for side in (image.width, image.height))
        self._pixels: Array = resize(image, width, height, "area").as_uint8().copy()

    def put(self, image: Image, box: Box) -> Image:
        """The whole with ``image``, of any size, laid over ``box``."""
        left, top, right, bottom = (
            round(edge * self._scale) for edge in (box.x, box.y, box.right, box.bottom)
        )
        if right > left and bottom > top:
            self._pixels[top:bottom, left:right] = resize(
                image, right - left, bottom - top, "bilinear"
            ).as_uint8()
        return Image(self._pixels.copy())


class _PieceContext(PartContext):
    """The context of one piece: its steps are a part of the whole, and nothing is told twice."""

    def __init__(self, whole: Context, index: int, count: int, preview: WholePreview, box: Box) -> None:
        super().__init__(whole)
        self._index, self._count, self._preview, self._box = index, count, preview, box

    def retold(self, report: Report) -> Report | None:
        if report.phase != "denoising" or (self._index > 0 and report.step == 0):
            return None
        preview = report.preview
        shown = self._preview.put(preview, self._box) if preview is not None else None
        return replace(report, preview=shown).of_several(self._index, self._count)

    def warn(self, warning: ErrorInfo) -> None:
        if self._index == 0:
            self.whole.warn(warning)
