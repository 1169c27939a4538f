"""What happens at every step of a run: cancel, progress and a preview of the picture as it is foreseen."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.latents.preview import MAX_SIDE, preview_matrix, render
from pipelines.diffusion.part_context import told
from pipelines.diffusion.samplers.levels import evaluations, scales_up, trigonometric
from pipelines.diffusion.samplers.table import is_flow
from pipelines.graph.values import Image

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

Unpack = Callable[["torch.Tensor"], "torch.Tensor"]


class StepObserver:
    """Wraps the ``step`` of one run's scheduler.

    Every pipeline of every family calls it after each evaluation of the denoiser, which its callbacks can't
    be relied on for (some have none, some name theirs differently). The scheduler belongs to the run, so
    nothing shared changes.

    Args:
        part: which pictures of the whole batch of ``count`` this run draws.
        steps: how many were asked for: schedulers that start with an extra evaluation (PNDM) count the same.
        sources: the pictures' generators, for pipelines that would draw a sampler's noise from torch's own.
        asked: how many the user asked for, where a denoising strength lets fewer run.
    """

    def __init__(
        self,
        loaded: LoadedDiffusion,
        scheduler: Any,
        sources: Sequence[torch.Generator],
        context: Context,
        part: range,
        count: int,
        steps: int,
        asked: int | None = None,
    ) -> None:
        self._loaded, self._scheduler, self._sources, self._context = loaded, scheduler, sources, context
        self._part, self._count, self._steps, self._asked = part, count, steps, asked
        self._evaluations = 0
        self._moved = 0
        self._fetched()
        self._matrix = preview_matrix(loaded, context.cache_dir)

    def attach(self, unpack: Unpack) -> None:
        """Start observing. ``unpack`` turns what the scheduler sees into N×C×h×w."""
        original = self._scheduler.step
        takes_generator = "generator" in inspect.signature(original).parameters

        @functools.wraps(original)
        def step(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
            self._context.cancel.check()
            if takes_generator and not args and kwargs.get("generator") is None:
                kwargs["generator"] = list(self._sources)
            result = original(model_output, timestep, sample, *args, **kwargs)
            self._report(unpack, model_output, timestep, sample, result)
            self._context.cancel.check()
            return result

        self._scheduler.step = step

    def _report(
        self, unpack: Unpack, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, result: Any
    ) -> None:
        self._evaluations += 1
        order = int(getattr(self._scheduler, "order", 1))
        asked_for = evaluations(self._scheduler)
        total = min(math.ceil(asked_for / order), self._steps)
        done = min(math.ceil(self._evaluations / order), total)
        overall = self._part.start * total + done * len(self._part)  # in steps of one picture
        if self._evaluations >= asked_for:
            latest = result[0] if isinstance(result, tuple) else result.prev_sample
            latents = _reduced(unpack(latest))
        else:
            latents = self._foreseen(
                _reduced(unpack(model_output)), timestep, _reduced(unpack(sample)), result, unpack
            )
        preview = Image(render(latents, self._matrix))
        asked = self._asked if self._asked is not None and self._asked > total else None
        moved = told(self._fetched())
        done = overall // self._count
        self._context.progress(done, total, phase="denoising", preview=preview, asked=asked, **moved)

    def _fetched(self) -> int:
        """Bytes of weights that were fetched since the last report."""
        residence = self._loaded.residence
        now = residence.moved if residence is not None else 0
        before, self._moved = self._moved, now
        return now - before

    def _foreseen(
        self, output: torch.Tensor, timestep: Any, sample: torch.Tensor, result: Any, unpack: Unpack
    ) -> torch.Tensor:
        """The finished latents as the denoiser foresees them: clearer than the noisy ones, from step 1."""
        if trigonometric(self._scheduler):  # it answers with the finished latents, too
            return _reduced(unpack(result[1])).float()
        output, sample = output.float(), sample.float()
        config = self._scheduler.config
        time = float(timestep.flatten()[0] if hasattr(timestep, "flatten") else timestep)
        name = type(self._scheduler).__name__
        if is_flow({**config, "_class_name": name}):
            return sample - output * (time / float(config.num_train_timesteps))
        alpha_bar = getattr(self._scheduler, "alphas_cumprod", None)
        prediction = config.get("prediction_type", "epsilon")
        if alpha_bar is None or prediction not in ("epsilon", "v_prediction"):
            return _reduced(unpack(result[0] if isinstance(result, tuple) else result.prev_sample)).float()
        below, above = (min(max(int(edge), 0), len(alpha_bar) - 1) for edge in (time, math.ceil(time)))
        weight = time - int(time)
        level = math.exp(
            math.log(max(float(alpha_bar[below]), 1e-12)) * (1 - weight)
            + math.log(max(float(alpha_bar[above]), 1e-12)) * weight
        )
        if scales_up(self._scheduler):  # it works on latents scaled up by 1 / sqrt(ᾱ)
            sample = sample * math.sqrt(level)
        if prediction == "v_prediction":
            return math.sqrt(level) * sample - math.sqrt(1 - level) * output
        return (sample - math.sqrt(1 - level) * output) / math.sqrt(level)


def _reduced(latents: torch.Tensor) -> torch.Tensor:
    """No more pixels than a preview shows."""
    stride = math.ceil(max(latents.shape[-2:]) / MAX_SIDE)
    return latents if stride <= 1 else latents[..., ::stride, ::stride]
