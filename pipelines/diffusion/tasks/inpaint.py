"""Drawing only what a mask shows: crop, fill, denoise, stitch back; and growing a picture past its edges.

Soft masks drive the denoising (:mod:`pipelines.diffusion.sampling.differential`); models made for
inpainting see the mask themselves. What the composite mask doesn't cover keeps its pixels bit for bit.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.latents.encode_image import encode_image
from pipelines.diffusion.latents.shape import made_for_inpainting
from pipelines.diffusion.samplers.noise import SEEDS
from pipelines.diffusion.sampling.differential import Blending
from pipelines.diffusion.sampling.from_picture import StartPicture
from pipelines.diffusion.sampling.sampling import SamplingOptions
from pipelines.diffusion.sizes.any_size import DETAIL, Sizes
from pipelines.diffusion.sizes.size_limits import check_shape
from pipelines.diffusion.steering.references import with_picture
from pipelines.diffusion.steering.steering import UNSTEERED, Steering
from pipelines.diffusion.tasks.image_to_image import inpainting_condition, limits_of
from pipelines.diffusion.tasks.inpaint_detail import needs_detail, with_detail
from pipelines.diffusion.tasks.text_to_image import Drawing, draw
from pipelines.errors import InvalidParameter
from pipelines.graph.values import Image, Mask, check_size
from pipelines.inpaint.fill import Fill, extend, fill
from pipelines.inpaint.geometry import MaskSettings, plan_crop
from pipelines.inpaint.masks import fitted
from pipelines.inpaint.stitch import cut, paste

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion


@dataclass(frozen=True, slots=True)
class InpaintOptions:
    """What inpainting needs to know beside how to draw.

    ``strength`` is the denoising strength, 0..1; ``fill`` what the masked part is filled with before it is
    denoised; ``match_colours`` fits the drawn colours to the picture at the seam. ``sizes``: with ``auto`` a
    region much larger than the model draws gets a second pass of denoising strength ``detail``.
    """

    strength: float = 1.0
    fill: Fill = Fill.ORIGINAL
    blending: Blending = Blending.DIFFERENTIAL
    settings: MaskSettings = field(default_factory=MaskSettings)
    match_colours: bool = False
    sizes: Sizes = "auto"
    detail: float = DETAIL


def inpaint(
    loaded: LoadedDiffusion,
    image: Image,
    mask: Mask,
    prompt: str,
    negative: str,
    seed: int | None,
    options: SamplingOptions,
    inpainting: InpaintOptions,
    context: Context,
    *,
    clip_skip: int = 1,
    batch: int = 1,
    story: Mapping[str, Any] = MappingProxyType({}),
    steering: Steering = UNSTEERED,
) -> list[Drawing]:
    """Draw ``batch`` candidates for what ``mask`` shows of ``image``, each put back into the whole picture.

    Args:
        image: any size, grey, RGB or RGBA.
        mask: 1 = repaint; resampled if it has another size.
        options: its width and height are not used: the region round the mask is cropped, brought to the size
            the model draws best, and back.
        story: more to be remembered of the inpainting.
        steering: layers as large as ``image``, or resampled to it; they are cropped as it is.

    Returns:
        The whole pictures; each latent is of the region alone.

    Raises:
        MaskEmpty: nothing is masked.
        As :func:`pipelines.diffusion.tasks.text_to_image.text_to_image`; EncodeFailed.
    """
    check_size(image.width, image.height)
    selection = fitted(mask, image.width, image.height)
    plan = plan_crop(selection, inpainting.strength, limits_of(loaded), inpainting.settings)
    check_shape(plan.box.width, plan.box.height)
    piece, denoise, stitch = cut(image, plan)
    steering = steering.filling(selection)
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    drawings = draw(
        loaded, prompt, negative, seed, replace(options, width=piece.width, height=piece.height), context,
        clip_skip=clip_skip, batch=batch,
        picture=_start(loaded, piece, denoise, seed, inpainting, context),
        info={"inpaint": {**stitch.info["inpaint"], **_story(loaded, inpainting), **story}},
        steering=with_picture(loaded, steering.cut(plan), piece),
    )  # fmt: skip
    pasted = [paste(stitch, drawing.image, match=inpainting.match_colours) for drawing in drawings]
    detail = min(inpainting.detail, inpainting.strength)
    if detail > 0 and needs_detail(loaded, plan, inpainting.sizes):
        pasted = with_detail(
            loaded, drawings, pasted, stitch, prompt, negative, detail, options, context,
            clip_skip=clip_skip, steering=steering,
        )  # fmt: skip
        drawings = [_told(drawing, detail=detail) for drawing in drawings]
    return [
        # What was remembered of the picture's own making isn't how this one was made.
        replace(drawing, image=Image(whole.pixels, drawing.image.info))
        for drawing, whole in zip(drawings, pasted, strict=True)
    ]


def outpaint(
    loaded: LoadedDiffusion,
    image: Image,
    sides: tuple[int, int, int, int],
    prompt: str,
    negative: str,
    seed: int | None,
    options: SamplingOptions,
    inpainting: InpaintOptions,
    context: Context,
    *,
    clip_skip: int = 1,
    batch: int = 1,
    steering: Steering = UNSTEERED,
) -> list[Drawing]:
    """Make ``image`` larger by ``sides`` px (left, top, right, bottom), and draw what is new.

    Layers of ``steering`` are as large as the new picture, or else as ``image``.

    Raises:
        InvalidParameter: no side grows.
        As :func:`inpaint`.
    """
    left, top, right, bottom = sides
    if not any(sides):
        reason = "At least one side must grow by 1 px or more."
        raise InvalidParameter(title="Left, top, right, bottom", value=0, reason=reason, port="left")
    check_size(image.width + left + right, image.height + top + bottom)
    larger, new = extend(image, left, top, right, bottom, inpainting.fill)
    return inpaint(
        loaded, larger, new, prompt, negative, seed, options, replace(inpainting, fill=Fill.ORIGINAL),
        context, clip_skip=clip_skip, batch=batch,
        story={"fill": str(inpainting.fill), "left": left, "top": top, "right": right, "bottom": bottom},
        steering=steering.extended(image.width, image.height, sides),
    )  # fmt: skip


def _told(drawing: Drawing, **more: Any) -> Drawing:
    """The drawing with more in its inpainting's story."""
    info = {**drawing.image.info, "inpaint": {**drawing.image.info["inpaint"], **more}}
    return replace(drawing, image=Image(drawing.image.pixels, info))


def _start(
    loaded: LoadedDiffusion, piece: Image, denoise: Mask, seed: int, inpainting: InpaintOptions,
    context: Context,
) -> StartPicture:  # fmt: skip
    """The region as the run starts from it."""
    filled = encode_image(loaded, fill(piece, denoise, inpainting.fill, seed), context).tensor()
    if made_for_inpainting(loaded):
        # Such a model keeps what the mask doesn't show by itself.
        condition = inpainting_condition(loaded, piece, denoise.values, context)
        return StartPicture(filled, inpainting.strength, condition=condition)
    original = encode_image(loaded, piece, context).tensor()
    mask = _pooled(denoise, original)
    return StartPicture(filled, inpainting.strength, original, mask, inpainting.blending)


def _pooled(mask: Mask, latents: torch.Tensor) -> torch.Tensor:
    """The mask for latents, 1×1×h×w: the greatest value of each cell: all that is masked can change."""
    import torch

    return torch.nn.functional.adaptive_max_pool2d(torch.tensor(mask.values)[None, None], latents.shape[-2:])


def _story(loaded: LoadedDiffusion, inpainting: InpaintOptions) -> dict[str, Any]:
    """The controls that the crop doesn't know of, and diffusers' pipeline that drew."""
    return {
        "pipeline": type(loaded.pipeline).__name__, "fill": str(inpainting.fill),
        "blending": str(inpainting.blending), "match_colours": inpainting.match_colours,
    }  # fmt: skip
