"""Building the scheduler of one run: a row of the table, a schedule, and what the model itself demands.

A model's prediction type, zero terminal SNR and flow matching are kept whatever is chosen. Schedulers are
made anew for every run and never shared, so a run can't disturb another one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.diffusion.samplers import schedules
from pipelines.diffusion.samplers.table import (
    SAMPLERS,
    Sampler,
    SamplerSpec,
    Schedule,
    check,
    is_flow,
    own_sampler,
)
from pipelines.errors import SamplerUnavailable

ZERO_SNR = 1e-6
"""ᾱ_T below this counts as zero terminal SNR; an ordinary Stable Diffusion schedule ends at 4.7e-3."""

_SPACING = {
    Schedule.NORMAL: "linspace",
    Schedule.SGM_UNIFORM: "trailing",
    Schedule.TRAILING: "trailing",
}
_PLAIN = {"use_karras_sigmas": False, "use_exponential_sigmas": False, "use_beta_sigmas": False}
_DISTILLED_STEPS = 50


def scheduler_config(pipeline: Any) -> dict[str, Any]:
    """The model's scheduler configuration as :mod:`.table` wants it."""
    scheduler = pipeline.scheduler
    config = {**dict(scheduler.config), "_class_name": type(scheduler).__name__}
    if _terminal_alpha_bar(scheduler) < ZERO_SNR:
        config["rescale_betas_zero_snr"] = True
    return config


def build(
    sampler: Sampler, schedule: Schedule, pipeline: Any, *, seeds: Sequence[int] = (0,), model: str = ""
) -> Any:
    """A new diffusers scheduler for one run of ``pipeline``.

    Args:
        sampler, schedule: rows of the table.
        pipeline: a diffusers pipeline; its own scheduler is only read.
        seeds: one a picture of the batch, for samplers that draw their noise from a Brownian tree.
        model: the model's name, for the message.

    Raises:
        SamplerUnavailable, ScheduleUnavailable: with the reason.
    """
    config = scheduler_config(pipeline)
    check(sampler, schedule, config, model or str(config["_class_name"]))
    spec = own_sampler(config) if sampler is Sampler.DEFAULT else SAMPLERS[sampler]
    if sampler is Sampler.DEFAULT and schedule is Schedule.DEFAULT:
        scheduler = _keep_zero_snr(_prepared(type(pipeline.scheduler), spec), pipeline.scheduler, config, {})
        if spec is not None and spec.how == "own" and not is_flow(config):
            _allow_more_steps(scheduler)
    elif is_flow(config):
        assert spec is not None  # the check above
        return _flow(spec, schedule, pipeline.scheduler, config)
    else:
        assert spec is not None
        scheduler = _variance_preserving(spec, schedule, pipeline.scheduler, config)
    if hasattr(scheduler, "noise_sampler_seed"):
        _seed_brownian_tree(scheduler, seeds)
    return scheduler


# --- models trained with noise added by a beta schedule -----------------------------------------------------


class _QuickTimesteps:
    """Finds the timesteps of midpoints much faster than the search DPM2 comes with (75 ms a run)."""

    def _sigma_to_t(self, sigma: Any, log_sigmas: Any) -> np.float32:
        known = np.asarray(log_sigmas, dtype=np.float64)
        return np.float32(np.interp(np.log(max(float(sigma), 1e-10)), known, np.arange(len(known))))


def _prepared(scheduler_class: Any, spec: SamplerSpec | None) -> Any:
    """The class itself, or with a quicker search where it looks for midpoints."""
    if spec is None or spec.how != "hook":
        return scheduler_class
    return type(scheduler_class.__name__, (_QuickTimesteps, scheduler_class), {})


def _variance_preserving(spec: SamplerSpec, schedule: Schedule, own: Any, config: dict[str, Any]) -> Any:
    import diffusers

    scheduler_class = _prepared(getattr(diffusers, spec.scheduler), spec)
    arguments: dict[str, Any] = dict(spec.arguments)
    if "clip_sample" not in config:
        arguments["clip_sample"] = False  # DDIM and DDPM would clip latents as if they were pixels
    if schedule is not Schedule.DEFAULT:
        arguments |= {**_PLAIN, "use_lu_lambdas": False, "final_sigmas_type": "zero"}
        # init_noise_sigma must be the largest level, where ours start; with "leading" spacing it is not.
        arguments["timestep_spacing"] = _SPACING.get(schedule, "linspace")
        if spec.how == "hook":
            arguments["use_exponential_sigmas"] = True
    scheduler = _keep_zero_snr(scheduler_class, own, config, arguments)
    if spec.how == "own":
        _allow_more_steps(scheduler)
    if schedule is not Schedule.DEFAULT and spec.exact:
        _install(spec, schedule, scheduler, schedules.model_sigmas(config))
    return scheduler


def _keep_zero_snr(scheduler_class: Any, own: Any, config: dict[str, Any], arguments: dict[str, Any]) -> Any:
    """A scheduler of this class, with the model's zero terminal SNR even where the class drops it."""
    # Not a plain dict: diffusers then knows which values were only defaults of the model's own class.
    scheduler = scheduler_class.from_config(own.config, **_accepted(scheduler_class, arguments))
    if not config.get("rescale_betas_zero_snr") or _terminal_alpha_bar(scheduler) < ZERO_SNR:
        return scheduler
    alpha_bar = schedules.alphas_cumprod(config)
    arguments = {**arguments, "trained_betas": schedules.betas_of(alpha_bar).tolist()}
    scheduler = scheduler_class.from_config(own.config, **_accepted(scheduler_class, arguments))
    if not _terminal_alpha_bar(scheduler) < ZERO_SNR:
        raise SamplerUnavailable(
            sampler=scheduler_class.__name__,
            model=config["_class_name"],
            reason="The model needs zero terminal signal-to-noise ratio, which this sampler can't keep.",
        )
    return scheduler


def _accepted(scheduler_class: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that the class has: the rest would only make it warn."""
    known = scheduler_class._get_init_keys(scheduler_class)
    return {name: value for name, value in arguments.items() if name in known}


def _terminal_alpha_bar(scheduler: Any) -> float:
    """ᾱ_T as the scheduler really has it (its configuration may say otherwise); 1 where it has none."""
    alpha_bar = getattr(scheduler, "alphas_cumprod", None)
    return 1.0 if alpha_bar is None else float(alpha_bar[-1])


def _install(spec: SamplerSpec, schedule: Schedule, scheduler: Any, levels: schedules.Floats) -> None:
    """Make ``scheduler.set_timesteps`` use our sigmas, in the way its class allows."""
    import torch

    original = scheduler.set_timesteps
    if spec.how == "hook":

        def ours(in_sigmas: Any, num_inference_steps: int) -> schedules.Floats:
            return schedules.sigmas(schedule, num_inference_steps, levels)

        scheduler._convert_to_exponential = ours

    def set_timesteps(num_inference_steps: int, device: Any = None) -> None:
        original(num_inference_steps, device=device)
        if spec.how != "hook":
            values = schedules.sigmas(schedule, num_inference_steps, levels)
            times = torch.tensor(schedules.timestep_at(values, levels), dtype=torch.float32)
            final = 0.0 if spec.ends_at_zero else levels[0] / 10
            noise = torch.tensor(np.append(values, final), dtype=torch.float32)
            if spec.how == "interleaved":
                times = torch.cat([times[:1], times[1:].repeat_interleave(2)])
                noise = torch.cat([noise[:1], noise[1:-1].repeat_interleave(2), noise[-1:]])
            scheduler.sigmas, scheduler.timesteps = noise, times.to(device)
            scheduler.num_inference_steps = len(values)
        # Timesteps may repeat once rounded: the position counts, not the value.
        scheduler.set_begin_index(0)

    scheduler.set_timesteps = set_timesteps


def _allow_more_steps(scheduler: Any) -> None:
    """LCM and TCD refuse more steps than they were distilled for (50): let them take a finer grid then."""
    original = scheduler.set_timesteps
    trained = int(scheduler.config.num_train_timesteps)
    distilled = int(scheduler.config.original_inference_steps or _DISTILLED_STEPS)

    def set_timesteps(num_inference_steps: int, device: Any = None) -> None:
        finer = min(max(distilled, num_inference_steps), trained)
        original(num_inference_steps, device=device, original_inference_steps=finer)

    scheduler.set_timesteps = set_timesteps


class _BrownianNoise:
    """Noise for DPM++ SDE: one Brownian tree a picture, on the CPU in float32, so that devices agree."""

    def __init__(self, scheduler: Any, seeds: Sequence[int]) -> None:
        self._scheduler, self._seeds, self._sampler = scheduler, list(seeds), None

    def __call__(self, sigma: Any, sigma_next: Any) -> Any:
        return self._sampler(sigma, sigma_next).to(self._like)  # type: ignore[misc]

    def prepare(self, sample: Any) -> None:
        """Plant the trees for latents like ``sample``."""
        import torch
        from diffusers.schedulers.scheduling_dpmsolver_sde import BrownianTreeNoiseSampler

        noise = self._scheduler.sigmas
        # A little wider than what is asked for: the way through the logarithm rounds past the ends.
        low, high = float(noise[noise > 0].min()) * 0.999, float(noise.max()) * 1.001
        blank = torch.zeros(sample.shape, dtype=torch.float32)
        self._like = sample
        self._sampler = BrownianTreeNoiseSampler(blank, low, high, self._seeds)


def _seed_brownian_tree(scheduler: Any, seeds: Sequence[int]) -> None:
    """DPM++ SDE takes no generator: give it trees that start from the seeds of the pictures."""
    original = scheduler.step

    @functools.wraps(original)
    def step(model_output: Any, timestep: Any, sample: Any, return_dict: bool = True) -> Any:
        if scheduler.noise_sampler is None:
            scheduler.noise_sampler = _BrownianNoise(scheduler, seeds)
            scheduler.noise_sampler.prepare(sample)
        return original(model_output, timestep, sample, return_dict=return_dict)

    scheduler.step = step


# --- models trained by flow matching ------------------------------------------------------------------------


def _flow(spec: SamplerSpec, schedule: Schedule, own: Any, config: dict[str, Any]) -> Any:
    """A scheduler for a flow-matching model: the solver asked for, on the model's own spacing."""
    import diffusers

    choice: dict[str, Any] = {}
    if schedule is not Schedule.DEFAULT:
        choice = {**_PLAIN, f"use_{schedule.value}_sigmas": True}
    if "shift" not in config:
        choice["shift"] = float(config.get("flow_shift", 1.0))
    spacing = _configured(diffusers.FlowMatchEulerDiscreteScheduler, own, choice)
    if isinstance(spacing, getattr(diffusers, spec.flow_class)):
        return spacing
    solver_class = getattr(diffusers, spec.flow_class)
    if spec.id is Sampler.LCM:
        return _configured(solver_class, own, choice)
    arguments = {**spec.arguments, **spec.flow_arguments, **_PLAIN, "use_dynamic_shifting": False}
    solver = _configured(solver_class, own, arguments)
    _follow(solver, spacing, interleaved=spec.how == "interleaved")
    return solver


def _configured(scheduler_class: Any, own: Any, arguments: dict[str, Any]) -> Any:
    """A scheduler of another class than the model's own, with the settings both know."""
    return scheduler_class(**_accepted(scheduler_class, {**own.config, **arguments}))


def _follow(solver: Any, spacing: Any, *, interleaved: bool) -> None:
    """Let ``solver`` visit the noise levels of ``spacing``, whatever the pipeline asks of it."""
    import torch

    original = solver.set_timesteps

    def set_timesteps(
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: Any = None,
        mu: float | None = None,
    ) -> None:
        count = num_inference_steps if num_inference_steps is not None else len(sigmas)
        if sigmas is None and spacing.config.use_dynamic_shifting:
            # Pipelines leave this out for a solver that says use_flow_sigmas; it is what they pass otherwise.
            sigmas = np.linspace(1.0, 1 / count, count)
        spacing.set_timesteps(count, device=device, sigmas=sigmas, mu=mu)
        original(count, device=device)
        times, noise = spacing.timesteps, spacing.sigmas
        if interleaved:
            times = torch.cat([times[:1], times[1:].repeat_interleave(2)])
            noise = torch.cat([noise[:1], noise[1:-1].repeat_interleave(2), noise[-1:]])
        else:
            noise = noise.cpu().clamp(max=1 - 1e-5)  # these solvers take log(1 - sigma)
        solver.timesteps, solver.sigmas, solver.num_inference_steps = times, noise, count
        solver.set_begin_index(0)

    solver.set_timesteps = set_timesteps
