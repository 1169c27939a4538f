"""The noise levels of each schedule against references computed here from the published formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
)
from scipy import stats

from pipelines.diffusion.samplers import schedules
from pipelines.diffusion.samplers.scheduling import build
from pipelines.diffusion.samplers.table import SAMPLERS, Sampler, Schedule
from tests.helpers.tiny_pipelines import SD_SCHEDULE

EXACT = (Sampler.EULER, Sampler.EULER_A, Sampler.DPMPP_2M, Sampler.DPMPP_2M_SDE, Sampler.UNIPC)


class Holder:
    """What ``build`` looks at of a pipeline."""

    def __init__(self, scheduler):
        self.scheduler = scheduler


@pytest.fixture
def levels() -> np.ndarray:
    """Stable Diffusion's sigmas, from its betas, written out."""
    betas = [
        (math.sqrt(0.00085) + (math.sqrt(0.012) - math.sqrt(0.00085)) * i / 999) ** 2 for i in range(1000)
    ]
    alpha_bar, found = 1.0, []
    for beta in betas:
        alpha_bar *= 1 - beta
        found.append(math.sqrt((1 - alpha_bar) / alpha_bar))
    return np.array(found)


def between(levels, timestep):
    """Linear in log sigma."""
    low = min(int(timestep), 998)
    part = timestep - low
    return math.exp((1 - part) * math.log(levels[low]) + part * math.log(levels[low + 1]))


def reference(schedule, steps, levels):
    low, high = levels[0], levels[-1]
    ramp = [k / (steps - 1) for k in range(steps)]
    match schedule:
        case Schedule.KARRAS:
            a, b = high ** (1 / 7), low ** (1 / 7)
            return [(a + t * (b - a)) ** 7 for t in ramp]
        case Schedule.EXPONENTIAL:
            return [math.exp(math.log(high) + t * (math.log(low) - math.log(high))) for t in ramp]
        case Schedule.NORMAL:
            return [between(levels, 999 * (1 - t)) for t in ramp]
        case Schedule.SGM_UNIFORM:
            return [between(levels, 999 * (1 - k / steps)) for k in range(steps)]
        case Schedule.TRAILING:
            return [levels[round((steps - k) * 1000 / steps) - 1] for k in range(steps)]
        case Schedule.BETA:
            picks = [int(np.rint(stats.beta.ppf(1 - k / steps, 0.6, 0.6) * 999)) for k in range(steps)]
            return [levels[pick] for k, pick in enumerate(picks) if k == 0 or pick != picks[k - 1]]


def test_model_levels_are_those_users_know(levels):
    ours = schedules.model_sigmas(SD_SCHEDULE)
    np.testing.assert_allclose(ours, levels, rtol=1e-10)
    assert ours[0] == pytest.approx(0.0292, abs=1e-4)
    assert ours[-1] == pytest.approx(14.6146, abs=1e-4)


@pytest.mark.parametrize("schedule", [item for item in Schedule if item is not Schedule.DEFAULT])
@pytest.mark.parametrize("steps", [2, 7, 20, 120])
def test_levels_follow_the_formulas(schedule, steps, levels):
    ours = schedules.sigmas(schedule, steps, levels)
    np.testing.assert_allclose(ours, reference(schedule, steps, levels), atol=1e-9)
    assert (np.diff(ours) < 0).all()


def test_one_step_starts_at_the_largest_level(levels):
    for schedule in Schedule:
        if schedule is not Schedule.DEFAULT:
            assert schedules.sigmas(schedule, 1, levels).tolist() == pytest.approx([levels[-1]])


@pytest.mark.parametrize("sampler", EXACT)
@pytest.mark.parametrize("schedule", [item for item in Schedule if item is not Schedule.DEFAULT])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_schedulers_run_on_these_levels(sampler, schedule, spacing, levels):
    model = Holder(EulerDiscreteScheduler(**SD_SCHEDULE, timestep_spacing=spacing, steps_offset=1))
    scheduler = build(sampler, schedule, model)
    scheduler.set_timesteps(12, device="cpu")
    expected = reference(schedule, 12, levels)
    np.testing.assert_allclose(scheduler.sigmas.numpy(), [*expected, 0.0], atol=1e-5)
    assert len(scheduler.timesteps) == len(expected)
    for timestep, sigma in zip(scheduler.timesteps.tolist(), expected, strict=True):
        assert between(levels, timestep) == pytest.approx(sigma, rel=1e-5)


@pytest.mark.parametrize("sampler", [Sampler.EULER, Sampler.EULER_A, Sampler.DPMPP_2M, Sampler.UNIPC])
def test_the_levels_are_the_ones_stepped_through(sampler):
    """A denoiser that always foresees zero: after every step the latents' size is that of the next level."""
    model = Holder(EulerDiscreteScheduler(**SD_SCHEDULE, prediction_type="sample"))
    model.scheduler.register_to_config(prediction_type="epsilon")
    scheduler = build(sampler, Schedule.KARRAS, model)
    scheduler.set_timesteps(6, device="cpu")
    sigmas = scheduler.sigmas.tolist()
    generator = torch.Generator().manual_seed(0)
    scaled = float(scheduler.init_noise_sigma) > 1
    unit = torch.randn(1, 4, 64, 64, generator=generator)
    sample = unit * scheduler.init_noise_sigma if scaled else unit * sigmas[0] / math.hypot(1, sigmas[0])
    for index, timestep in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(sample, timestep)
        noise = sample / sigmas[index] if scaled else sample * math.hypot(1, sigmas[index]) / sigmas[index]
        arguments = {"generator": generator} if sampler is Sampler.EULER_A else {}
        sample = scheduler.step(noise, timestep, sample, **arguments, return_dict=False)[0]
        expected = sigmas[index + 1] if scaled else sigmas[index + 1] / math.hypot(1, sigmas[index + 1])
        assert float(sample.std()) == pytest.approx(expected, rel=0.03, abs=1e-3)


def test_default_schedule_is_left_to_the_model():
    own = DPMSolverMultistepScheduler(**SD_SCHEDULE, use_karras_sigmas=True)
    ours = build(Sampler.DEFAULT, Schedule.DEFAULT, Holder(own))
    for scheduler in (own, ours):
        scheduler.set_timesteps(9)
    assert ours is not own
    assert torch.equal(ours.sigmas, own.sigmas)


def test_a_schedule_replaces_the_models_own_one(levels):
    own = DPMSolverMultistepScheduler(**SD_SCHEDULE, use_karras_sigmas=True, final_sigmas_type="sigma_min")
    scheduler = build(Sampler.DEFAULT, Schedule.EXPONENTIAL, Holder(own))
    scheduler.set_timesteps(9)
    np.testing.assert_allclose(scheduler.sigmas[:-1], reference(Schedule.EXPONENTIAL, 9, levels), atol=1e-5)
    assert scheduler.sigmas[-1] == 0


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("zero_snr", [False, True])
def test_training_schedules_agree_with_diffusers(kind, zero_snr):
    config = {**SD_SCHEDULE, "beta_schedule": kind, "rescale_betas_zero_snr": zero_snr}
    theirs = EulerAncestralDiscreteScheduler(**config).alphas_cumprod.numpy()
    np.testing.assert_allclose(schedules.alphas_cumprod(config), theirs, rtol=2e-3, atol=1e-7)
    back = np.cumprod(1 - schedules.betas_of(schedules.alphas_cumprod(config)))
    np.testing.assert_allclose(back, schedules.alphas_cumprod(config), rtol=1e-6)


def test_timesteps_and_levels_are_inverse(levels):
    timesteps = np.array([0.0, 0.5, 3.25, 998.75, 999.0])
    np.testing.assert_allclose(
        schedules.timestep_at(schedules.sigma_at(timesteps, levels), levels), timesteps, atol=1e-9
    )


@pytest.mark.parametrize("sampler", [sampler for sampler, spec in SAMPLERS.items() if spec.exact])
def test_every_sampler_that_takes_levels_visits_just_these(sampler, levels):
    model = Holder(DDIMScheduler(**SD_SCHEDULE))
    for schedule in SAMPLERS[sampler].schedules - {Schedule.DEFAULT}:
        scheduler = build(sampler, schedule, model)
        scheduler.set_timesteps(8, device="cpu")
        visited = scheduler.sigmas.unique().flip(0).numpy()
        expected = reference(schedule, 8, levels)
        np.testing.assert_allclose(visited[:-1], expected, atol=1e-5, err_msg=schedule)
        assert visited[-1] < 0.004
        assert len(scheduler.timesteps) == scheduler.order * len(expected) - (scheduler.order - 1)
