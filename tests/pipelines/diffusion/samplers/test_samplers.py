"""The table, what is disabled for which model, and what a model's configuration demands of every sampler."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    EDMEulerScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
)

from pipelines.diffusion.samplers.scheduling import build, scheduler_config
from pipelines.diffusion.samplers.table import (
    SAMPLERS,
    SCHEDULE_TITLES,
    Sampler,
    Schedule,
    availability,
    sampler_title,
    schedule_availability,
    schedule_note,
)
from pipelines.errors import SamplerUnavailable, ScheduleUnavailable
from tests.helpers.tiny_pipelines import SD_SCHEDULE

SD1 = {"_class_name": "PNDMScheduler", **SD_SCHEDULE}
ZERO_SNR = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}


class Holder:
    def __init__(self, scheduler):
        self.scheduler = scheduler


def usable(config):
    return [sampler for sampler in SAMPLERS if sampler not in availability(config)]


def test_the_table_imports_no_torch():
    code = "import sys, pipelines.nodes.diffusion, pipelines.diffusion; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_table_has_every_sampler_users_know():
    titles = {sampler_title(sampler) for sampler in Sampler}
    assert titles == {
        "Model default", "Euler", "Euler a", "Heun", "DPM2", "DPM2 a", "LMS", "DPM++ 2M", "DPM++ 2M SDE",
        "DPM++ SDE", "DPM++ 3M SDE", "UniPC", "DDIM", "DDPM", "DEIS", "LCM", "TCD",
    }  # fmt: skip
    assert set(SCHEDULE_TITLES) == set(Schedule)
    assert set(SAMPLERS) == set(Sampler) - {Sampler.DEFAULT}


def test_an_ordinary_model_takes_all_samplers():
    assert availability(SD1) == {}


def test_flow_matching_models_take_what_knows_flow_matching():
    assert usable(FLOW) == [
        Sampler.EULER, Sampler.HEUN, Sampler.DPMPP_2M, Sampler.DPMPP_2M_SDE, Sampler.UNIPC, Sampler.LCM,
    ]  # fmt: skip
    assert "flow matching" in availability(FLOW)[Sampler.DDIM]
    assert set(schedule_availability(Sampler.EULER, FLOW)) == {
        Schedule.NORMAL, Schedule.SGM_UNIFORM, Schedule.TRAILING,
    }  # fmt: skip


def test_samplers_without_a_way_to_keep_zero_snr_are_disabled_with_the_reason():
    reasons = availability({**SD1, **ZERO_SNR})
    assert set(reasons) == {Sampler.HEUN, Sampler.DPM2_A}
    assert all("zero terminal SNR" in reason for reason in reasons.values())


def test_a_sampler_of_its_own_kind_is_not_replaced():
    config = scheduler_config(Holder(EDMEulerScheduler()))
    assert usable(config) == []
    assert "EDMEulerScheduler" in availability(config)[Sampler.EULER]
    assert Schedule.KARRAS in schedule_availability(Sampler.DEFAULT, config)


@pytest.mark.parametrize("sampler", [Sampler.DDIM, Sampler.DDPM])
def test_samplers_on_timesteps_take_no_free_levels(sampler):
    reasons = schedule_availability(sampler, SD1)
    assert set(reasons) == {Schedule.KARRAS, Schedule.EXPONENTIAL, Schedule.BETA}
    assert "the same as Trailing" in schedule_note(sampler, Schedule.SGM_UNIFORM)
    with pytest.raises(ScheduleUnavailable, match="timesteps"):
        build(sampler, Schedule.KARRAS, Holder(PNDMScheduler(**SD_SCHEDULE)))


def test_building_what_is_disabled_is_refused_with_the_reason():
    with pytest.raises(SamplerUnavailable, match="flow matching"):
        build(Sampler.DDIM, Schedule.DEFAULT, Holder(FlowMatchEulerDiscreteScheduler()))
    with pytest.raises(SamplerUnavailable, match="zero terminal SNR"):
        build(Sampler.HEUN, Schedule.DEFAULT, Holder(DDIMScheduler(**SD_SCHEDULE, **ZERO_SNR)))


@pytest.mark.parametrize(
    "sampler", [sampler for sampler in SAMPLERS if sampler not in availability({**SD1, **ZERO_SNR})]
)
def test_zero_terminal_snr_is_kept(sampler):
    """By what the scheduler really has, not by what its configuration says."""
    model = Holder(DDIMScheduler(**SD_SCHEDULE, **ZERO_SNR, timestep_spacing="trailing"))
    for schedule in SAMPLERS[sampler].schedules:
        scheduler = build(sampler, schedule, model)
        assert float(scheduler.alphas_cumprod[-1]) < 1e-6
        assert scheduler.config.prediction_type == "v_prediction"
        scheduler.set_timesteps(8, device="cpu")
        assert float(scheduler.timesteps[0]) == pytest.approx(999)
        if hasattr(scheduler, "sigmas"):
            assert float(scheduler.sigmas[0]) == pytest.approx(4096, rel=1e-3)


def test_a_model_whose_own_scheduler_drops_zero_snr_gets_it_all_the_same():
    own = HeunDiscreteScheduler(**SD_SCHEDULE, prediction_type="v_prediction")
    own.register_to_config(rescale_betas_zero_snr=True)
    assert float(own.alphas_cumprod[-1]) > 1e-3
    scheduler = build(Sampler.DEFAULT, Schedule.DEFAULT, Holder(own))
    assert float(scheduler.alphas_cumprod[-1]) < 1e-6


@pytest.mark.parametrize("sampler", [Sampler.DDIM, Sampler.DDPM, Sampler.LCM, Sampler.TCD])
def test_latents_are_never_clipped_like_pixels(sampler):
    own = PNDMScheduler(**SD_SCHEDULE)
    assert "clip_sample" not in own.config
    assert not build(sampler, Schedule.DEFAULT, Holder(own)).config.clip_sample


@pytest.mark.parametrize("sampler", [Sampler.LCM, Sampler.TCD])
@pytest.mark.parametrize("steps", [1, 4, 50, 80, 500])
def test_distilled_samplers_take_any_number_of_steps(sampler, steps):
    scheduler = build(sampler, Schedule.DEFAULT, Holder(DDIMScheduler(**SD_SCHEDULE)))
    scheduler.set_timesteps(steps, device="cpu")
    assert len(scheduler.timesteps) == steps


def test_a_distilled_models_own_sampler_takes_any_number_of_steps_too():
    scheduler = build(Sampler.DEFAULT, Schedule.DEFAULT, Holder(LCMScheduler(**SD_SCHEDULE)))
    scheduler.set_timesteps(80, device="cpu")
    assert len(scheduler.timesteps) == 80


def test_the_models_scheduler_is_only_read():
    own = DDIMScheduler(**SD_SCHEDULE)
    before, timesteps = dict(own.config), own.timesteps.clone()
    for sampler in SAMPLERS:
        build(sampler, Schedule.DEFAULT, Holder(own)).set_timesteps(4, device="cpu")
    assert dict(own.config) == before
    assert torch.equal(own.timesteps, timesteps)


def test_brownian_noise_comes_from_the_seed_of_each_picture():
    def run(seeds):
        torch.manual_seed(len(seeds))  # whatever torch's global generator holds
        scheduler = build(
            Sampler.DPMPP_SDE, Schedule.KARRAS, Holder(DDIMScheduler(**SD_SCHEDULE)), seeds=seeds
        )
        scheduler.set_timesteps(3, device="cpu")
        sample = torch.ones(len(seeds), 4, 8, 8)
        for timestep in scheduler.timesteps:
            sample = scheduler.step(torch.zeros_like(sample), timestep, sample, return_dict=False)[0]
        return sample

    both = run([5, 6])
    assert torch.equal(both[:1], run([5]))
    assert torch.equal(both[1:], run([6]))
    assert not torch.equal(both[0], both[1])


@pytest.mark.parametrize("sampler", [Sampler.HEUN, Sampler.DPMPP_2M, Sampler.DPMPP_2M_SDE, Sampler.UNIPC])
def test_solvers_visit_the_flow_models_own_levels(sampler):
    model = Holder(FlowMatchEulerDiscreteScheduler(shift=3.0))
    plain, solver = (build(item, Schedule.DEFAULT, model) for item in (Sampler.EULER, sampler))
    for scheduler in (plain, solver):
        scheduler.set_timesteps(6, device="cpu")
    visited = solver.sigmas.unique().flip(0)
    np.testing.assert_allclose(visited, plain.sigmas, atol=2e-5)
    assert set(plain.timesteps.tolist()) == set(solver.timesteps.tolist())
