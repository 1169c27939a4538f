"""FLUX.1 Kontext: FLUX.1 that looks at a picture, whose tokens stand in a plane of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.families.looking import Looking, Size
from pipelines.graph.values import Image
from pipelines.image import resize

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

_TRAINED: Final = (
    (672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184), (944, 1104),
    (1024, 1024), (1104, 944), (1184, 880), (1248, 832), (1328, 800), (1392, 752), (1456, 720), (1504, 688),
    (1568, 672),
)  # fmt: skip
"""Sizes that it was trained with, all of about 1024² px."""


class Kontext(Looking):
    """One picture, in the trained size whose shape is nearest. Its pipeline takes latents as they are."""

    def seen(self, pipeline: Any, image: Image, native: Size, drawn: Size) -> Image:
        ratio = image.width / image.height
        nearest = min(_TRAINED, key=lambda size: abs(size[0] / size[1] - ratio))
        scale, multiple = math.sqrt(math.prod(native)) / 1024, self.size_multiple(pipeline)
        width, height = (max(1, round(side * scale / multiple)) * multiple for side in nearest)
        return resize(image, width, height)

    def arguments(self, pipeline: Any, options: SamplingOptions) -> Mapping[str, Any]:
        """The area keeps its pipeline from drawing in another size."""
        return {"max_area": options.width * options.height}

    def look(
        self, pipeline: Any, latents: Sequence[torch.Tensor], options: SamplingOptions
    ) -> Mapping[str, Any]:
        (picture,) = latents
        return {"image": picture}
