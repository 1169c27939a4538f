"""The second pass of an inpainting whose region is larger than the model draws: detail at its own size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipelines.diffusion.latents.shape import made_for_inpainting
from pipelines.diffusion.sampling.sampling import SamplingOptions
from pipelines.diffusion.sizes.any_size import Sizes
from pipelines.diffusion.sizes.passes import DRAWING_DETAIL, OneOfSeveral
from pipelines.diffusion.steering.steering import Steering
from pipelines.diffusion.tasks.pieces import redraw_whole
from pipelines.graph.values import Image, Stitch
from pipelines.inpaint.box import Box
from pipelines.inpaint.geometry import CropPlan
from pipelines.inpaint.stitch import paste

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.diffusion.tasks.text_to_image import Drawing
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

FROM_SCALE: Final = 0.67
"""A region that is drawn at less than this share of its own size lacks detail when it is brought back."""


def needs_detail(loaded: LoadedDiffusion, plan: CropPlan, sizes: Sizes) -> bool:
    """Whether a second pass is due: the region was reduced much, and ``sizes`` are left to us.

    Models made for inpainting alone can't draw from a picture without a mask; theirs stays one pass.
    """
    return sizes != "exact" and plan.scale < FROM_SCALE and not made_for_inpainting(loaded)


def with_detail(
    loaded: LoadedDiffusion,
    drawings: Sequence[Drawing],
    pasted: Sequence[Image],
    stitch: Stitch,
    prompt: str,
    negative: str,
    strength: float,
    options: SamplingOptions,
    context: Context,
    *,
    clip_skip: int,
    steering: Steering,
) -> list[Image]:
    """Each picture of ``pasted`` with its region drawn again at its own size, and put back.

    Args:
        drawings: the regions as they were first drawn, for their seeds.
        pasted: the same within the whole picture.
        strength: denoising strength of this pass, 0..1.
        steering: layers as large as the whole picture, or resampled to it.
    """
    box = Box(*stitch.box)
    part = steering.cropped(box, stitch.original.width, stitch.original.height)
    result = []
    for index, (drawing, whole) in enumerate(zip(drawings, pasted, strict=True)):
        region = Image(whole.pixels[box.slices].copy())
        drawn = redraw_whole(
            loaded, region, prompt, negative, drawing.seed, strength, options,
            OneOfSeveral(context, index, len(drawings), phase=DRAWING_DETAIL), clip_skip=clip_skip,
            steering=part, where=stitch.composite.values,
        )  # fmt: skip
        result.append(paste(stitch, drawn.image))
    return result
