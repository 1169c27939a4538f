"""Starting a run from a picture instead of from noise alone, in whatever pipeline a family has.

The text-to-image pipeline is driven all the same, so that its guidance, and every sampler, work as they do
there: its scheduler begins late, its first latents are the picture's with noise, and what a mask keeps is put
back after each step.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.families import family_of
from pipelines.diffusion.latents.shape import LatentLayout, pack, unpack
from pipelines.diffusion.samplers.levels import CLEAN, LateStart, noised
from pipelines.diffusion.sampling.differential import Blending, Keeper

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, eq=False)
class StartPicture:
    """What a run starts from. All tensors are float32 on the CPU, in the model's scaling."""

    latents: torch.Tensor
    """1×C×h×w: the picture, its masked part filled."""
    strength: float
    """Denoising strength, 0..1: the part of the steps that runs."""
    original: torch.Tensor | None = None
    """1×C×h×w: what is kept where the mask says so; None keeps nothing."""
    mask: torch.Tensor | None = None
    """1×1×h×w in 0..1, 1 = drawn anew."""
    blending: Blending = Blending.DIFFERENTIAL
    condition: torch.Tensor | None = None
    """1×(M + C)×h×w: the mask and the picture without what is under it, for models made for inpainting."""
    noise: torch.Tensor | None = None
    """1×C×h×w: the first noise, where it isn't the seed's own: a piece has its part of the whole's."""


class PictureRun:
    """One run of a pipeline copy that starts from a picture.

    Args:
        noise: N×C×h×w, the first noise of each picture, on the run's device.
    """

    def __init__(
        self, pipeline: Any, picture: StartPicture, noise: torch.Tensor, found: LatentLayout, width: int,
        height: int,
    ) -> None:  # fmt: skip
        self._pipeline, self._found, self._size = pipeline, found, (width, height)
        self._noise = noise.float()
        self._latents = picture.latents.to(self._noise)
        self._keeper: Keeper | None = None
        if picture.original is not None and picture.mask is not None:
            original, mask = picture.original.to(self._noise), picture.mask.to(self._noise)
            self._keeper = Keeper(original, mask, self._noise, picture.blending)
        self._first: torch.Tensor | None = None
        self._late = LateStart(pipeline.scheduler, picture.strength, self._fill)
        self._replace_first_latents()
        if self._keeper is not None:
            self._keep_after_steps(self._keeper)

    def _replace_first_latents(self) -> None:
        original = self._pipeline.prepare_latents

        @functools.wraps(original)
        def prepare_latents(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            latents, *rest = made if isinstance(made, tuple) else (made,)
            self._first = latents.clone()
            self._fill()
            return (self._first, *rest) if isinstance(made, tuple) else self._first

        # Past the pipeline's own __setattr__, which is for components.
        vars(self._pipeline)["prepare_latents"] = prepare_latents

    def _fill(self) -> None:
        """Write the first latents, once they are there and the steps are set: the order differs."""
        if self._first is None or not self._late.steps:
            return
        level = self._late.level(0)
        start = noised(self._latents, self._noise, level)
        if self._keeper is not None:
            start = self._keeper.blend(start, 0, self._late.steps, level)
        self._first.copy_(pack(self._pipeline, start.to(self._first.dtype), self._found))

    def _keep_after_steps(self, keeper: Keeper) -> None:
        scheduler, late = self._pipeline.scheduler, self._late
        original, scale = scheduler.step, family_of(self._pipeline).step_scale(self._pipeline)
        evaluation = -1

        @functools.wraps(original)
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal evaluation
            evaluation += 1
            result = original(*args, **kwargs)
            done = late.finished(evaluation)
            if done is None:
                return result
            latest = result[0] if isinstance(result, tuple) else result.prev_sample
            latents = unpack(self._pipeline, latest, self._found, *self._size).float() / scale
            level = late.level(evaluation + 1)
            kept = keeper.blend(latents, done, late.steps, level) * scale
            packed = pack(self._pipeline, kept.to(latest.dtype), self._found)
            if isinstance(result, tuple):
                # Some pipelines go on with what is foreseen, which at the end is the same.
                return (packed, *(packed if level == CLEAN else other for other in result[1:]))
            result.prev_sample = packed
            return result

        scheduler.step = step


@contextmanager
def conditioned(denoiser: Any, condition: torch.Tensor | None) -> Iterator[None]:
    """Append ``condition`` to what the U-Net sees in this block, as models made for inpainting expect.

    The hook is taken away again, whatever happens: the model is shared with the runs that follow.
    """
    import torch

    if condition is None:
        yield
        return

    def add(_module: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        sample = args[0] if args else kwargs.pop("sample")
        more = condition.to(sample).expand(len(sample), -1, -1, -1)
        return (torch.cat([sample, more], dim=1), *args[1:]), kwargs

    hook = denoiser.register_forward_pre_hook(add, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
