"""Handing a drawing over from one model to another in the middle of its steps.

Stable Diffusion XL's base model removes most of the noise, its refiner the rest (Podell et al. 2023, section
2.5): the same latents, the same schedule, another denoiser with prompts of its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.latents.shape import LatentLayout, pack
from pipelines.diffusion.samplers.levels import LateStart, evaluations
from pipelines.errors import ModelUnsuitable

if TYPE_CHECKING:
    import torch

    from pipelines.graph.values import ModelHandle
    from pipelines.models.loaded import LoadedDiffusion

REFINER: Final = "sdxl-refiner"
SWITCH: Final = 0.8
"""The part of the steps after which the refiner goes on, as its makers recommend."""


@dataclass(frozen=True, slots=True)
class Refinement:
    """The model that ends a drawing, and the part of the steps, 0..1, after which it does."""

    model: ModelHandle
    switch: float = SWITCH

    def check(self, model: ModelHandle) -> None:
        """Refuse models that can't go on with each other's latents, before anything is loaded.

        Raises:
            ModelUnsuitable: with the reason.
        """
        if self.model.family not in (REFINER, "sdxl"):
            reason = f"It is a {self.model.family}; what refines is SDXL's refiner, or another SDXL model."
        elif model.family != "sdxl":
            reason = f"It goes on with drawings of SDXL; the model that begins is {model.family}."
        else:
            return
        raise ModelUnsuitable(model=self.model.id, reason=reason, task="refining", port="refiner")


@dataclass(frozen=True, slots=True, eq=False)
class Handover:
    """Where the steps of a drawing are divided between two models.

    The first stops after ``switch`` of them and writes down, by the number of the picture, what it got to:
    noisy latents in the space of the sampler (1×C×h×w float32 on the CPU), and the state of the picture's
    generator. The second, with ``goes_on``, begins with that.
    """

    switch: float
    goes_on: bool = False
    scheduler: list[Any] = field(default_factory=list)
    latents: dict[int, torch.Tensor] = field(default_factory=dict)
    states: dict[int, torch.Tensor] = field(default_factory=dict)

    def continued(self) -> Handover:
        """The same for the second model."""
        return replace(self, goes_on=True)

    def first_steps(self, steps: int) -> int:
        """How many of ``steps`` the first model has: each has one at least, if there are two."""
        return min(max(1, math.floor(steps * self.switch + 0.5)), max(steps - 1, 1))

    def model(self, loaded: LoadedDiffusion) -> Any:
        """The pipeline whose noise schedule counts, for both: the first model's."""
        if not self.goes_on:
            self.scheduler[:] = [loaded.pipeline.scheduler]
            return loaded.pipeline
        return _Scheduled(loaded.pipeline, self.scheduler[0])


class _Scheduled:
    """A pipeline with another's scheduler."""

    def __init__(self, pipeline: Any, scheduler: Any) -> None:
        self._pipeline, self.scheduler = pipeline, scheduler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)


class Stopped(Exception):
    """No error, but the way out of a pipeline's loop: the first model's steps are done; ``latents`` as the
    pipeline has them.
    """

    def __init__(self, latents: torch.Tensor) -> None:
        super().__init__()
        self.latents = latents


def stop_where_due(scheduler: Any, handover: Handover | None, steps: int) -> None:
    """Let a run's scheduler raise :class:`Stopped` when the first model's part of ``steps`` is done."""
    if handover is None or handover.goes_on:
        return
    steps = handover.first_steps(steps)
    original, done = scheduler.step, 0
    order = int(getattr(scheduler, "order", 1))
    extra = 1 if hasattr(scheduler, "plms_timesteps") else 0  # it evaluates its second timestep twice

    @functools.wraps(original)
    def step(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        result = original(*args, **kwargs)
        done += 1
        if done >= steps * order + extra and done < evaluations(scheduler):
            raise Stopped(result[0] if isinstance(result, tuple) else result.prev_sample)
        return result

    scheduler.step = step


def begin(
    pipeline: Any, handover: Handover | None, part: Sequence[int], steps: int, found: LatentLayout,
    sources: Sequence[Any],
) -> int:  # fmt: skip
    """Let a run's own pipeline begin where the first model stopped, if it goes on; gives how many of the
    steps it has.

    Args:
        part: numbers of the pictures it draws.
        sources: their generators, which go on as well.
    """
    import torch

    if handover is None:
        return steps
    if not handover.goes_on:
        return handover.first_steps(steps)
    left = steps - handover.first_steps(steps)
    first: list[torch.Tensor] = []
    start = torch.cat([handover.latents[number] for number in part])
    for source, number in zip(sources, part, strict=True):
        source.set_state(handover.states[number])

    def fill() -> None:
        if first:
            first[0].copy_(pack(pipeline, start.to(first[0]), found))

    LateStart(pipeline.scheduler, left / steps, fill)
    original = pipeline.prepare_latents

    @functools.wraps(original)
    def prepare_latents(*args: Any, **kwargs: Any) -> Any:
        first[:] = [original(*args, **kwargs).clone()]
        fill()
        return first[0]

    vars(pipeline)["prepare_latents"] = prepare_latents
    return left


def note(
    handover: Handover, part: Sequence[int], latents: torch.Tensor, sources: Sequence[Any]
) -> torch.Tensor:
    """Write down where the first model stopped: N×C×h×w; gives it as float32 on the CPU."""
    there = latents.float().cpu()
    for number, one, source in zip(part, there.split(1), sources, strict=True):
        handover.latents[number], handover.states[number] = one, source.get_state()
    return there
