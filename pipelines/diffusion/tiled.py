"""Enlarging with a diffusion model: resampled, then drawn anew piece by piece with little strength.

Each piece has the size the model draws best; neighbours overlap and are blended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.diffusion.encode_image import rgb
from pipelines.diffusion.image_to_image import image_to_image, like, limits_of
from pipelines.diffusion.noise import SEEDS
from pipelines.diffusion.sampling import SamplingOptions
from pipelines.errors import ErrorInfo
from pipelines.graph.values import Image, check_size
from pipelines.image import Resampling, resize
from pipelines.upscale.tiles import count_tiles, tiles, weight

if TYPE_CHECKING:
    from pipelines.graph.node import CancelToken, Context, ModelAccess
    from pipelines.models.loaded import LoadedDiffusion

MIN_TILE: Final = 64


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
) -> tuple[Image, int]:
    """Enlarge ``image`` by ``factor``; piece k is drawn from the noise of ``seed + k``.

    Args:
        image: grey, RGB or RGBA; its transparency is resampled.
        strength: denoising strength, 0..1; about 0.3 adds detail and keeps the shapes.
        options: its width and height are not used.
        tile: side of a piece in px; 0 is the model's native size.

    Returns:
        The picture (uint8, RGB or RGBA), and the seed.

    Raises:
        ImageTooLarge: the result would have more pixels than allowed.
        As :func:`pipelines.diffusion.image_to_image.image_to_image`.
    """
    width, height = (max(1, round(side * factor)) for side in (image.width, image.height))
    check_size(width, height)
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    limits = limits_of(loaded)
    side = max(tile or min(limits.native), MIN_TILE) // limits.multiple * limits.multiple
    large = resize(image, width, height, method)
    more = ((0, -height % limits.multiple), (0, -width % limits.multiple), (0, 0))
    pixels = np.pad(rgb(large), more, mode="edge")
    padded_height, padded_width = pixels.shape[:2]
    count = count_tiles(padded_height, padded_width, side)
    result = np.zeros_like(pixels)
    for index, piece in enumerate(tiles(padded_height, padded_width, side)):
        context.cancel.check()
        rows, columns = piece.rows, piece.columns
        area = np.s_[rows.start : rows.end, columns.start : columns.end]
        drawn = image_to_image(
            loaded, Image(pixels[area].copy()), prompt, negative, (seed + index) % SEEDS, strength, options,
            _PieceContext(context, index, count), own_size=True,
        )[0]  # fmt: skip
        result[area] += drawn.image.as_float() * weight(piece, 1)
    whole = like(Image(np.clip(result[:height, :width], 0, 1)), large)
    story = {
        "prompt": prompt, "negative": negative, "seed": seed, "steps_run": drawn.image.info["steps_run"],
        "strength": strength, "guidance_scale": options.guidance_scale, "tile": side,
    }  # fmt: skip
    name = str(loaded.card.get("title") or PurePath(loaded.handle.id).name)
    told = {"upscaler": name, "upscale_factor": float(factor), "upscale": story}
    return Image(whole.as_uint8(), {**image.info, **told}), seed


@dataclass(slots=True)
class _PieceContext:
    """The context of one piece: its steps are a part of the whole, and nothing is told twice."""

    whole: Context
    index: int
    count: int
    node: str = field(init=False)
    models: ModelAccess = field(init=False)
    cancel: CancelToken = field(init=False)
    cache_dir: Path = field(init=False)
    output_dir: Path = field(init=False)

    def __post_init__(self) -> None:
        for name in ("node", "models", "cancel", "cache_dir", "output_dir"):
            setattr(self, name, getattr(self.whole, name))

    @property
    def device(self) -> str:
        return self.whole.device

    def progress(
        self, step: int, total: int, *, phase: str = "", preview: Image | None = None, text: str | None = None
    ) -> None:
        if phase == "denoising":
            self.whole.progress(self.index * total + step, self.count * total, phase=phase)

    def warn(self, warning: ErrorInfo) -> None:
        if self.index == 0:
            self.whole.warn(warning)

    def path(self, text: str) -> Path:
        return self.whole.path(text)

    def provenance(self) -> dict[str, Any]:
        return self.whole.provenance()

    def memo(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        return self.whole.memo(key, make)
