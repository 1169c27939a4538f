"""Drawing at any size (see :mod:`pipelines.diffusion.sizes.any_size`): composed, enlarged, and drawn again.

Models are taken by their handles, one after the other: what enlarges between the passes needn't fit beside
what draws.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.latents.encode_image import rgb
from pipelines.diffusion.samplers.noise import SEEDS, batch_seeds
from pipelines.diffusion.sampling.refine import Refinement
from pipelines.diffusion.sampling.sampling import SamplingOptions, check_options
from pipelines.diffusion.sizes.any_size import DETAIL, SizePlan, Sizes, plan_size, window
from pipelines.diffusion.sizes.passes import DRAWING_DETAIL, ENLARGING, FirstPass, OneOfSeveral
from pipelines.diffusion.sizes.size_limits import check_shape
from pipelines.diffusion.steering.references import check_given, shape_of
from pipelines.diffusion.steering.steering import UNSTEERED, Steering
from pipelines.diffusion.tasks.image_to_image import image_to_image, like, limits_of
from pipelines.diffusion.tasks.pieces import redraw_whole
from pipelines.diffusion.tasks.refined import begin_drawing, end_drawing
from pipelines.diffusion.tasks.text_to_image import Drawing, text_to_image
from pipelines.diffusion.tasks.upscalers import is_diffusion_upscaler, upscale_by_diffusion
from pipelines.graph.values import Image, Latent, ModelHandle, check_size
from pipelines.image import crop, resize
from pipelines.upscale import upscale

if TYPE_CHECKING:
    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

_AGAIN: Final = 1.5
"""What must still be missing along a side for an upscaler to run, once or once more."""


@dataclass(frozen=True, slots=True)
class BeyondRange:
    """What is done with sizes that the model can't draw well at once.

    Args:
        sizes: ``auto`` plans them, ``exact`` draws them as they are, ``reference`` takes the size from the
            first reference.
        detail: denoising strength of a second pass, 0..1.
        upscaler: the model that enlarges between the passes; without one, Lanczos resampling.
    """

    sizes: Sizes = "auto"
    detail: float = DETAIL
    upscaler: ModelHandle | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AnySizeDrawing:
    """What is to be drawn, and how, whatever the pass. ``options`` has the size that is asked for."""

    model: ModelHandle
    prompt: str
    negative: str
    options: SamplingOptions
    context: Context
    beyond: BeyondRange = BeyondRange()
    clip_skip: int = 1
    steering: Steering = UNSTEERED
    refinement: Refinement | None = None
    """What ends the first pass; only where it begins with noise."""

    def from_noise(self, seed: int | None, batch: int = 1) -> list[Drawing]:
        """Draw ``batch`` pictures of exactly the size that is asked for; picture k has the seed ``seed + k``.

        The latents are those of the last pass, with sides rounded up to what the model needs.

        Raises:
            As :func:`pipelines.diffusion.tasks.text_to_image.text_to_image`; EncodeFailed.
        """
        options, context = self.options, self.context
        check_given(self.model, self.steering)
        if self.refinement is not None:
            self.refinement.check(self.model)
        check_size(options.width, options.height)
        check_shape(options.width, options.height)
        with context.models.use(self.model, context) as loaded:
            left = self.beyond.sizes == "reference"
            size = shape_of(self.steering.references, limits_of(loaded)) if left else None
            if size is not None:
                options = replace(options, width=size[0], height=size[1])
            plan = plan_size(options.width, options.height, limits_of(loaded))
            planned = self.beyond.sizes != "exact" and size is None and not plan.plain
            if planned:
                options = replace(options, width=plan.first[0], height=plan.first[1])
                context = FirstPass(context, plan)
            if self.refinement is None:
                drawings = text_to_image(
                    loaded, self.prompt, self.negative, seed, options, context, clip_skip=self.clip_skip,
                    batch=batch, steering=self.steering,
                )  # fmt: skip
            else:
                begun = begin_drawing(
                    loaded, self.prompt, self.negative, seed, options, context, self.refinement,
                    clip_skip=self.clip_skip, batch=batch, steering=self.steering,
                )  # fmt: skip
        if self.refinement is not None:
            with context.models.use(self.refinement.model, context) as loaded:
                drawings = end_drawing(loaded, begun, context)
        if not planned:
            return drawings
        if plan.mode == "direct":
            return [_remembering(each, _middle(each.image, plan), _story(plan)) for each in drawings]
        shown = [self._proportioned(each.image, plan) for each in drawings]
        if plan.mode == "reduced":
            sized = [resize(image, plan.width, plan.height) for image in shown]
            return [
                _remembering(each, image, _story(plan)) for each, image in zip(drawings, sized, strict=True)
            ]
        return self._second_pass(drawings, self._enlarged(shown, plan), plan)

    def from_picture(
        self, image: Image, seed: int | None, strength: float, *, own_size: bool = False, batch: int = 1
    ) -> list[Drawing]:
        """Draw ``batch`` pictures from ``image``, as large as it is; the options' size is not used.

        What the model can draw at once is drawn by :func:`image_to_image`. A larger picture is drawn small,
        with ``strength``, enlarged, and drawn again. Where ``strength`` is no more than the second pass would
        have, there is that pass alone, and the picture keeps what detail it has.

        Args:
            own_size: never draw it small.

        Raises:
            As :func:`pipelines.diffusion.tasks.image_to_image.image_to_image`.
        """
        check_size(image.width, image.height)
        check_shape(image.width, image.height)
        context = self.context
        with context.models.use(self.model, context) as loaded:
            plan = plan_size(image.width, image.height, limits_of(loaded))
            if self.beyond.sizes == "exact" or own_size or plan.mode != "two_pass":
                return image_to_image(
                    loaded, image, self.prompt, self.negative, seed, strength, self.options, context,
                    own_size=own_size, clip_skip=self.clip_skip, batch=batch, steering=self.steering,
                )  # fmt: skip
            check_options(loaded, replace(self.options, width=plan.first[0], height=plan.first[1]))
            seeds = batch_seeds(secrets.randbelow(SEEDS) if seed is None else seed, batch)
            if strength <= self.beyond.detail:
                drawings = [
                    self._redrawn(loaded, image, number, strength, OneOfSeveral(context, index, batch))
                    for index, number in enumerate(seeds)
                ]
                story = {"width": image.width, "height": image.height}
                return [_remembering(each, like(each.image, image), story) for each in drawings]
            drawings = image_to_image(
                loaded, resize(Image(rgb(image)), *plan.first), self.prompt, self.negative, seeds[0],
                strength, self.options, FirstPass(context, plan), own_size=True, clip_skip=self.clip_skip,
                batch=batch, steering=self.steering,
            )  # fmt: skip
        drawings = self._second_pass(drawings, self._enlarged([each.image for each in drawings], plan), plan)
        return [replace(each, image=like(each.image, image)) for each in drawings]

    # --- between and after ----------------------------------------------------------------------------------

    def _proportioned(self, image: Image, plan: SizePlan) -> Image:
        """The middle of a first pass in the proportions that are asked for. All of it, if layers that belong
        to the whole steer: they are stretched to each pass's size."""
        if self.steering.has_places:
            return image
        return crop(image, *window((image.width, image.height), (plan.width, plan.height)))

    def _enlarged(self, images: list[Image], plan: SizePlan) -> list[Image]:
        """First passes at the size that is asked for: by the upscaler as often as it takes, and resampled."""
        context, upscaler = self.context, self.beyond.upscaler
        context.progress(0, 1, phase=ENLARGING)
        large = images
        if upscaler is not None:
            with context.models.use(upscaler, context) as loaded:
                large = [
                    _upscaled(loaded, image, plan, OneOfSeveral(context, index, len(images)))
                    for index, image in enumerate(images)
                ]
        return [resize(image, plan.width, plan.height) for image in large]

    def _second_pass(self, first: list[Drawing], images: list[Image], plan: SizePlan) -> list[Drawing]:
        """``images``, which are ``first`` enlarged, drawn again; each remembers how the first was made."""
        upscaler = self.beyond.upscaler
        by = PurePath(upscaler.id).name if upscaler is not None else "lanczos"
        story = _story(plan, detail=self.beyond.detail, enlarged_by=by)
        drawings = []
        with self.context.models.use(self.model, self.context) as loaded:
            for index, (drawing, image) in enumerate(zip(first, images, strict=True)):
                part = OneOfSeveral(self.context, index, len(images), phase=DRAWING_DETAIL)
                drawn = self._redrawn(loaded, image, drawing.seed, self.beyond.detail, part)
                again = Drawing(
                    drawing.image, Latent(drawn.latent.tensor(), drawing.latent.info), drawing.seed
                )
                drawings.append(_remembering(again, drawn.image, story))
        return drawings

    def _redrawn(
        self, loaded: LoadedDiffusion, image: Image, seed: int, strength: float, context: Context
    ) -> Drawing:
        """``image`` drawn anew at its size."""
        return redraw_whole(
            loaded, image, self.prompt, self.negative, seed, strength, self.options, context,
            clip_skip=self.clip_skip, steering=self.steering,
        )  # fmt: skip


def _upscaled(loaded: Any, image: Image, plan: SizePlan, context: Context) -> Image:
    """``image`` through a super-resolution model until it has nearly the size of the plan, or more."""
    if is_diffusion_upscaler(loaded):  # once: it draws what it enlarges
        return upscale_by_diffusion(loaded, image, context, seed=0)[0]
    while loaded.descriptor.scale > 1 and max(plan.width / image.width, plan.height / image.height) >= _AGAIN:
        image = upscale(
            loaded, image, cancel=context.cancel,
            progress=lambda done, total: context.progress(done, total, phase=ENLARGING),
        )  # fmt: skip
    return image


def _middle(image: Image, plan: SizePlan) -> Image:
    """What was asked for of a picture that was drawn a little larger."""
    x, y = (image.width - plan.width) // 2, (image.height - plan.height) // 2
    return crop(image, x, y, plan.width, plan.height)


def _story(plan: SizePlan, **more: Any) -> dict[str, Any]:
    """What a picture remembers of its size and how that was reached."""
    how = {
        "mode": plan.mode, "first_width": plan.first[0], "first_height": plan.first[1],
        "factor": round(plan.factor, 4), **more,
    }  # fmt: skip
    return {"width": plan.width, "height": plan.height, "size_plan": how}


def _remembering(drawing: Drawing, image: Image, story: dict[str, Any]) -> Drawing:
    """``drawing`` with the pixels of ``image``, and a story added to its history."""
    return Drawing(
        Image(image.pixels, {**drawing.image.info, **story}),
        Latent(drawing.latent.tensor(), {**drawing.latent.info, **story}),
        drawing.seed,
    )
