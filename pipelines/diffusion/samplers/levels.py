"""How much of the picture and how much noise a scheduler has at each evaluation; beginning a run late.

``x = signal · x0 + noise · ε`` in the scheduler's own space: (1, σ) where it works on latents scaled up by
their noise (Karras et al. 2022), (√ᾱ, √(1 - ᾱ)) where the variance is preserved, (1 - σ, σ) for flow matching
(Lipman et al. 2023), (cos t, sin t) for trigonometric flow (Lu and Song 2024, "Simplifying, Stabilizing and
Scaling Continuous-Time Consistency Models", section 3).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.diffusion.samplers.table import is_flow

if TYPE_CHECKING:
    import torch


class Level(NamedTuple):
    """Weights of the finished latents and of unit noise."""

    signal: float
    noise: float


CLEAN = Level(1.0, 0.0)


def steps_to_run(steps: int, strength: float) -> int:
    """How many of ``steps`` a denoising strength of 0..1 really runs: at least one."""
    return min(max(1, math.floor(steps * strength + 0.5)), max(steps, 1))


def scales_up(scheduler: Any) -> bool:
    """Whether it works on ``x0 + σ ε``: such schedulers compute the size of their first noise."""
    return isinstance(getattr(type(scheduler), "init_noise_sigma", None), property)


def trigonometric(scheduler: Any) -> bool:
    """Whether its timesteps are angles, the last of which is the clean picture's."""
    return bool(scheduler.config.get("prediction_type") == "trigflow")


def evaluations(scheduler: Any) -> int:
    """How often the denoiser is asked in a run whose steps are set."""
    return len(scheduler.timesteps) - (1 if trigonometric(scheduler) else 0)


class LateStart:
    """Makes one run's scheduler leave out the first, noisiest steps.

    The scheduler belongs to the run. Everything it keeps for each evaluation is cut together, so that to it
    this is simply a shorter run from a lower level.

    Args:
        strength: the part of the steps that runs, 0..1.
        ready: called when the steps are set.
    """

    def __init__(self, scheduler: Any, strength: float, ready: Callable[[], None]) -> None:
        self._scheduler, self._strength = scheduler, strength
        self._repeats_first = hasattr(scheduler, "plms_timesteps")
        if self._repeats_first:
            # Its Runge-Kutta start knows the way down from the full noise only.
            scheduler.register_to_config(skip_prk_steps=True)
        original = scheduler.set_timesteps

        @functools.wraps(original)
        def set_timesteps(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            self._cut()
            ready()

        scheduler.set_timesteps = set_timesteps
        self.steps = 0
        """Steps that really run; known once the timesteps are set."""

    @property
    def _order(self) -> int:
        return int(getattr(self._scheduler, "order", 1))

    def _cut(self) -> None:
        import torch

        scheduler, times = self._scheduler, self._scheduler.timesteps
        if self._repeats_first:  # pseudo numerical methods evaluate their second timestep twice
            visited = torch.cat([times[:1], times[2:]])
            self.steps = steps_to_run(len(visited), self._strength)
            rest = visited[len(visited) - self.steps :]
            scheduler.timesteps = torch.cat([rest[:2], rest[1:]])
            return
        total = math.ceil(evaluations(scheduler) / self._order)
        self.steps = steps_to_run(total, self._strength)
        left_out = (total - self.steps) * self._order
        scheduler.timesteps = times[left_out:]
        for name, value in list(vars(scheduler).items()):
            if name.startswith("sigmas") and isinstance(value, torch.Tensor):
                setattr(scheduler, name, value[left_out:])
        if isinstance(orders := getattr(scheduler, "order_list", None), list):
            scheduler.order_list = orders[left_out:]
        if hasattr(scheduler, "step_index") and not hasattr(scheduler, "sigmas"):
            scheduler.num_inference_steps = self.steps  # LCM and TCD add no noise after the last of these
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(0)

    def level(self, evaluation: int) -> Level:
        """The level before an evaluation (0 is the first); clean after the last."""
        scheduler = self._scheduler
        if evaluation >= evaluations(scheduler):
            return CLEAN
        if trigonometric(scheduler):
            angle = float(scheduler.timesteps[evaluation])
            return Level(math.cos(angle), math.sin(angle))
        if getattr(scheduler, "sigmas", None) is None:
            alpha_bar = float(scheduler.alphas_cumprod[int(scheduler.timesteps[evaluation])])
            return Level(math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar))
        sigma = float(scheduler.sigmas[evaluation])
        if is_flow({**scheduler.config, "_class_name": type(scheduler).__name__}):
            return Level(1 - sigma, sigma)
        if scales_up(scheduler):
            return Level(1.0, sigma)
        signal = 1 / math.sqrt(sigma**2 + 1)
        return Level(signal, sigma * signal)

    def finished(self, evaluation: int) -> int | None:
        """How many steps are done after an evaluation; ``None`` where it ends in the middle of one."""
        if evaluation + 1 >= evaluations(self._scheduler):
            return self.steps
        if self._repeats_first:
            return evaluation or None
        done, rest = divmod(evaluation + 1, self._order)
        return None if rest else done


def noised(latents: torch.Tensor, noise: torch.Tensor, level: Level) -> torch.Tensor:
    """``signal · latents + noise · ε``."""
    return latents * level.signal + noise * level.noise
